"""The base of the adapter that was opened last: another adapter of the same base takes its place there.

Changes are not subtracted again, which would leave what rounding makes of them: the base's own tensors are kept where
an adapter changes them, and come back as they were.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.models.files.adapted import changes_of
from auditor.models.files.names import place_of
from auditor.models.files.safetensors import read_header
from auditor.models.runtime.changes import Adapted, adapter_tensors, apply
from auditor.models.runtime.forward import free
from auditor.models.runtime.weights import read_tensors
from store.records import Profile

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class KeptBase:
    """Keeps the model that an adapter was opened as, and makes others of the same base of it.

    Whoever holds a model that came from here must be done with it before the next one is asked for.
    """

    def __init__(self) -> None:
        self._key: Hashable = None
        self._model: PreTrainedModel | None = None
        self._originals: dict[str, torch.Tensor | None] = {}
        self._names: dict[str, str] = {}

    def put(self, profile: Profile, how: Hashable, model: PreTrainedModel, weights: Adapted) -> None:
        """Keeps a model, if every tensor that the adapter changes is found again in it as it was read.

        Args:
            how: as what, where and in which format the model was opened.
        """
        self.close()
        names = _parameters(model, weights.originals)
        state = model.state_dict()
        if names is None:
            return
        for name, first in weights.firsts.items():
            # A class that loads its tensors otherwise than they are stored could not be given another's.
            here = state[names[name]]
            if here.ndim != first.ndim or not bool((here[:2] == first.to(here.device, here.dtype)).all()):
                return
        self._key, self._model = (_identity(profile), how), model
        self._originals, self._names = dict(weights.originals), names

    def swapped(self, profile: Profile, how: Hashable) -> PreTrainedModel | None:
        """The kept model with another adapter's changes; None where it is of another base or was opened otherwise.

        Raises:
            ModelError: a file is not what was hashed, or a change does not fit the base's format.
        """
        if not profile.parts or self._model is None or self._key != (_identity(profile), how):
            self.close()
            return None
        try:
            if not self._swap(profile, self._model):
                self.close()
        except BaseException:
            # It would be neither the one model nor the other.
            self.close()
            raise
        return self._model

    def close(self) -> None:
        """Frees the memory."""
        if self._model is not None:
            kind = self._model.device.type
            self._key = self._model = None
            self._originals, self._names = {}, {}
            free(kind)

    def _swap(self, profile: Profile, model: PreTrainedModel) -> bool:
        import torch

        adapter, base = profile.parts
        changes = changes_of(profile)
        if any(stored is None and name not in changes for name, stored in self._originals.items()):
            return False
        lacking = changes.keys() - self._originals.keys()
        found = _parameters(model, lacking)
        if found is None:
            return False
        own = adapter_tensors(adapter)
        self._names |= found
        self._originals |= _stored(base, lacking)
        state = model.state_dict()
        with torch.no_grad():
            for name, stored in self._originals.items():
                if name in changes:
                    state[self._names[name]].copy_(apply(name, changes[name], own, stored, inplace=False))
                elif stored is not None:
                    state[self._names[name]].copy_(stored)
        return True


def _identity(profile: Profile) -> Hashable:
    base = profile.parts[1]
    return base.ref.path, tuple(sorted(base.files.items())), profile.architecture, len(profile.labels)


def _parameters(model: PreTrainedModel, names: Mapping[str, object] | set[str]) -> dict[str, str] | None:
    """A model's names of tensors by those that its files have; None where one of them is not found."""
    state = model.state_dict()
    found = {}
    for name in names:
        place = place_of(name, state) or place_of(f"{model.base_model_prefix}.{name}", state)
        if place is None:
            return None
        found[name] = place
    return found


def _stored(base: Profile, names: set[str]) -> dict[str, torch.Tensor | None]:
    """Some of a base's tensors as its files have them; None for those that it has not."""
    found: dict[str, torch.Tensor | None] = dict.fromkeys(names)
    for file, digest in base.files.items():
        path = Path(base.ref.path) / file
        if file.endswith(".safetensors") and names & {stored.info.name for stored in read_header(path)}:
            found |= {name: tensor for name, tensor in read_tensors(path, digest).items() if name in names}
    return found
