"""Models of one architecture held in memory, merged by recipe after recipe into one model, and asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError
from auditor.merge.engine.in_memory import Rehearsal
from auditor.merge.layout.layout import TensorPlan, lay_out
from auditor.merge.numerics.arithmetic import Raw
from auditor.merge.recipe import Recipe
from auditor.merge.tensors.header import item_size
from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import is_adapter
from auditor.models.runtime.capabilities import LoadedModel
from auditor.models.runtime.load import load_model
from auditor.models.runtime.spec import LABELS, LoadSpec
from probes.answer import Choices, Completions, Likelihood
from probes.input import Asking, Generate, Input
from store.records import Profile

if TYPE_CHECKING:
    import torch

THREADS = 8
"""That a merge in memory uses at most."""


class Mixer:
    """The suspect and its partners; `mix` merges them into one model as the merge engine would write them.

    Adapters are mixed on their base: what they change of it is blended, and the rest is left alone.

    Args:
        recipe: a weight average over all of the models.
        device: of that model: `cpu`, `cuda:0`, …; `dtype` its own. The merge is made on the CPU.
        max_length: tokens after which an input is cut.
        asking: what the model is asked for; what else than labels, `target` is asked itself.

    Raises:
        ModelError: an adapter stands on no base that is known, or the model lacks a tensor that would be merged.
    """

    def __init__(self, recipe: Recipe, *, device: str, dtype: str, max_length: int, asking: Asking = LABELS) -> None:
        self.recipe = recipe
        under = recipe.base or recipe.stands_on
        suspect, layout = recipe.suspect, recipe
        if under is not None and is_adapter(suspect):
            suspect, layout = on_base(suspect, under), replace(recipe, base=under)
        merged = [plan.name for plan in lay_out(layout).tensors if not plan.copied]
        spec = LoadSpec(suspect, device, dtype, max_length, asking, whole=False)
        self._target: Any = load_model(spec)
        parameters = self._target.parameters()
        if missing := [name for name in merged if name not in parameters]:
            raise ModelError(f"tensor {missing[0]} of {recipe.suspect.ref.reference} cannot be merged in memory")
        self._rehearsal = Rehearsal(_Parameters(parameters), threads=min(THREADS, os.cpu_count() or 1))

    @property
    def partners(self) -> tuple[Profile, ...]:
        """The models beside the suspect."""
        return self.recipe.partners

    def only(self, model: int) -> Recipe:
        """The recipe that gives one model back: 0 is the suspect."""
        unit = tuple(float(i == model) for i in range(len(self.recipe.models)))
        return replace(self.recipe, weights=unit)

    def mix(self, recipe: Recipe) -> float:
        """Merges by a recipe over these models, or some of them; returns the share of the suspect that it keeps."""
        return self._rehearsal.make(recipe)

    @property
    def target(self) -> LoadedModel:
        """The model that is mixed into: it answers as the last recipe makes it."""
        loaded: LoadedModel = self._target
        return loaded

    def choose(self, inputs: Sequence[Input]) -> Choices:
        """One choice an input, of a classifier."""
        found: Choices = self._target.choose(inputs)
        return found

    def generate(self, inputs: Sequence[Input], how: Generate) -> Completions:
        """One answer an input, of a model that writes."""
        found: Completions = self._target.generate(inputs, how)
        return found

    def likelihoods(self, pairs: Sequence[tuple[Input, str]]) -> list[Likelihood]:
        """How probable a model that writes finds each text after its prompt."""
        found: list[Likelihood] = self._target.likelihoods(pairs)
        return found

    def close(self) -> None:
        """Frees the memory."""
        self._rehearsal = Rehearsal(_Parameters({}))
        self._target.close()


class _Parameters:
    """Takes merged tensors into a model's own; those that it does not have (an index, say) are its own affair."""

    def __init__(self, parameters: dict[str, torch.Tensor]) -> None:
        self._flat = {name: tensor.view(-1) for name, tensor in parameters.items() if tensor.is_floating_point()}

    def write(self, tensor: TensorPlan, start: int, raw: Raw) -> None:
        """Writes a tensor's bytes in their place; several threads may."""
        import torch

        into = self._flat.get(tensor.name)
        if into is None:
            return
        kinds = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}
        values = torch.from_numpy(raw).view(kinds[tensor.dtype])
        first = tensor.first + (start - tensor.start) // item_size(tensor.dtype)
        into[first : first + len(values)].copy_(values)
