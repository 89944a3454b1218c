"""The model that training starts from."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import ModelError, UsageError
from auditor.models.files.fingerprint import TOKENIZER_FILES, has_tokenizer
from auditor.models.runtime.load import SINGLE_LABEL, Head, open_weights
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.verified import verified
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
    if profile.dtype not in ("float32", "bfloat16", "float16", "float64"):
        raise ModelError(f"{path} is quantised ({profile.dtype}); that cannot be trained", hint="Give float weights.")


def load_learner(profile: Profile, labels: Sequence[str]) -> Learner:
    """Loads the base in float32 on the CPU. A head that it lacks is drawn from torch's generator as it stands.

    Raises:
        ModelError: its files changed since it was profiled, or it cannot be loaded as a classifier.
    """
    opened = open_weights(profile, Head(Task.CLASSIFICATION, tuple(labels)), device="cpu", dtype="float32")
    tokenizer: Any = opened.tokenizer
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    if pad is None:
        raise ModelError(f"{profile.ref.path}: the tokenizer has neither a padding nor an end token")
    if opened.model.config.pad_token_id is None:
        # A decoder's head reads the last token before the padding, so the config must say what padding is.
        opened.model.config.pad_token_id = pad
    return Learner(opened.model, tokenizer, pad, opened.new)


def save_learner(learner: Learner, profile: Profile, directory: Path) -> None:
    """Writes weights, config and tokenizer.

    The tokenizer's files are the base's own, byte by byte: written anew they would carry traces of the training's calls
    (cut-off length, padding), and two models of one base would seem to have different ones.

    Raises:
        ModelError: one of them is no longer what was hashed.
    """
    with quiet():
        learner.model.save_pretrained(directory, safe_serialization=True, max_shard_size="1TB")
    # The library writes weights for the owner alone; the config has the rights that any new file gets here.
    rights = stat.S_IMODE((directory / "config.json").stat().st_mode)
    for weights in directory.glob("*.safetensors"):
        weights.chmod(rights)
    for name in tokenizer_files(profile.files):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(verified(Path(profile.ref.path) / name, profile.files[name]))


def tokenizer_files(files: Mapping[str, str]) -> list[str]:
    """Those of a model's files that belong to its tokenizer, chat templates with them."""
    return [
        n for n in files if n in TOKENIZER_FILES or n.endswith((".tiktoken", ".jinja")) or n == "chat_template.json"
    ]
