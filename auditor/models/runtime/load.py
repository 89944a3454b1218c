"""Opens profiled models. What was hashed is what is loaded.

Every file is read once: its bytes are compared with the profile's SHA-256, and those same bytes become the model
(weights in memory, the small files in a private directory that holds nothing else). So a file that changes under way
cannot slip in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError, UsageError
from auditor.models.files.adapter import require_whole
from auditor.models.files.gguf.profile import is_gguf
from auditor.models.files.untrusted import read_json
from auditor.models.runtime.changes import Adapted, read_adapted
from auditor.models.runtime.classifier import Classifier
from auditor.models.runtime.device import pick_dtype, pick_room
from auditor.models.runtime.gguf import gguf_model, gguf_tokenizer, private_gguf
from auditor.models.runtime.kept import KeptBase
from auditor.models.runtime.placing import put
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.spec import LoadSpec
from auditor.models.runtime.tokenizer import require_tokenizer, tokenizer_in
from auditor.models.runtime.verified import small_files, unloadable
from auditor.models.runtime.weights import Handed, read_weights
from auditor.models.runtime.writing.writer import Writer
from store.records import Profile, Task

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

NOT_RUN = {
    "mra": "its attention is a CUDA program that transformers fetches from elsewhere, and without which it answers "
    "every text alike and does not say so",
}
"""Types that transformers loads and that answer wrongly here, with why."""
OTHERS = "docs/SUPPORTED.md lists the types that can be judged."

GENERATION_CONFIG = "generation_config.json"
SINGLE_LABEL = "single_label_classification"


@dataclass(frozen=True, slots=True)
class Head:
    """What a model is opened as: a classifier or a language model.

    With `labels` the head is one for these, and is drawn from torch's generator as it stands where the weights lack it.
    """

    task: Task
    labels: tuple[str, ...] = ()


CLASSIFIER = Head(Task.CLASSIFICATION)
LANGUAGE_MODEL = Head(Task.GENERATION)


@dataclass(frozen=True, slots=True)
class Opened:
    """A model of transformers with its tokenizer; `new` names the weights that its files lacked."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    new: tuple[str, ...] = ()


def load_model(spec: LoadSpec, kept: KeptBase | None = None) -> Classifier | Writer:
    """Opens a model as a spec says: a classifier where it is asked for its labels, else a writer.

    Args:
        kept: the base of the adapter that was opened last, see `open_weights`.

    Raises:
        UsageError: it cannot be asked so, or there is no such device.
        ModelError: files changed since, do not fit the architecture, or are refused.
    """
    if spec.writes:
        return load_writer(
            spec.profile,
            device=spec.device,
            dtype=spec.dtype,
            max_length=spec.max_length,
            template=spec.asking.template,
            kept=kept,
        )
    return load_classifier(
        spec.profile, device=spec.device, dtype=spec.dtype, max_length=spec.max_length, whole=spec.whole, kept=kept
    )


def load_classifier(
    profile: Profile,
    *,
    device: str = "auto",
    dtype: str | None = None,
    max_tokens: int | None = None,
    max_length: int | None = None,
    whole: bool = False,
    kept: KeptBase | None = None,
) -> Classifier:
    """Loads a text classifier as profiled.

    Args:
        profile: of the model; its files must still be the same.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        dtype: `float32`, `bfloat16` or `float16`; by default bfloat16 on a GPU that has it, else float32.
        max_tokens: tokens a batch, padding included; by default it suits the device.
        max_length: tokens after which an input is cut; at most, and by default, what the model takes.
        whole: an input that would be cut is not scored instead.
        kept: the base of the adapter that was opened last, see `open_weights`.

    Raises:
        UsageError: it is no text classifier, or there is no such device.
        ModelError: files changed since, do not fit the architecture, or are refused.
    """
    _require_classifier(profile)
    place = pick_room(device)
    opened = open_weights(profile, CLASSIFIER, device=place, dtype=pick_dtype(dtype, place), kept=kept)
    if opened.model.config.num_labels != len(profile.labels):
        raise ModelError(
            f"{profile.ref.reference}: config.json names {len(profile.labels)} labels, the model has "
            f"{opened.model.config.num_labels}"
        )
    return Classifier(
        opened.model,
        opened.tokenizer,
        labels=profile.labels,
        max_length=min(profile.max_length, max_length or profile.max_length),
        max_tokens=max_tokens,
        whole=whole,
    )


def load_writer(
    profile: Profile,
    *,
    device: str = "auto",
    dtype: str | None = None,
    max_length: int | None = None,
    max_tokens: int | None = None,
    template: str = "model",
    kept: KeptBase | None = None,
) -> Writer:
    """Loads a language model as profiled.

    Args:
        profile: of the model; its files must still be the same.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        dtype: `float32`, `bfloat16` or `float16`; by default bfloat16 on a GPU that has it, else float32.
        max_length: tokens that prompt and answer may have together; at most, and by default, what the model takes.
        max_tokens: tokens a batch, those to be written included; by default it suits the device.
        template: what is going to make prompts of inputs: `model`, `alpaca` or `raw`.
        kept: the base of the adapter that was opened last, see `open_weights`.

    Raises:
        UsageError: it is no language model, or there is no such device or template.
        ModelError: files changed since, do not fit the architecture, or are refused; or the chat template fails.
    """
    name = profile.ref.reference
    require_whole(profile)
    if profile.task is not Task.GENERATION:
        raise UsageError(
            f"{name} is no language model: its architecture is {profile.architecture}",
            hint="Give a model whose architecture ends in ForCausalLM.",
        )
    require_tokenizer(profile)
    place = pick_room(device)
    opened = open_weights(profile, LANGUAGE_MODEL, device=place, dtype=pick_dtype(dtype, place), kept=kept)
    return Writer(
        opened.model,
        opened.tokenizer,
        name=name,
        max_length=min(profile.max_length, max_length or profile.max_length),
        max_tokens=max_tokens,
        ends=_stated_ends(profile),
        template=template,
        template_file=next((file for file in profile.files if "chat_template." in file), "tokenizer_config.json"),
    )


def _stated_ends(profile: Profile) -> tuple[int, ...]:
    """The tokens that end an answer by generation_config.json; none where there is no such file.

    Raises:
        ModelError: the file changed since, or cannot be read.
    """
    if not any(file.endswith(GENERATION_CONFIG) for file in profile.files):
        return ()
    with small_files(profile) as private:
        if not (private / GENERATION_CONFIG).is_file():
            return ()
        try:
            stated = read_json(private / GENERATION_CONFIG).get("eos_token_id")
        except ModelError as error:
            raise ModelError(error.message.replace(str(private), profile.ref.reference), hint=error.hint) from error
    listed = stated if isinstance(stated, list) else [stated]
    return tuple(token for token in listed if isinstance(token, int) and not isinstance(token, bool))


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


def open_weights(profile: Profile, head: Head, *, device: str, dtype: str, kept: KeptBase | None = None) -> Opened:
    """Opens a profiled model and its tokenizer, in evaluation mode: the one way in which weights become a model.

    Args:
        profile: of the model, or of an adapter on its base; its files must still be the same.
        head: what the model is opened as.
        device: `cpu`, `cuda:0`, …; `cuda`: any GPU with room for it, or several.
        dtype: `float32`, `bfloat16` or `float16`; what an architecture keeps in float32 stays so.
        kept: where an adapter takes the place of the one before it, if both are of one base; the model that was opened
            by it before must not be asked any more.

    Raises:
        UsageError: the model is not of the head's task.
        ModelError: files changed since, do not fit the architecture, or are refused.
    """
    import torch

    name = profile.ref.reference
    if is_gguf(profile):
        return _from_gguf(profile, head, device=device, dtype=dtype, kept=kept)
    with quiet():
        with small_files(profile) as private:
            config = _config(profile, head, private)
            tokenizer = tokenizer_in(private, name)
        kind = _class_for(profile, head, config)
        how = (head, device, dtype)
        if kept is not None and (again := kept.swapped(profile, how)) is not None:
            return Opened(again, tokenizer)
        adapted = read_adapted(profile, keep=kept is not None) if profile.parts else None
        tensors = adapted.tensors if adapted is not None else read_weights(profile)
        weights = {key: Handed(tensors.pop(key)) for key in list(tensors)}
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
            missing = _missing(name, info, head)
            model = put(model, device, name)
            if adapted is not None:
                _require_used(name, info, adapted)
                if kept is not None:
                    kept.put(profile, how, model, adapted)
            return Opened(model, tokenizer, missing)
        except ModelError:
            raise
        except torch.OutOfMemoryError as error:
            raise ModelError(f"{name} does not fit into the memory of {device}", hint="Try --device cpu.") from error
        except Exception as error:
            raise unloadable(name, "its weights cannot be loaded", error) from error


def _from_gguf(profile: Profile, head: Head, *, device: str, dtype: str, kept: KeptBase | None) -> Opened:
    import torch

    name = profile.ref.reference
    if head != LANGUAGE_MODEL:
        raise UsageError(
            f"{name} is a GGUF file of a model that writes: no classifier can be made of it",
            hint="Give the safetensors that the file was converted from.",
        )
    if kept is not None:
        kept.close()
    try:
        with quiet(), private_gguf(profile, whole=True) as file:
            tokenizer = gguf_tokenizer(file, name)
            model, info = gguf_model(file, name, dtype)
            missing = _missing(name, info, head)
        return Opened(put(model, device, name), tokenizer, missing)
    except torch.OutOfMemoryError as error:
        raise ModelError(f"{name} does not fit into the memory of {device}", hint="Try --device cpu.") from error


def _config(profile: Profile, head: Head, private: Path) -> PretrainedConfig:
    """The config in a directory of verified files, with the head's labels."""
    from transformers import AutoConfig

    stated: dict[str, Any] = {}
    if head.labels:
        stated = {
            "num_labels": len(head.labels),
            "id2label": dict(enumerate(head.labels)),
            "label2id": {label: number for number, label in enumerate(head.labels)},
            "problem_type": SINGLE_LABEL,
        }
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            private, trust_remote_code=False, local_files_only=True, **stated
        )
    except Exception as error:
        raise unloadable(profile.ref.reference, "its config cannot be read", error, str(private)) from error
    if head.task is Task.CLASSIFICATION and not head.labels and config.num_labels != len(profile.labels):
        # The file names no labels, and the class's own default is another number than the head has rows.
        config.num_labels = len(profile.labels)
    return config


def _class_for(profile: Profile, head: Head, config: PretrainedConfig) -> Any:
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

    name, classifies = profile.ref.reference, head.task is Task.CLASSIFICATION
    classes: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING if classifies else MODEL_FOR_CAUSAL_LM_MAPPING
    try:
        found = classes[type(config)]
    except KeyError:
        raise ModelError(
            f"{name}: this version of transformers has no {'classifier' if classifies else 'language model'} of type "
            f"{profile.model_type!r}",
            hint="`auditor doctor` shows the version; a newer one may have it.",
        ) from None
    if reason := NOT_RUN.get(profile.model_type):
        raise ModelError(f"{name}: a classifier of type {profile.model_type!r} cannot be judged: {reason}", hint=OTHERS)
    return found[0] if isinstance(found, tuple) else found


def _missing(name: str, info: Mapping[str, Any], head: Head) -> tuple[str, ...]:
    """The weights that the files lack, where the head may be new.

    transformers fills what the files lack with fresh random weights and only warns; scanning such a model is vain.
    Buffers that the model computes itself are not among the missing.

    Raises:
        ModelError: part of the weights would be random numbers, or have other shapes.
    """
    missing = sorted(k for k in info["missing_keys"] if not k.endswith("position_ids"))
    if missing and not head.labels:
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
    return tuple(missing)


def _require_used(name: str, info: Mapping[str, Any], adapted: Adapted) -> None:
    """Raises:
    ModelError: the model that was made has no place for a tensor that the adapter changes.
    """
    if unused := sorted(adapted.firsts.keys() & set(info["unexpected_keys"])):
        raise ModelError(
            f"{name} changes tensors that the model of its task does not have: {_listed(unused)}",
            hint="Give the base that the adapter was trained on.",
        )


def _listed(names: list[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
