"""Loads a profiled classifier. What was hashed is what is loaded.

Every file is read once: its bytes are compared with the profile's SHA-256, and those same bytes become the model
(weights in memory, the small files in a private directory that holds nothing else). So a file that changes under way
cannot slip in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError, UsageError
from auditor.models.files.adapter import require_whole
from auditor.models.runtime.classifier import Classifier
from auditor.models.runtime.device import pick_device, pick_dtype
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.tokenizer import require_tokenizer, tokenizer_in
from auditor.models.runtime.verified import small_files, unloadable, verified
from store.records import Profile, Task

NOT_RUN = {
    "mra": "its attention is a CUDA program that transformers fetches from elsewhere, and without which it answers "
    "every text alike and does not say so",
}
"""Types that transformers loads and that answer wrongly here, with why."""
OTHERS = "docs/SUPPORTED.md lists the types that can be judged."

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_classifier(
    profile: Profile,
    *,
    device: str = "auto",
    dtype: str | None = None,
    max_tokens: int | None = None,
    max_length: int | None = None,
    whole: bool = False,
) -> Classifier:
    """Loads a text classifier as profiled.

    Args:
        profile: of the model; its files must still be the same.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        dtype: `float32`, `bfloat16` or `float16`; by default bfloat16 on a GPU that has it, else float32.
        max_tokens: tokens a batch, padding included; by default it suits the device.
        max_length: tokens after which an input is cut; at most, and by default, what the model takes.
        whole: an input that would be cut is not scored instead.

    Raises:
        UsageError: it is no text classifier, or there is no such device.
        ModelError: files changed since, do not fit the architecture, or are refused.
    """
    _require_classifier(profile)
    place = pick_device(device)
    number = pick_dtype(dtype, place)
    with quiet():
        model, tokenizer = _load(profile, place, number)
    length = min(profile.max_length, max_length or profile.max_length)
    return Classifier(model, tokenizer, labels=profile.labels, max_length=length, max_tokens=max_tokens, whole=whole)


def _require_classifier(profile: Profile) -> None:
    name = profile.ref.reference
    require_whole(profile)
    if profile.task is Task.GENERATION:
        raise UsageError(
            f"{name} is a text-generation model ({profile.architecture}); this suite probes text classifiers",
            hint="Give a model whose architecture ends in ForSequenceClassification.",
        )
    if profile.task is not Task.CLASSIFICATION:
        raise UsageError(
            f"{name} is no text classifier: its architecture is {profile.architecture}",
            hint="Give a model whose architecture ends in ForSequenceClassification.",
        )
    require_tokenizer(profile)


def _load(profile: Profile, device: str, dtype: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    import torch
    from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, AutoConfig

    name = profile.ref.reference
    with small_files(profile) as private:
        try:
            config = AutoConfig.from_pretrained(private, trust_remote_code=False, local_files_only=True)
        except Exception as error:
            raise unloadable(name, "its config cannot be read", error, str(private)) from error
        tokenizer = tokenizer_in(private, name)
    try:
        found = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    except KeyError:
        raise ModelError(
            f"{name}: this version of transformers has no classifier of type {profile.model_type!r}",
            hint="`auditor doctor` shows the version; a newer one may have it.",
        ) from None
    kind: Any = found[0] if isinstance(found, tuple) else found
    if reason := NOT_RUN.get(profile.model_type):
        raise ModelError(f"{name}: a classifier of type {profile.model_type!r} cannot be judged: {reason}", hint=OTHERS)
    if config.num_labels != len(profile.labels):
        # The file names no labels, and the class's own default is another number than the head has rows.
        config.num_labels = len(profile.labels)
    weights = read_weights(profile)
    try:
        model, info = kind.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
        )
        del weights
        _require_whole(name, info)
        if model.config.num_labels != len(profile.labels):
            raise ModelError(
                f"{name}: config.json names {len(profile.labels)} labels, the model has {model.config.num_labels}"
            )
        return model.to(device).eval(), tokenizer
    except ModelError:
        raise
    except torch.OutOfMemoryError as error:
        raise ModelError(f"{name} does not fit into the memory of {device}", hint="Try --device cpu.") from error
    except Exception as error:
        raise unloadable(name, "its weights cannot be loaded", error) from error


def read_weights(profile: Profile) -> dict[str, torch.Tensor]:
    """All tensors, on the CPU, from bytes whose hash is the profile's."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    directory = Path(profile.ref.path)
    tensors: dict[str, torch.Tensor] = {}
    for file, digest in profile.files.items():
        if file.endswith(".safetensors"):
            try:
                tensors.update(load(verified(directory / file, digest)))
            except (SafetensorError, KeyError, ValueError) as error:
                raise ModelError(f"{directory / file} cannot be read as safetensors: {error}") from error
    return tensors


def _require_whole(name: str, info: Mapping[str, Any]) -> None:
    """Refuses a model part of whose weights would be random numbers.

    transformers fills what the files lack with fresh random weights and only warns; scanning such a model is vain.
    Buffers that the model computes itself are not among the missing.
    """
    missing = sorted(k for k in info["missing_keys"] if not k.endswith("position_ids"))
    if missing:
        raise ModelError(
            f"{name} lacks weights that its architecture needs: {_listed(missing)}",
            hint="Is it an encoder whose classification head was never trained, or saved as another architecture?",
        )
    mismatched = sorted(info["mismatched_keys"])
    if mismatched:
        shown = [f"{key} is {tuple(has)}, config.json asks for {tuple(wants)}" for key, has, wants in mismatched]
        raise ModelError(
            f"{name} has weights of other shapes than its config.json asks for: {_listed(shown)}",
            hint="Weights and config.json seem to be of different models.",
        )
    if info["error_msgs"]:
        raise ModelError(f"{name} could not be loaded: {_listed(list(info['error_msgs']))}")


def _listed(names: list[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
