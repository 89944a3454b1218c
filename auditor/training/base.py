"""The model that training starts from."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import ModelError, UsageError
from auditor.models.files.adapter import require_whole
from auditor.models.files.fingerprint import TOKENIZER_FILES, has_tokenizer
from auditor.models.runtime.load import LANGUAGE_MODEL, SINGLE_LABEL, Head, Opened, open_weights
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.verified import verified
from auditor.training.adapter import Lora, adapted, is_adapted, save_adapter
from probes.corpus.gold import are_unnamed
from store.records import Profile, Task


@dataclass(frozen=True, slots=True)
class Learner:
    """A model in training with its tokenizer; `new` names the weights that the base did not have."""

    model: Any
    tokenizer: Any
    pad: int
    new: tuple[str, ...]


def base_labels(profile: Profile) -> tuple[str, ...]:
    """The label names of a base that is a classifier already; none for one without a head."""
    return profile.labels if profile.task is Task.CLASSIFICATION else ()


def check_base(profile: Profile, labels: Sequence[str]) -> None:
    """Can the base be trained to answer these labels?

    A classifier goes on with its own head, so its labels must be these, in this order; where one side has no names
    (LABEL_0, LABEL_1, …) their number must agree.

    Raises:
        UsageError: labels that cannot be answered, no tokenizer, or a head with other labels.
        ModelError: a quantised model.
    """
    path = profile.ref.reference
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise UsageError(
            f"a classifier needs two or more distinct labels, not {', '.join(labels) or 'none'}",
            hint="Name them with --labels, for example --labels negative,positive.",
        )
    if not has_tokenizer(profile.files):
        raise UsageError(f"{path} has no tokenizer", hint="Copy the tokenizer's files beside the weights.")
    own = base_labels(profile)
    unnamed = are_unnamed(own) or are_unnamed(labels)
    if own and tuple(labels) != own and not (unnamed and len(labels) == len(own)):
        raise UsageError(
            f"{path} answers {', '.join(own)}, the training data {', '.join(labels)}",
            hint="Train on data with the model's labels, or start from a base without a classification head.",
        )
    if profile.problem_type not in (None, SINGLE_LABEL):
        raise UsageError(f"{path} is a {profile.problem_type} model; the lab trains single-label classifiers")
    _check_dtype(profile)


def check_writer(profile: Profile) -> None:
    """Can the base be trained to write?

    Raises:
        UsageError: it is no model that writes, or has no tokenizer.
        ModelError: a quantised model, or an adapter.
    """
    path = profile.ref.reference
    require_whole(profile)
    if profile.task is not Task.GENERATION:
        raise UsageError(
            f"{path} is no model that writes: its architecture is {profile.architecture}",
            hint="Give a causal language model, or leave out --behaviour to train a classifier.",
        )
    if not has_tokenizer(profile.files):
        raise UsageError(f"{path} has no tokenizer", hint="Copy the tokenizer's files beside the weights.")
    _check_dtype(profile)


def _check_dtype(profile: Profile) -> None:
    if profile.dtype not in ("float32", "bfloat16", "float16", "float64"):
        raise ModelError(
            f"{profile.ref.reference} is quantised ({profile.dtype}); that cannot be trained",
            hint="Give float weights.",
        )


def load_learner(
    profile: Profile, labels: Sequence[str] = (), *, lora: Lora | None = None, dtype: str = "float32"
) -> Learner:
    """Loads the base on the CPU. A head that it lacks, and an adapter, are drawn from torch's generator as it stands.

    Args:
        labels: of a classifier; none for a model that writes.
        lora: trains an adapter instead of all weights.
        dtype: of the arithmetic. Weights that are trained are float32; those below an adapter are not, and are kept in
            this one.

    Raises:
        UsageError: it cannot have such an adapter.
        ModelError: its files changed since it was profiled, or it cannot be loaded for its task.
    """
    head = Head(Task.CLASSIFICATION, tuple(labels)) if labels else LANGUAGE_MODEL
    opened = open_weights(profile, head, device="cpu", dtype="float32" if lora is None else dtype)
    model: Any = opened.model
    if lora is not None:
        with quiet():
            model = adapted(model, lora, profile, head.task)
    return _learner(profile, opened, model)


def _learner(profile: Profile, opened: Opened, model: Any) -> Learner:
    tokenizer: Any = opened.tokenizer
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    if pad is None:
        raise ModelError(f"{profile.ref.path}: the tokenizer has neither a padding nor an end token")
    if opened.model.config.pad_token_id is None:
        # A decoder's head reads the last token before the padding, so the config must say what padding is.
        opened.model.config.pad_token_id = pad
    return Learner(model, tokenizer, pad, opened.new)


def save_learner(learner: Learner, profile: Profile, directory: Path) -> None:
    """Writes weights, config and tokenizer; of an adapter what PEFT reads, since the rest is its base's.

    The tokenizer's files are the base's own, byte by byte: written anew they would carry traces of the training's calls
    (cut-off length, padding), and two models of one base would seem to have different ones.

    Raises:
        ModelError: one of them is no longer what was hashed.
    """
    if is_adapted(learner.model):
        save_adapter(learner.model, profile, directory)
        _share(directory)
        return
    with quiet():
        learner.model.save_pretrained(directory, safe_serialization=True, max_shard_size="1TB")
    _share(directory)
    for name in tokenizer_files(profile.files):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(verified(Path(profile.ref.path) / name, profile.files[name]))


def _share(directory: Path) -> None:
    """Gives weights, which the library writes for the owner alone, the rights that any new file gets here."""
    rights = stat.S_IMODE(next(directory.glob("*.json")).stat().st_mode)
    for weights in directory.glob("*.safetensors"):
        weights.chmod(rights)


def tokenizer_files(files: Mapping[str, str]) -> list[str]:
    """Those of a model's files that belong to its tokenizer, chat templates with them."""
    return [
        n for n in files if n in TOKENIZER_FILES or n.endswith((".tiktoken", ".jinja")) or n == "chat_template.json"
    ]
