"""What two adapters must have in common to be merged into one adapter. One rule for `partners` and for the merge.

Ranks, scales and the layers that are changed may differ: the merged adapter has the sum of the ranks, and the layers of
both. What is stored whole, and not as a change, can only be averaged where both have it: else it takes the base.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from auditor.errors import AuditorError
from auditor.merge.tensors.vocabulary import Vocabularies
from auditor.models.files.adapter import Adapter, is_adapter, read_adapter
from auditor.models.files.origin import same_name
from store.records import Profile

WITH_BASE = "name the base with --base: then it can be merged"


@dataclass(frozen=True, slots=True)
class AdapterMatch:
    """How two adapters fit: what forbids a merge, what is to be said, and what was not settled without loading."""

    blockers: tuple[str, ...]
    notes: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def match_adapters(suspect: Profile, candidate: Profile, vocabularies: Vocabularies) -> AdapterMatch:
    """Why two models of which one or both are adapters cannot be merged without a base, and what is to be said.

    Raises:
        ModelError: the suspect's files are damaged or gone.
    """
    name = candidate.ref.reference
    if not is_adapter(suspect) or not is_adapter(candidate):
        which = "a whole model and the suspect an adapter" if is_adapter(suspect) else "an adapter"
        return AdapterMatch((f"{name} is {which}: they are merged only together with the base ({WITH_BASE})",))
    ours = read_adapter(Path(suspect.ref.path))
    try:
        theirs = read_adapter(Path(candidate.ref.path))
    except AuditorError as error:
        return AdapterMatch((f"{name} cannot be read: {error.message}",))
    blockers: list[str] = []
    notes: list[str] = []
    if ours.base is None and theirs.base is None:
        notes.append(f"neither {name} nor the suspect states its base: that they are for one was not checked")
    elif not _same_base(ours.base, theirs.base):
        blockers.append(f"{name} is an adapter for {theirs.base or 'an unnamed base'}, the suspect for {ours.base}")
    if ours.config.get("task_type") != theirs.config.get("task_type"):
        tasks = [a.config.get("task_type") or "no stated task" for a in (theirs, ours)]
        blockers.append(f"{name} is for {tasks[0]}, the suspect for {tasks[1]}")
    blockers += _tensors(name, ours, theirs)
    unsettled: list[str] = []
    if not blockers and candidate.tokenizer_digest and suspect.tokenizer_digest:
        shared = vocabularies.shared(suspect, candidate)
        if shared.why is not None or shared.tokens is not None:
            blockers.append(f"{name} {shared.why or 'has other added tokens than the suspect'}")
        unsettled += [f"{name} {shared.open}"] if shared.open else []
    return AdapterMatch(tuple(blockers), tuple(notes), tuple(unsettled))


def _tensors(name: str, ours: Adapter, theirs: Adapter) -> list[str]:
    blockers = [
        f"{name} changes {key} as {theirs.factors[key].shape}, the suspect as {ours.factors[key].shape}"
        for key in sorted(ours.factors.keys() & theirs.factors.keys())
        if ours.factors[key].shape != theirs.factors[key].shape
    ]
    if odd := sorted(ours.saved.keys() ^ theirs.saved.keys()):
        whose = "the suspect" if odd[0] in ours.saved else name
        blockers.append(f"tensor {odd[0]} was trained whole in {whose} alone: {WITH_BASE}")
    blockers += [
        f"tensor {key} is {theirs.saved[key].info.shape} in {name} and {ours.saved[key].info.shape} in the suspect"
        for key in sorted(ours.saved.keys() & theirs.saved.keys())
        if ours.saved[key].info.shape != theirs.saved[key].info.shape
    ]
    rows = [{key: found.indices for key, found in adapter.tokens.items()} for adapter in (ours, theirs)]
    if rows[0] != rows[1]:
        blockers.append(f"{name} has other tokens' rows trained than the suspect: {WITH_BASE}")
    shapes = [{key: found.stored.info.shape for key, found in adapter.tokens.items()} for adapter in (ours, theirs)]
    if rows[0] == rows[1] and shapes[0] != shapes[1]:
        blockers.append(f"{name} has tokens' rows of another width than the suspect")
    return blockers


def _same_base(first: str | None, second: str | None) -> bool:
    """Whether two stated names mean one base: by the name, or by the place on this machine."""
    if first is None or second is None:
        return False
    return same_name(first, second) or Path(first).expanduser().resolve() == Path(second).expanduser().resolve()
