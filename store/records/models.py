"""What a model is, read from its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """What a model is for."""

    CLASSIFICATION = "text-classification"
    GENERATION = "text-generation"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a model's files: name, shape, and the dtype as safetensors writes it (F32, BF16, …)."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A resolved reference: what the user named, where it lies, and what it is.

    `revision` is the hub commit (None for a path); `digest` covers every file that can change behaviour.
    """

    reference: str
    path: str
    digest: str
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRead:
    """What of a model's files was read for a scan, and how; the report's `model.read`.

    Attributes:
        weights: names of the weight files.
        tokenizer: the class that was loaded and the file that its vocabulary is from.
        padding: the pad token with its id, what states it, and the side on which it is put.
        window: tokens that the model takes of an input.
        window_from: what states them.
        labels_from: whence the label names are.
        notes: sentences on whatever else was decided in reading.
    """

    weights: tuple[str, ...] = ()
    tokenizer: str = ""
    padding: str = ""
    window: int = 0
    window_from: str = ""
    labels_from: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What a model's files say of it, read without loading it.

    `files` maps each file that can change behaviour to its SHA-256; `signature` is the digest of the tensor inventory
    (names and shapes, without dtypes); `max_length` is the number of tokens it takes; `base` the base model's name
    if stated; `read` says what was read and how, as far as files alone tell. `parts` are the adapter and the base where
    an adapter on its base is one model, both plain profiles; `files` then has names below `adapter/` and `base/`.
    """

    ref: ModelRef
    architecture: str
    model_type: str
    task: Task
    labels: tuple[str, ...]
    problem_type: str | None
    parameters: int
    dtype: str
    max_length: int
    vocabulary: int
    tensors: tuple[TensorInfo, ...]
    signature: str
    tokenizer_digest: str
    files: Mapping[str, str]
    base: str | None = None
    licence: str | None = None
    read: ModelRead = ModelRead()
    parts: tuple[Profile, ...] = ()
