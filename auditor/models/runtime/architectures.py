"""What transformers says of a type of model without its weights: its classifier's tensors, its config's defaults."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.errors import ModelError
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.verified import small_files
from store.records import Profile


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A class of transformers: its name, its tensors' shapes by name, and those tensors that repeat others."""

    name: str
    shapes: Mapping[str, tuple[int, ...]]
    tied: frozenset[str]


def classifier_of(profile: Profile, labels: Mapping[int, str]) -> Skeleton:
    """The sequence classifier with these labels, by index, that a model's encoder fits in.

    It is made without memory for its weights.

    Raises:
        ModelError: the config's file is not what was hashed, or no classifier can be made of it.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    with small_files(profile) as private:
        try:
            with quiet(), torch.device("meta"):
                config = AutoConfig.from_pretrained(private, trust_remote_code=False, local_files_only=True)
                config.update({"id2label": dict(labels)})
                config.update({"label2id": {label: number for number, label in labels.items()}})
                maker: Any = AutoModelForSequenceClassification
                model = maker.from_config(config, trust_remote_code=False)
        except Exception as error:
            said = str(error).replace(str(private), profile.ref.reference)
            raise ModelError((said.strip() or type(error).__name__).splitlines()[0]) from error
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    return Skeleton(type(model).__name__, shapes, frozenset(getattr(model, "all_tied_weights_keys", None) or ()))


def as_read(kind: str, config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A config with all that its type's class adds to what a file says; None where the class cannot read it."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    try:
        with quiet():
            return dict(CONFIG_MAPPING[kind].from_dict(copy.deepcopy(dict(config))).to_dict())
    # A class raises nearly any kind of exception on odd values; then what the file says counts as it stands.
    except Exception:
        return None
