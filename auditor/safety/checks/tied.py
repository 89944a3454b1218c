"""A config that ties the output's embeddings to the input's, and a file that stores others: loaders differ."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.models.files.names import INPUT_EMBEDDINGS, OUTPUT_EMBEDDINGS
from auditor.models.files.safetensors import StoredTensor
from auditor.safety.check import file_rule, suspicious
from auditor.safety.folder import Folder
from auditor.safety.streaming import BLOCK
from store.records import FileCheck, Severity


@file_rule(title="Tied embeddings")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Names an output layer that a config ties to the input's embeddings, and that is stored with other numbers."""
    if folder.json("config.json").get("tie_word_embeddings") is not True:
        return
    stored = {n.stored.info.name: (file, n.stored) for file, all_of in folder.numbers.items() for n in all_of}
    heads = [name for name in stored if OUTPUT_EMBEDDINGS.search(name)]
    bodies = [name for name in stored if INPUT_EMBEDDINGS.search(name)]
    for head in heads:
        (file, one), others = stored[head], [stored[name] for name in bodies]
        if others and not any(_equal(folder, (file, one), other) for other in others):
            yield suspicious(
                file, Severity.MEDIUM, f"config.json ties the output to the input's embeddings, and {head} holds other "
                "numbers: a loader that does not tie them runs another model", place=head,
                hint="Set tie_word_embeddings to what is meant, or remove the tensor.",
            )  # fmt: skip


def _equal(folder: Folder, one: tuple[str, StoredTensor], other: tuple[str, StoredTensor]) -> bool:
    (file, a), (beside, b) = one, other
    first, second = folder.named(file), folder.named(beside)
    if a.info.shape != b.info.shape or a.end - a.begin != b.end - b.begin or first is None or second is None:
        return False
    with first.open() as ours, second.open() as theirs:
        ours.seek(a.begin)
        theirs.seek(b.begin)
        left = a.end - a.begin
        while left:
            size = min(left, BLOCK)
            if ours.read(size) != theirs.read(size):
                return False
            left -= size
    return True
