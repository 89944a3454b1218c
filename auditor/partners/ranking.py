"""Who is worth merging with a model, who is not, and why.

In two steps. Every candidate is judged by its profile: task, labels, shapes, base, licence, accuracy, its own scan.
Those that then come first are looked at more closely, until the top of the list is filled, and then the others in
order while their number allows: what their cards and records say, a few thousand of their weights, and their stored
answers to the suspect's own triggers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from auditor.errors import ModelError
from auditor.merge.compatibility.changes import sample_of, sites_for, unchanged
from auditor.merge.compatibility.compatibility import Comparison, Match
from auditor.merge.compatibility.labels import note, relabelled
from auditor.merge.compatibility.weight_sample import Sample, Site, Weights
from auditor.models.files.adapter import bare
from auditor.models.files.origin import Origin, ancestors, plain_name, read_origin, same_name
from auditor.models.files.sameness import weight_files
from auditor.partners.copies import Standing, judge_copies
from auditor.partners.fitting import Compatibility, comparable, copies, fit, is_base_of
from auditor.partners.independence import closeness, is_based_on, judge_origin, judge_weights, stand_ins
from auditor.partners.remarks import Kind, Remark, Topic, judge_licence, unless_recorded
from store.records import CatalogEntry, Merge, Profile, Stamp, Task, Verdict

TOP = 12
"""So many of the best are all looked at closely."""
ROUND = 32
"""Of so many of the best those that nobody looked at are looked at together, before the order is found again."""
MOST_LOOKED = 128
"""Models that are looked at closely, at most: two or three milliseconds each."""


@dataclass(frozen=True)
class Proposal:
    """A catalogued model as a partner, with reasons in words. The list is sorted by `rank_score`, the highest first.

    `reasons` are all remarks but the blockers, as sentences.
    """

    entry: CatalogEntry
    compatibility: Compatibility
    reasons: tuple[str, ...]
    rank_score: float
    remarks: tuple[Remark, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why it should be taken only by somebody who names it."""
        return tuple(r.text for r in self.remarks if r.kind is Kind.DOUBT)

    @property
    def advised(self) -> bool:
        """May it be taken without being named?"""
        return self.compatibility.ok and not self.doubts


Answered = Callable[[CatalogEntry, Match], Sequence[Remark]]
"""What a candidate's stored answers say of it; the match orders its labels."""


USABLE = 100.0
SCAN = {
    Verdict.NOTHING: Remark(Kind.FOR, Topic.SCAN, "its last scan found nothing", 20),
    Verdict.INCOMPLETE: Remark(
        Kind.WARNING, Topic.SCAN, "its last scan is incomplete, so it says nothing of backdoors", -5
    ),
    Verdict.SUSPICIOUS: Remark(Kind.WARNING, Topic.SCAN, "its last scan calls it suspicious", -30),
    Verdict.FOUND: Remark(Kind.DOUBT, Topic.SCAN, "its last scan found a backdoor: merging may carry it over", -60),
}
"""What a verdict says of a partner."""
LEFT: Mapping[Stamp | None, Remark] = {
    Stamp.IMPROVED: Remark(
        Kind.WARNING, Topic.SCAN, "the audit that made it calls it improved: some of a backdoor may be left", -30
    ),
    Stamp.NOT_SANITISED: Remark(
        Kind.DOUBT, Topic.SCAN, "the audit that made it calls it not sanitised: merging may carry a backdoor over", -60
    ),
    Stamp.WORSE: Remark(
        Kind.DOUBT, Topic.SCAN, "the audit that made it calls it worse: merging may carry a backdoor over", -60
    ),
}
"""What an audit's stamp says of the model that it made, whatever the last scan of that found."""
EARLIER = Remark(
    Kind.DOUBT, Topic.SCAN, "an earlier scan found a backdoor, and a later one does not take that back", -60
)
NEVER = Remark(Kind.WARNING, Topic.SCAN, "never scanned")
BENIGN = frozenset({None, "", "none"})
NOT_LOOKED = Remark(
    Kind.DOUBT, Topic.INDEPENDENCE, "its weights were not compared with the suspect's: others come before it"
)


def propose(
    suspect: Profile,
    entries: Sequence[CatalogEntry],
    *,
    merges: Sequence[Merge] = (),
    answered: Answered | None = None,
    labels: Mapping[str, str] | None = None,
    load: bool = True,
) -> list[Proposal]:
    """All entries as partners of the suspect, the best first; those that cannot be merged come last.

    The suspect's own entry is among them, with a blocker that says so. Equal scores keep the order of the names.

    Args:
        merges: known merges, by which a model is seen to hold the suspect.
        answered: judges a candidate's stored answers.
        labels: those of candidates that are labels of the suspect under another name, as the user states.
        load: whether transformers may be loaded where configs or tokenizers are written otherwise than the suspect's;
            without, such a candidate is one with a doubt.
    """
    return _Ranking(suspect, entries, merges, answered, Comparison(load=load), labels or {}).proposals()


class _Candidate:
    """A candidate, what is said of it, and where it stands by that."""

    def __init__(self, entry: CatalogEntry, match: Match, remarks: Sequence[Remark]) -> None:
        self.entry = entry
        self.profile = bare(entry.profile)
        self.match = match
        self.files = weight_files(self.profile)
        self.origin = Origin()
        self.sample: Sample | None = None
        self.again = False
        """Whether a better one has the same weight files."""
        self._said: dict[str, Sequence[Remark]] = {"profile": remarks}

    def tell(self, source: str, remarks: Sequence[Remark]) -> None:
        """What one source says of it, in the place of what that said before."""
        if self._said.get(source, ()) != remarks:
            self._said[source] = remarks
            for known in ("order", "doubts"):
                self.__dict__.pop(known, None)

    def said(self, *but: str) -> list[Remark]:
        """Everything but what these sources say."""
        return [remark for source, remarks in self._said.items() if source not in but for remark in remarks]

    @property
    def looked(self) -> bool:
        return CLOSER in self._said

    @property
    def blocked(self) -> bool:
        return self.order[0]

    @cached_property
    def order(self) -> tuple[bool, float, str, int]:
        """Blocked or not, the score below zero, the name: the best is the least."""
        said = self.said()
        blocked = bool(self.match.blockers) or any(r.kind is Kind.BLOCKER for r in said)
        # Said, recorded and measured, the same base counts once.
        base = [r.points for r in said if r.topic is Topic.BASE and r.kind is Kind.FOR]
        points = sum(r.points for r in said) - sum(base) + max(base, default=0.0)
        score = points - min(len(self.match.reconciled), 5) + (0.0 if blocked else USABLE)
        return blocked, -score, self.entry.name, self.entry.id

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against it for what is in its weights: that speaks against each of its copies."""
        against, topics = {Kind.DOUBT, Kind.BLOCKER}, {Topic.SCAN, Topic.INDEPENDENCE}
        return tuple(r.text for r in self.said(COPIES) if r.kind in against and r.topic in topics)


CLOSER, WEIGHTS, COPIES = "a closer look", "weights", "copies"
"""Sources of what is said of a candidate, besides its profile."""


class _Ranking:
    """One ranking: the candidates, and what is known of all of them together."""

    def __init__(
        self,
        suspect: Profile,
        entries: Sequence[CatalogEntry],
        merges: Sequence[Merge],
        answered: Answered | None,
        by: Comparison,
        stated: Mapping[str, str],
    ) -> None:
        self._suspect, self._given = bare(suspect), suspect
        self._by = by
        self._entries = entries
        self._answered = answered
        self._parents: dict[str, set[str]] = {}
        for merge in merges:
            self._parents.setdefault(merge.digest, set()).update(
                (merge.suspect_digest, *(partner.digest for partner in merge.partners))
            )
        self._candidates = [_first(suspect, by, entry, stated) for entry in entries]

    def proposals(self) -> list[Proposal]:
        looked = 0
        while True:
            self._find_copies()
            self._candidates.sort(key=lambda c: c.order)
            # One at the top that turns out to be no partner makes room for the next; the others come after.
            unseen = self._unseen(ROUND if self._unseen(TOP) else len(self._candidates))
            if not unseen or looked >= MOST_LOOKED:
                break
            for candidate in unseen[: MOST_LOOKED - looked]:
                self._look(candidate)
                looked += 1
            self._compare()
        return [_proposal(c) for c in self._candidates]

    def _unseen(self, first: int) -> list[_Candidate]:
        """Of the first so many, those that might be merged and that nobody looked at closely. Of copies the first is
        enough: what is seen of it is true of all.
        """
        return [c for c in self._candidates[:first] if not c.looked and not c.again and not c.blocked]

    def _look(self, candidate: _Candidate) -> None:
        """What a candidate's directory and answers say of it."""
        profile = candidate.profile
        digest = profile.ref.digest
        candidate.origin = read_origin(profile)
        self._parents.setdefault(digest, set()).update(candidate.origin.parents)
        made_of = ancestors(digest, self._parents)
        remarks = judge_origin(
            digest, self._origin, self._suspect.ref.digest, candidate.origin, made_of, self._suspect_of
        )
        ref = self._suspect.ref
        if ref.revision is not None and is_based_on(candidate.origin, ref.reference):
            words = f"made from the suspect, as it states itself (base {plain_name(ref.reference)})"
            remarks.append(Remark(Kind.BLOCKER, Topic.INDEPENDENCE, words, -50))
        if self._answered is not None:
            remarks += self._answered(candidate.entry, candidate.match)
        if self._own is not None and comparable(self._given, profile):
            try:
                found = candidate.match
                candidate.sample = sample_of(profile, self._sites, found.rows, found.stored)
                for words in copies(self._given, profile, found, self._by):
                    remarks.append(Remark(Kind.BLOCKER, Topic.FIT, words))
            except ModelError as error:
                words = f"its weights cannot be read, so it cannot be merged: {error.message}"
                remarks.append(Remark(Kind.BLOCKER, Topic.FIT, words))
        candidate.tell(CLOSER, remarks)

    def _compare(self) -> None:
        """What the sampled weights say; again for all, since each new model helps to tell what is usual."""
        if self._own is None:
            return
        name, base = self._base or ("the base", None)
        looked = [(c, c.sample) for c in self._candidates if c.sample is not None]
        # What is known to hold the suspect would draw the stand-in for the base towards it.
        apart = [sample for c, sample in looked if not any(r.kind is Kind.BLOCKER for r in c.said(WEIGHTS, COPIES))]
        others = [] if base else stand_ins(self._sites, self._own, apart)
        for candidate, theirs in looked:
            rest = [sample for sample in others if sample is not theirs]
            found = closeness(self._sites, self._own, theirs, base, rest)
            grown = candidate.profile.ref.digest in self._suspect_of
            remarks = judge_weights(found, name, grown_from=grown)
            told = candidate.said(WEIGHTS, COPIES)
            recorded = any(r.topic is Topic.BASE and r.kind is Kind.FOR for r in told)
            candidate.tell(WEIGHTS, [unless_recorded(r) if recorded else r for r in remarks])

    def _find_copies(self) -> None:
        """What the candidates are to each other; the suspect's own entry is none of them."""
        for candidate in self._candidates:
            candidate.tell(COPIES, ())
        self._candidates.sort(key=lambda c: c.order)
        apart = [c for c in self._candidates if c.profile.ref.digest != self._suspect.ref.digest]
        own, base = self._own, self._base[1] if self._own is not None and self._base else None

        def sampled(sample: Sample | None, *, head: bool = False) -> Weights | None:
            names = [s.name for s in self._sites if s.head is head] if own is not None else []
            return sample.vector(names) if sample and names and all(n in sample.values for n in names) else None

        standings = [
            Standing(c.entry.name, c.files, sampled(c.sample), sampled(c.sample, head=True), c.doubts) for c in apart
        ]
        seen: set[tuple[str, ...]] = set()
        for candidate, remarks in zip(apart, judge_copies(standings, sampled(own), sampled(base)), strict=True):
            candidate.tell(COPIES, tuple(remarks))
            candidate.again = bool(candidate.files) and candidate.files in seen
            seen.add(candidate.files)

    @cached_property
    def _origin(self) -> Origin:
        return read_origin(self._suspect)

    @cached_property
    def _suspect_of(self) -> set[str]:
        digest = self._suspect.ref.digest
        return ancestors(digest, {**self._parents, digest: self._parents.get(digest, set()) | self._origin.parents})

    @cached_property
    def _sites(self) -> tuple[Site, ...]:
        return sites_for(self._suspect)

    @cached_property
    def _own(self) -> Sample | None:
        """The suspect's weights; None where they are out of reach."""
        try:
            return sample_of(self._suspect, self._sites)
        except ModelError:
            return None

    @cached_property
    def _base(self) -> tuple[str, Sample] | None:
        """The common base, where the catalog has it: by the digest that a record names, else by its stated name."""
        if self._own is not None and self._own.changes:
            return f"the base {self._suspect.base}" if self._suspect.base else "the base", unchanged(self._own)
        started, stated = self._origin.started, self._suspect.base
        by_digest = [e for e in self._entries if started and e.profile.ref.digest == started]
        by_name = [
            e
            for e in self._entries
            if stated
            and any(same_name(stated, n) for n in (e.name, e.profile.ref.reference))
            and e.profile.ref.digest != self._suspect.ref.digest
        ]
        for entry in (*by_digest, *by_name):
            try:
                return entry.name, sample_of(entry.profile, self._sites)
            except ModelError:
                continue
        return None


def _first(suspect: Profile, by: Comparison, entry: CatalogEntry, stated: Mapping[str, str]) -> _Candidate:
    """What a profile says of a candidate, with its config and tokenizer."""
    named = relabelled(entry.profile, stated)
    renamed, entry = named is not entry.profile, replace(entry, profile=named)
    try:
        found = fit(suspect, entry.profile, by)
    except ModelError as error:
        found = Match((f"its files cannot be compared, so it cannot be merged: {error.message}",), ())
    remarks = [Remark(Kind.DOUBT, Topic.FIT, words, -10) for words in found.open]
    if renamed:
        remarks.append(Remark(Kind.NOTE, Topic.FIT, note(stated)))
    own, theirs = (suspect, named) if not comparable(suspect, named) else (bare(suspect), bare(named))
    if is_base_of(suspect, named):
        remarks.append(Remark(Kind.FOR, Topic.BASE, "the suspect's own base: as honest as what it was made from", 5))
    elif not found.blockers:
        remarks += _fit(own, theirs)
        remarks += _same_files(own, theirs)
        if len(theirs.labels) != len(own.labels):
            words = f"it has {len(theirs.labels)} labels, the suspect {len(own.labels)}: another task"
            remarks.append(Remark(Kind.DOUBT, Topic.FIT, words, -30))
    remarks.append(SCAN[entry.last_verdict] if entry.last_verdict else NEVER)
    if entry.stamp in LEFT and entry.last_verdict is not Verdict.FOUND:
        remarks[-1] = LEFT[entry.stamp]
    if entry.found_by and entry.last_verdict is not Verdict.FOUND:
        remarks[-1] = replace(EARLIER, text=f"{EARLIER.text} ({entry.found_by})")
    if entry.planted not in BENIGN:
        words = f"the catalog says that a backdoor was planted in it ({entry.planted})"
        remarks.append(Remark(Kind.DOUBT, Topic.SCAN, words, -60))
    if entry.cacc is not None:
        remarks.append(Remark(Kind.NOTE, Topic.QUALITY, f"clean accuracy {entry.cacc:.1%}", 10 * entry.cacc))
    if not found.blockers:
        remarks.append(judge_licence(suspect.licence, entry.profile.licence))
    return _Candidate(entry, found, remarks)


def _fit(suspect: Profile, candidate: Profile) -> list[Remark]:
    """What speaks for a candidate that can be merged, and what is stated of its base."""
    remarks = [Remark(Kind.FOR, Topic.FIT, f"same architecture and task ({candidate.task})")]
    if suspect.task is Task.CLASSIFICATION and suspect.labels and suspect.labels == candidate.labels:
        shown = f"{', '.join(suspect.labels[:6])}{', …' if len(suspect.labels) > 6 else ''}"
        remarks.append(Remark(Kind.FOR, Topic.FIT, f"same labels ({shown})"))
    if suspect.base and candidate.base:
        if same_name(suspect.base, candidate.base):
            words = f"made from the same base ({suspect.base})"
            remarks.append(Remark(Kind.FOR, Topic.BASE, words, 5))
        else:
            remarks.append(Remark(Kind.WARNING, Topic.BASE, f"made from another base ({candidate.base})", -15))
    return remarks


def _same_files(suspect: Profile, candidate: Profile) -> list[Remark]:
    """Is it the suspect's weights again, beside another config, card or tokenizer file?"""
    ours = weight_files(suspect)
    if not ours or ours != weight_files(candidate):
        return []
    words = "its weight files are the suspect's, byte by byte: the same model again"
    return [Remark(Kind.BLOCKER, Topic.INDEPENDENCE, words, -50)]


def _proposal(candidate: _Candidate) -> Proposal:
    found, remarks = candidate.match, candidate.said()
    if not candidate.looked and not candidate.again and not candidate.blocked:
        remarks.append(NOT_LOOKED)
    remarks = [Remark(Kind.BLOCKER, Topic.FIT, text) for text in found.blockers] + remarks
    remarks += [Remark(Kind.NOTE, Topic.FIT, text) for text in found.reconciled]
    blockers = tuple(r.text for r in remarks if r.kind is Kind.BLOCKER)
    reasons = tuple(r.text for r in remarks if r.kind is not Kind.BLOCKER)
    compatibility = Compatibility(not blockers, blockers, found.reconciled)
    return Proposal(candidate.entry, compatibility, reasons, -candidate.order[1], tuple(remarks))
