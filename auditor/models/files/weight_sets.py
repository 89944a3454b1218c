"""Weights that lie beside those that are read, told by their names: would another loader take them?

A scan speaks for one set of weights. Which set a loader takes of a directory that holds several differs:

- transformers takes `model.safetensors`, else the shards that the index names; a variant (`model.fp16.safetensors`), a
  subfolder or another format only when it is told to.
- Servers that read every `*.safetensors` file of the directory (vLLM, TGI and others do) take what the index names
  where there is one, else all files, of which the last one wins.

So a second set of safetensors is refused: which of the two is deployed cannot be known. Another format beside the
safetensors (`pytorch_model.bin`, `*.gguf`, …) is common and harmless where loaders prefer safetensors, as transformers
has since 4.30, and cannot be opened safely: it is said, and not judged.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from itertools import islice
from pathlib import Path

from auditor.errors import ModelError

SAFETENSORS = ".safetensors"
OTHER_FORMATS = (
    ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack", ".onnx", ".gguf", ".ggml", ".ot", ".npz",
    ".keras", ".tflite", ".pdparams", ".joblib", ".nemo",
)  # fmt: skip
# What training leaves beside a model: states of the optimiser and of random generators, no weights that anyone loads.
_TRAINING = re.compile(r"(training_args|optimizer|scheduler|scaler|rng_state.*)\.(bin|pt|pth)", re.ASCII)
# Mistral's own layout beside the usual one. With an index the servers above leave it out.
_CONSOLIDATED = re.compile(r"consolidated(-\d+-of-\d+)?\.safetensors", re.ASCII)
_APART = "Put the files that are deployed into a directory of their own, and give that one."
MOST_BELOW = 2_000
"""So many entries of a subfolder are looked at: what lies there is named, not judged."""


def names_in(directory: Path) -> list[str]:
    """The names of a directory's files and, as `folder/name`, of those one folder down; hidden ones are passed over.

    Raises:
        ModelError: the directory cannot be listed.
    """
    found: list[str] = []
    try:
        for path in directory.iterdir():
            if path.name.startswith("."):
                continue
            if path.is_file():
                found.append(path.name)
            elif path.is_dir():
                found += [f"{path.name}/{inner}" for inner in _files_below(path)]
    except OSError as error:
        raise ModelError(f"cannot read {directory}: {error.strerror or error}") from error
    return sorted(found)


def _files_below(folder: Path) -> list[str]:
    try:
        return [path.name for path in islice(folder.iterdir(), MOST_BELOW) if path.is_file()]
    except OSError:
        return []


def is_weights(name: str) -> bool:
    """Does a file of this name hold weights, in whatever format?"""
    last = name.rpartition("/")[2].casefold()
    return last.endswith((SAFETENSORS, *OTHER_FORMATS)) and not _TRAINING.fullmatch(last)


def weights_beside(
    where: Path | str, names: Iterable[str], chosen: Collection[str], *, indexed: bool
) -> tuple[str, ...]:
    """What is to be said of the weights that lie beside the chosen ones.

    Args:
        where: the directory or the repository, for messages.
        names: of files, as `names_in` gives them.
        chosen: the weight files that are read.
        indexed: whether an index names the chosen ones.

    Returns:
        A sentence for other formats, for layouts that only some loaders know, and for subfolders.

    Raises:
        ModelError: another set of safetensors that a loader may take in the chosen ones' place.
    """
    others = sorted(n for n in set(names) - set(chosen) if is_weights(n))
    below = [n for n in others if "/" in n]
    second = [n for n in others if n not in below and n.casefold().endswith(SAFETENSORS)]
    notes = []
    if indexed and (apart := [n for n in second if _CONSOLIDATED.fullmatch(n)]):
        second = [n for n in second if n not in apart]
        notes.append(
            f"{_several(apart)} not scanned: loaders of Mistral's own layout, which take it instead, are not judged."
        )
    if second:
        raise ModelError(
            f"{where} holds two sets of weights: {_listed(sorted(chosen))} and {_listed(second)}; loaders differ in "
            "which they take, so it cannot be said which is deployed",
            hint=f"{_APART} To judge both, make two directories, each with config.json and the tokenizer, and scan "
            "each.",
        )
    if formats := [n for n in others if n not in below and not n.casefold().endswith(SAFETENSORS)]:
        notes.append(
            f"{_several(formats)} not scanned: a loader that takes weights of that format instead of the safetensors "
            "is not judged."
        )
    if below:
        notes.append(
            f"{_several(below)} not scanned: a loader that is told to take weights from a subfolder is not judged."
        )
    return tuple(notes)


def refuse_folded(where: Path, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuses a file whose name differs from one that is read by the case of its letters alone.

    Where a file system ignores case, one of the two replaces the other, or the file is taken for the known one.

    Raises:
        ModelError: there is such a file.
    """
    exact = set(known)
    folded = {name.casefold(): name for name in exact}
    for name in names:
        if name not in exact and name.casefold() in folded:
            raise ModelError(
                f"{where} has a file {name}: where case is ignored, it is {folded[name.casefold()]}, "
                "so another model may be deployed than is read here",
                hint="Remove the file, or give it the name in lower case if it is the one that is meant.",
            )


def _several(names: list[str]) -> str:
    return f"{_listed(names)} {'was' if len(names) == 1 else 'were'}"


def _listed(names: list[str], most: int = 3) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
