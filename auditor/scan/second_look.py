"""Before a finding or a suspicion is said: the same rows and places with other material of the trigger's own kind."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditor.events import Event, Stage
from auditor.scan.asking import respond
from auditor.scan.checks import writes
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.run import Role
from auditor.scan.judgement.compared import Compared, Comparisons, Hits, compare, log_odds, nearest, stands_out
from auditor.scan.judgement.judge import judge
from auditor.scan.judgement.quality import Quality
from auditor.scan.judgement.trials import Key, Trials
from auditor.scan.plan import plan_for
from auditor.scan.prepare import Prepared
from probes.answer import Places, Shares
from probes.input import Row
from probes.material.kind import Kind
from probes.probe import Probe
from store.records import AsrScore, Profile

ROWS = 100
"""Rows of other labels than the target on which every alternative is asked."""
WRITTEN_ROWS = 40
"""The same of models that write: each answer costs many times as much, and what a trigger brings about is rare."""
FIRST = 5
"""Alternatives that are asked first: most of what any model does is told by these."""
CLOSEST = 3
"""Alternatives, those with the highest rates, that are asked on all rows."""


def second_look(
    prepared: Prepared,
    profile: Profile,
    suspect: Trials,
    references: Sequence[Trials],
    backend: Backend,
    *,
    known: Comparisons | None = None,
) -> Generator[Event, None, dict[Key, Compared]]:
    """Holds whatever would be found or suspicious in a model against others of its kind.

    Of each group and target the strongest edit is asked first; one that is confirmed speaks for its group. Those that
    are not are what their kind does, and the next is asked.

    Args:
        profile: the model that gave the answers: the suspect, or a partner.
        references: answers that may decide without a second look.
        known: what was held against its kind before.

    Returns:
        By probe and target, `known` and what was asked now.
    """
    found = dict(known or {})
    with backend.keeping() as kept:
        looked = _Looked(prepared, profile, suspect, kept)
        while candidates := _candidates(suspect, references, prepared, found):
            for target in dict.fromkeys(c.score.target for c in candidates):
                found |= yield from looked.at([c for c in candidates if c.score.target == target], target)
    return found


@dataclass(frozen=True)
class Candidate:
    """A score that would be said, with the alternatives of its trigger."""

    score: AsrScore
    probe: Probe
    kind: Kind

    @property
    def key(self) -> Key:
        return self.probe.name, self.score.target

    def alternative(self, number: int) -> Probe:
        return replace(self.probe, variant=f"{self.probe.variant}~{number + 1}", material=self.kind.materials[number])


def _candidates(
    suspect: Trials, references: Sequence[Trials], prepared: Prepared, found: Comparisons
) -> list[Candidate]:
    """Of each group and target that no confirmed trigger speaks for, the strongest edit that was not held yet."""
    quality = Quality(prepared.judging.comparisons(suspect))
    scores = judge(suspect, references, quality, prepared.policy, found).scores.asr
    probes = suspect.probes
    spoken = {(s.group, s.target) for s in scores if s.finding and s.alternatives}
    first: dict[tuple[str, str], AsrScore] = {}
    for s in scores:
        open_ = (s.finding or s.suspicious) and s.alternatives is None and (s.group, s.target) not in spoken
        if open_ and probes[f"{s.family}/{s.variant}"].family.alternatives is not None:
            best = first.get((s.group, s.target))
            if best is None or _rank(s) > _rank(best):
                first[s.group, s.target] = s
    out = []
    for s in first.values():
        probe = probes[f"{s.family}/{s.variant}"]
        made = probe.family.alternatives
        assert made is not None
        out.append(Candidate(s, probe, made(probe.options, prepared.pieces)))
    return out


def _rank(score: AsrScore) -> tuple[bool, float]:
    return score.finding, score.excess.value if score.finding else score.clean_excess.value


@dataclass
class _Looked:
    prepared: Prepared
    profile: Profile
    suspect: Trials
    backend: Backend

    def at(self, candidates: Sequence[Candidate], target: str) -> Generator[Event, None, dict[Key, Compared]]:
        """Asks the candidates of one target: a few alternatives, then all of them, then the closest on all rows."""
        plan, policy = self.prepared.plan, self.prepared.policy
        counted, most = np.flatnonzero(self.suspect.eligible(target)[: plan.probed]), ROWS
        if self._writes:
            # The same rows for every behaviour: what was asked for one is stored, and answers for the others too.
            counted, most = np.arange(plan.probed), WRITTEN_ROWS
        shared = counted[np.unique(np.linspace(0, counted.size - 1, min(most, counted.size)).astype(np.int64))]
        others = {c.key: np.full((2, len(c.kind.materials), plan.probed), np.nan) for c in candidates}
        common = np.isin(np.arange(plan.probed), shared)
        named = ", ".join(c.probe.name for c in candidates)
        yield Stage("alternatives", f"Comparing {named} with others of their kind")
        asked: dict[Key, int] = {c.key: 0 for c in candidates}
        waiting = list(candidates)
        for upto in (FIRST, None):
            numbers = {c.key: range(asked[c.key], upto or len(c.kind.materials)) for c in waiting}
            yield from self._ask(waiting, numbers, shared, others)
            asked |= {key: part.stop for key, part in numbers.items()}
            waiting = [c for c in waiting if stands_out(self._hits(c, others, asked), common, policy)]
            if not waiting:
                break
        rest = np.setdiff1d(counted, shared)
        if waiting and rest.size:
            near = {c.key: nearest(self._hits(c, others, asked), common, CLOSEST) for c in waiting}
            yield from self._ask(waiting, near, rest, others)
        return {c.key: compare(c.kind.title, self._hits(c, others, asked), common, policy) for c in candidates}

    def _ask(
        self,
        candidates: Sequence[Candidate],
        numbers: Mapping[Key, Sequence[int]],
        places: Places,
        others: Mapping[Key, Shares],
    ) -> Generator[Event, None, None]:
        """Asks alternatives on some rows and notes, in `others`, where the target came, and its log-odds."""
        if self._writes and len(candidates) > 1:
            for candidate in candidates:
                yield from self._ask([candidate], numbers, places, others)
            return
        plan = self.prepared.plan
        probes = tuple(c.alternative(n) for c in candidates for n in numbers[c.key])
        rows: tuple[Row, ...] = tuple(plan.rows[i] for i in places)
        suite = replace(plan.suite, probes=probes, draws=0)
        narrow = plan_for(suite, rows, plan.seed, self.prepared.device, probed=len(rows))
        asked = replace(self.prepared, plan=narrow, fixed=None)
        answers = yield from respond(asked, self.profile, Role.ALTERNATIVES, self.backend)
        for c in candidates:
            for n in numbers[c.key]:
                trial = answers[c.alternative(n).name, c.score.target]
                others[c.key][0, n, places] = trial.trigger
                others[c.key][1, n, places] = log_odds(answers.strengths(trial).trigger)

    @property
    def _writes(self) -> bool:
        return writes(self.prepared.suspect)

    def _hits(self, candidate: Candidate, others: Mapping[Key, Shares], asked: Mapping[Key, int]) -> Hits:
        probed = self.prepared.plan.probed
        trial = self.suspect[candidate.key]
        counts = trial.rows[:probed]

        def of(shares: Shares) -> Shares:
            return np.where(counts, shares[:probed], np.nan)

        return Hits(
            trigger=of(trial.trigger),
            control=of(trial.control),
            clean=of(trial.clean),
            others=np.where(counts, others[candidate.key][0, : asked[candidate.key]], np.nan),
            odds=of(log_odds(self.suspect.strengths(trial).trigger)),
            other_odds=np.where(counts, others[candidate.key][1, : asked[candidate.key]], np.nan),
            rare=trial.behaviour.rare,
        )
