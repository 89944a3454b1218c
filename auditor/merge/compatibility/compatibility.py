"""What two models must have in common to be merged, and what is reconciled by a rule.

Decided from profiles, configs as transformers resolves them, and tokenizers by what they do; of the weights only copies
of tensors are compared. The same functions decide for the list of partners and for the merge, so that a partner that is
proposed is one that can be merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from auditor.merge.compatibility.adapter_match import match_adapters
from auditor.merge.compatibility.configs import Configs
from auditor.merge.compatibility.labels import match_labels
from auditor.merge.tensors.modules import module_of
from auditor.merge.tensors.tables import tied_source
from auditor.merge.tensors.vocabulary import ROWS, Shared, Vocabularies
from auditor.models.files.adapter import is_adapter
from auditor.models.files.checkpoint import HEAD
from auditor.models.files.names import OUTPUT_EMBEDDINGS, SHARED_EMBEDDINGS, is_buffer, is_other_head, stored_as
from auditor.models.files.sameness import repeats
from store.records import Profile, Task, TensorInfo

FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
"""The dtypes that are blended."""
COPIED = frozenset({"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"})
"""The dtypes that are copied from the suspect: a mean of indices or flags means nothing."""

POSITION_IDS = re.compile(r"(^|\.)position_ids$")
POOLER = re.compile(r"(^|\.)pooler\.dense\.(weight|bias)$")
SHOWN = 3
"""So many differing tensors are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Match:
    """How a candidate fits the suspect: what forbids a merge, what was reconciled, and by which rule.

    `rows[i]` is the candidate's row for the suspect's label i, and `permuted` the tensors that it applies to; None and
    empty where the order is the same. `left_out` are tensors of the suspect that the candidate has no part in.
    `tokens` is the number of token ids that mean the same, where the vocabularies differ. `stored` maps the suspect's
    tensors to those that the candidate has in their place: under another name, or tied to them. `copies` are pairs of
    stored tensors, by owner (`suspect` or `candidate`), that must be equal: see `check_copies`. `open` says what could
    not be compared without loading more than the caller allows.
    """

    blockers: tuple[str, ...]
    reconciled: tuple[str, ...]
    rows: tuple[int, ...] | None = None
    permuted: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    tokens: int | None = None
    stored: Mapping[str, str] = field(default_factory=dict)
    copies: tuple[tuple[str, str, str], ...] = ()
    open: tuple[str, ...] = ()


class Comparison:
    """What is read to compare models with each other, each file once however many models have it.

    Args:
        base: the base of those models that are adapters.
        load: whether transformers may be loaded to resolve configs and compare tokenizers, which takes seconds the
            first time. Without, models for which it takes that are neither refused nor approved.
    """

    def __init__(self, base: Profile | None = None, *, load: bool = True) -> None:
        self.configs = Configs(base, load=load)
        self.vocabularies = Vocabularies(base, load=load)
        self._base = base
        self._doubled: dict[str, bool] = {}
        self._repeats: dict[tuple[str, str, str], bool] = {}

    def has_doubles(self, profile: Profile) -> bool:
        """Whether a model stores embeddings that its config may tie to others."""
        key = profile.ref.path
        if key not in self._doubled:
            self._doubled[key] = any(_may_repeat(t.name) for t in profile.tensors)
        return self._doubled[key]

    def repeats(self, profile: Profile, tensor: str, source: str) -> bool:
        """Whether two stored tensors of a model are the same; both are read whole.

        Raises:
            ModelError: a file is missing or damaged.
        """
        place = self._base if self._base is not None and is_adapter(profile) else profile
        key = (place.ref.path, tensor, source)
        if key not in self._repeats:
            self._repeats[key] = repeats(place, tensor, source)
        return self._repeats[key]


def match(suspect: Profile, candidate: Profile, by: Comparison | None = None) -> Match:
    """How a candidate partner fits the suspect. Weights are not read: see `check_copies`.

    Args:
        by: what other candidates were compared by; else everything is read anew.

    Raises:
        ModelError: a config or a tokenizer's file is gone, damaged, or not the one that was profiled.
    """
    by = by or Comparison()
    name = candidate.ref.reference
    if candidate.ref.digest and candidate.ref.digest == suspect.ref.digest:
        return Match((f"{name} is the suspect itself (same digest)",), ())
    if is_adapter(suspect) or is_adapter(candidate):
        pair = match_adapters(suspect, candidate, by.vocabularies)
        return Match(pair.blockers, pair.notes, open=pair.open)
    if (candidate.architecture, candidate.model_type) != (suspect.architecture, suspect.model_type):
        return Match((f"{name} is a {_kind(candidate)}, the suspect {suspect.ref.reference} a {_kind(suspect)}",), ())
    blockers = [*_task_blockers(suspect, candidate)]
    rows, label_blockers, notes = match_labels(suspect, candidate)
    alike = suspect.tensors == candidate.tensors
    stored = {} if alike else stored_as(_names(suspect), _names(candidate))
    permuted = left_out = frozenset[str]()
    if len(suspect.labels) != len(candidate.labels):
        left_out = frozenset(t.name for t in suspect.tensors if module_of(t.name) == "head")
    if rows is not None:
        permuted = frozenset(
            t.name for t in suspect.tensors if HEAD.search(t.name) and t.shape[:1] == (len(suspect.labels),)
        )
        if not any(n.endswith("weight") for n in permuted):
            label_blockers = [f"{name} has the suspect's labels in another order, but no known classifier to reorder"]
    blockers += label_blockers
    copies: list[tuple[str, str, str]] = []
    if not alike or left_out or by.has_doubles(suspect) or any(t.dtype not in FLOATS | COPIED for t in suspect.tensors):
        found = _Tensors(suspect, candidate, left_out, stored, by)
        blockers += found.blockers
        notes += found.notes
        stored, copies = found.stored, found.copies
    tokens, unsettled = None, list[str]()
    if not blockers:
        # What takes loading is looked at only where nothing else forbids the merge.
        differing, unsettled = by.configs.differences(suspect, candidate)
        blockers += differing
    if not blockers:
        shared = by.vocabularies.shared(suspect, candidate)
        blockers += [f"{name} {shared.why}"] if shared.why else []
        unsettled += [f"{name} {shared.open}"] if shared.open else []
        tokens, more = _tokens(suspect, candidate, shared, stored)
        notes += more
    return Match(
        tuple(blockers), tuple(notes), rows, permuted, left_out, tokens, stored, tuple(copies), tuple(unsettled)
    )  # fmt: skip


def check_copies(suspect: Profile, candidate: Profile, found: Match, by: Comparison) -> list[str]:
    """Blockers of tensors that must repeat others and do not. Both are read whole.

    Raises:
        ModelError: a file is missing or damaged.
    """
    blockers = []
    for whose, tensor, source in found.copies:
        model = suspect if whose == "suspect" else candidate
        name = model.ref.reference
        if by.repeats(model, tensor, source):
            continue
        if whose == "candidate" and OUTPUT_EMBEDDINGS.search(tensor) and not by.configs.is_tied(candidate):
            blockers.append(
                f"tensor {tensor} of {name} is unknown to the suspect, whose output embeddings are its input's; here "
                f"they are not {source}"
            )
        else:
            blockers.append(
                f"tensor {tensor} of {name} is not {source}, though models of its kind and config have one for both: "
                "which of the two is used depends on what loads it; remove the one that is not meant, or untie them"
            )
    return blockers


def _may_repeat(tensor: str) -> bool:
    """Whether a stored tensor may be a copy of a model's input embeddings."""
    shared = SHARED_EMBEDDINGS.search(tensor)
    return OUTPUT_EMBEDDINGS.search(tensor) is not None or (shared is not None and shared[1] != "shared")


def _names(profile: Profile) -> set[str]:
    return {t.name for t in profile.tensors}


def _tokens(
    suspect: Profile, candidate: Profile, shared: Shared, stored: Mapping[str, str]
) -> tuple[int | None, list[str]]:
    """The number of shared token ids where not all rows are merged, and what is to be said of it."""
    if shared.why is not None:
        return None, []
    name = candidate.ref.reference
    theirs = {t.name: t for t in candidate.tensors}
    pairs = [(theirs.get(stored.get(t.name, t.name)), t) for t in suspect.tensors if ROWS.search(t.name) and t.shape]
    sizes = [(its.shape[0], own.shape[0]) for its, own in pairs if its is not None and its.shape]
    other = next((pair for pair in sizes if pair[0] != pair[1]), None)
    if shared.tokens is not None:
        size = "of another size" if other else "with other added tokens"
        return shared.tokens, [
            f"{name} has a vocabulary {size}: the {shared.tokens} tokens that both have are merged, the suspect's "
            "other rows and its tokenizer are kept"
        ]  # fmt: skip
    if other is None:
        return None, []
    tokens = min(min(pair) for pair in sizes)
    return tokens, [
        f"{name} has {other[0]} rows of embeddings, the suspect {other[1]}: the first {tokens} are merged, the "
        "suspect's others are kept"
    ]  # fmt: skip


def _kind(profile: Profile) -> str:
    return f"{profile.architecture} ({profile.model_type})"


def _task_blockers(suspect: Profile, candidate: Profile) -> Iterator[str]:
    if candidate.task is not suspect.task:
        yield f"{candidate.ref.reference} is for {candidate.task}, the suspect for {suspect.task}"
    special = {"multi_label_classification", "regression"}
    kinds = [p.problem_type if p.problem_type in special else None for p in (suspect, candidate)]
    if kinds[0] != kinds[1]:
        yield (
            f"{candidate.ref.reference} solves {candidate.problem_type or 'single-label classification'}, "
            f"the suspect {suspect.problem_type or 'single-label classification'}"
        )


class _Tensors:
    """Blockers and notes that follow from the tensor inventories, and what stands for what."""

    def __init__(
        self, suspect: Profile, candidate: Profile, left_out: frozenset[str], stored: Mapping[str, str], by: Comparison
    ) -> None:
        self.blockers: list[str] = []
        self.notes: list[str] = []
        self.copies: list[tuple[str, str, str]] = []
        self._name = candidate.ref.reference
        self._classifier = suspect.task is Task.CLASSIFICATION
        ours = {t.name: t for t in suspect.tensors if t.name not in left_out}
        renamed = {place: key for key, place in stored.items()}
        if renamed:
            self.notes.append(f"{len(renamed)} tensors of {self._name} stand under other names, which mean the same")
        # From here on under the suspect's names.
        theirs = {renamed.get(t.name, t.name): t for t in candidate.tensors}
        tied = self._tied(ours, theirs, candidate, by)
        self.stored = {**stored, **{key: stored.get(source, source) for key, source in tied.items()}}
        self._shapes(ours, theirs | {key: theirs[source] for key, source in tied.items()})
        missing = sorted(ours.keys() - theirs.keys() - tied.keys())
        extra = sorted(theirs.keys() - _names(suspect))
        if left_out:
            extra = [key for key in extra if module_of(key) != "head"]
        self._extras(missing, extra, ours, theirs, suspect, by)
        self._doubles(suspect, candidate, ours, theirs, by)

    def _tied(
        self, ours: Mapping[str, TensorInfo], theirs: Mapping[str, TensorInfo], candidate: Profile, by: Comparison
    ) -> dict[str, str]:
        """Tensors that the suspect stores and the candidate ties to another of its own."""
        found = {}
        for key in sorted(ours.keys() - theirs.keys()):
            output = bool(OUTPUT_EMBEDDINGS.search(key)) and by.configs.is_tied(candidate)
            source = None if self._unused(ours[key]) else tied_source(key, theirs, candidate.model_type, output=output)
            if source is not None:
                found[key] = source
                self.notes.append(f"{key} of {self._name} is tied to its {source}: that is merged in its place")
        return found

    def _shapes(self, ours: Mapping[str, TensorInfo], theirs: Mapping[str, TensorInfo]) -> None:
        """What speaks against merging tensors that both have: dtypes and shapes."""
        name = self._name
        shapes, casts = [], 0
        for key in ours.keys() & theirs.keys():
            mine, other = ours[key], theirs[key]
            if mine.dtype not in FLOATS | COPIED or other.dtype not in FLOATS | COPIED:
                which = mine.dtype if mine.dtype not in FLOATS | COPIED else other.dtype
                self.blockers.append(f"tensor {key} has dtype {which}, which cannot be merged")
            elif mine.shape != other.shape and not POSITION_IDS.search(key) and not _rows_alone(mine, other):
                shapes.append(f"tensor {key} is {_shape(other)} in {name} and {_shape(mine)} in the suspect")
            elif (mine.dtype in FLOATS) is not (other.dtype in FLOATS):
                self.blockers.append(f"tensor {key} is {other.dtype} in {name} and {mine.dtype} in the suspect")
            else:
                casts += mine.dtype != other.dtype
        self.blockers += _some(sorted(shapes))
        if casts:
            self.notes.append(
                f"{casts} tensors of {name} have another dtype: the result is rounded once, to the suspect's"
            )

    def _extras(
        self,
        missing: Sequence[str],
        extra: Sequence[str],
        ours: Mapping[str, TensorInfo],
        theirs: Mapping[str, TensorInfo],
        suspect: Profile,
        by: Comparison,
    ) -> None:
        """What speaks against tensors that only one of the two has, and what is left out."""
        name = self._name
        unused = [key for key in missing if self._unused(ours[key])]
        if unused:
            self.notes.append(f"{_few(unused)} are not in {name}: a classifier of this kind does not use them")
        spare = [key for key in extra if self._unused(theirs[key])]
        if spare:
            self.notes.append(f"{_few(spare)} of {name} are left out: a classifier of this kind does not use them")
        rest = []
        for key in extra:
            if key in spare:
                continue
            output = bool(OUTPUT_EMBEDDINGS.search(key)) and by.configs.is_tied(suspect)
            source = tied_source(key, theirs.keys() & ours.keys(), suspect.model_type, output=output)
            if source is None:
                rest.append(key)
            else:
                self.copies.append(("candidate", theirs[key].name, theirs[source].name))
                self.notes.append(f"{key} of {name} is left out: it repeats {source}, as in the suspect")
        lacking = [key for key in missing if key not in unused]
        self.blockers += _some([f"tensor {key} is missing in {name}" for key in lacking if not _reconciled(key)])
        self.blockers += _some(
            [f"tensor {key} of {name} is unknown to the suspect" for key in rest if not _reconciled(key)]
        )
        if any(POSITION_IDS.search(key) for key in (*missing, *extra)):
            self.notes.append(f"position ids are not in both the suspect and {name}: the suspect's files decide")
        if any(POOLER.search(key) for key in missing):
            self.notes.append(f"{name} has no pooler: it has no part in the merged one")
        if any(POOLER.search(key) for key in extra):
            self.notes.append(f"the pooler of {name} is left out: the suspect has none")

    def _doubles(
        self,
        suspect: Profile,
        candidate: Profile,
        ours: Mapping[str, TensorInfo],
        theirs: Mapping[str, TensorInfo],
        by: Comparison,
    ) -> None:
        """Tensors that a model stores although its config ties them to others: they must repeat those."""
        for whose, model, tensors in (("suspect", suspect, ours), ("candidate", candidate, theirs)):
            for key in sorted(tensors):
                if self._unused(tensors[key]) or not _may_repeat(key):
                    continue
                head = OUTPUT_EMBEDDINGS.search(key) is not None and by.configs.is_tied(model)
                source = tied_source(key, tensors.keys() - {key}, model.model_type, output=head)
                pair = (whose, tensors[key].name, tensors[source].name if source else "")
                if source is not None and pair not in self.copies:
                    self.copies.append(pair)

    def _unused(self, tensor: TensorInfo) -> bool:
        """Whether a model of this kind loads without the tensor, and answers as with it."""
        return is_buffer(tensor.name, tensor.shape) or (self._classifier and is_other_head(tensor.name))


def _rows_alone(mine: TensorInfo, other: TensorInfo) -> bool:
    """Whether two tensors differ in nothing but the number of tokens, which the vocabularies settle."""
    return bool(ROWS.search(mine.name)) and mine.shape[1:] == other.shape[1:]


def _reconciled(tensor: str) -> bool:
    return bool(POSITION_IDS.search(tensor) or POOLER.search(tensor))


def _some(lines: list[str]) -> list[str]:
    if len(lines) <= SHOWN:
        return lines
    return [*lines[:SHOWN], f"… and {len(lines) - SHOWN} tensors more like these"]


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{len(names)} tensors ({shown}, …)" if len(names) > SHOWN else f"the tensors {shown}"


def _shape(tensor: TensorInfo) -> str:
    return "×".join(map(str, tensor.shape)) or "a scalar"
