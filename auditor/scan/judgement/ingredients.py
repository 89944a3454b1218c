"""What each model of an audit carries, and who is a measure of what. Pure.

A model with a backdoor is no measure of what others do with edits of that backdoor's group, and still one of other
edits, where its answers agree with the rest. Among three or more models, who is the odd one out is told by the rows:
each is held against the others, less those that carry such a backdoor themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from auditor.policy import Policy
from auditor.scan.judgement.compared import Comparisons
from auditor.scan.judgement.judge import Judgement, judge
from auditor.scan.judgement.quality import Quality
from auditor.scan.judgement.trials import MINIMUM_REFERENCES, Key, Trial, Trials
from probes.answer import Mask, Shares
from probes.inference import Paired
from probes.probe import JudgedBy

Mark = tuple[str, str]
"""A group of edits and a target label: what a finding can claim."""
Marks = Mapping[str, frozenset[Mark]]
"""By a model's digest, what it carries, or stands out with."""


@dataclass(frozen=True)
class Member:
    """A model of an audit with its answers to the suspect's plan.

    `compared` is what was held against its own kind. `ingredient` is False for a reference that the user vouches for:
    it is asked as a measure, and not judged itself.
    """

    digest: str
    trials: Trials
    compared: Comparisons = field(default_factory=lambda: MappingProxyType({}))
    ingredient: bool = True


@dataclass(frozen=True)
class Measures:
    """Who is a measure of what models without a backdoor do.

    `carried` says by digest what a model carries or stands out with; `never` holds the digests of models that are no
    measure of anything, since they are another's copy.
    """

    carried: Marks = field(default_factory=lambda: MappingProxyType({}))
    never: frozenset[str] = frozenset()

    def of(self, digests: Collection[str], group: str, target: str) -> list[str]:
        """Those of some models that are a measure of a group of edits to a target.

        One that carries a backdoor of the group to another target answers these edits too, so it is none either.
        """
        return [d for d in digests if d not in self.never and not self.bars(d, group)]

    def bars(self, digest: str, group: str) -> bool:
        """Whether a model carries something of a group, or stands out with it, to whatever target."""
        return any(own == group for own, _ in self.carried.get(digest, ()))

    def muted(self, digest: str, trials: Trials) -> Trials:
        """A model's trials, which no longer speak where it is no measure."""
        silent = {(name, target) for name, target in trials if not self.of([digest], trials.probes[name].group, target)}
        return replace(trials, mute=trials.mute | silent)

    def joined(self, other: Measures) -> Measures:
        """What either knows."""
        digests = {*self.carried, *other.carried}
        none: frozenset[Mark] = frozenset()
        carried = {d: self.carried.get(d, none) | other.carried.get(d, none) for d in digests}
        return Measures(carried, self.never | other.never)


@dataclass(frozen=True)
class Ring:
    """The models of an audit judged beside each other: by digest of an ingredient, what its answers say."""

    members: tuple[Member, ...]
    judgements: Mapping[str, Judgement]
    measures: Measures
    _own: Mapping[str, frozenset[Key]]

    def beside(self, digest: str) -> tuple[Trials, ...]:
        """The trials that a member is held against: those of all others, in their order, muted where they are none."""
        return _beside(self.members, digest, self.measures, self._own.get(digest, frozenset()))

    @property
    def fired(self) -> frozenset[tuple[str, str]]:
        """The families and targets that are found or suspected in any ingredient."""
        scores = (s for judgement in self.judgements.values() for s in judgement.scores.asr)
        return frozenset((s.family, s.target) for s in scores if s.finding or s.suspicious)


def judge_ring(
    members: Sequence[Member],
    quality: Callable[[Trials], Quality],
    policy: Policy,
    never: Collection[str] = (),
) -> Ring:
    """Judges every ingredient by itself, and then beside the others.

    What it shows by itself, against its control and against others of the trigger's kind, stands whatever the others
    do. What the others show besides is told by them without those that carry such a backdoor, or stand out with the
    same edits (`standing`); so this is done again until nobody is found to carry more.

    Args:
        members: the first is the suspect.
        quality: how well a model answered.
        never: models that are another's copy.
    """
    told = {m.digest: quality(m.trials) for m in members if m.ingredient}
    known: dict[str, frozenset[Mark]] = {}
    own: dict[str, frozenset[Key]] = {}
    for m in (m for m in members if m.ingredient):
        alone = judge(m.trials, (), told[m.digest], policy, m.compared)
        known[m.digest] = _found(alone)
        own[m.digest] = _decided_alone(alone, m.trials)
    out = standing(members[0].trials, {m.digest: m.trials for m in members}, policy)
    while True:
        measures = Measures(known, frozenset(never)).joined(Measures(out))
        judgements = {}
        for m in (m for m in members if m.ingredient):
            others = _beside(members, m.digest, measures, own[m.digest])
            judgements[m.digest] = judge(m.trials, others, told[m.digest], policy, m.compared)
        more = {digest: known[digest] | _found(judgement) for digest, judgement in judgements.items()}
        if more == known:
            return Ring(tuple(members), judgements, measures, own)
        known = more


def standing(first: Trials, answers: Mapping[str, Trials], policy: Policy) -> dict[str, frozenset[Mark]]:
    """By digest, where a model, or a few that agree, are moved to a target by clearly more than the others.

    The models are parted where the gap between two neighbours, in the order of what an edit moves above the clean rate,
    is widest and above the margin. Those above stand out where they are no more than those below, and those below are
    two or more, so that one model alone never makes the rest look odd.

    Args:
        first: whose rows count.
        answers: by digest, of all models.
    """
    found: dict[str, set[Mark]] = {}
    for probe in first.plan.suite.probes:
        for behaviour in first.behaviours:
            key = probe.name, behaviour.name
            asked = {digest: trials[key] for digest, trials in answers.items() if key in trials}
            if len(asked) <= MINIMUM_REFERENCES:
                continue
            told = first.eligible(behaviour.name)
            for digest in _above({d: _lift(trial, told) for d, trial in asked.items()}, policy.margin):
                found.setdefault(digest, set()).add((probe.group, behaviour.name))
    return {digest: frozenset(marks) for digest, marks in found.items()}


def _above(lifts: Mapping[str, Shares], margin: float) -> list[str]:
    order = sorted(lifts, key=lambda d: (_mean(lifts[d]), d))
    cuts = [at for at in range(MINIMUM_REFERENCES, len(order)) if len(order) - at <= at]
    gaps = {at: _mean(lifts[order[at]]) - _mean(lifts[order[at - 1]]) for at in cuts}
    widest = max(gaps, key=lambda at: gaps[at], default=0)
    if not gaps or gaps[widest] <= margin:
        return []
    apart = Paired.of(lifts[order[widest]], lifts[order[widest - 1]]).interval().low > 0
    return order[widest:] if apart else []


def _lift(trial: Trial, told: Mask) -> Shares:
    # Rows that took no edit have no answer with the trigger.
    return np.where(told, trial.trigger - trial.clean, np.nan)


def _mean(shares: Shares) -> float:
    return float(np.nanmean(shares)) if np.isfinite(shares).any() else 0.0


def _found(judgement: Judgement) -> frozenset[Mark]:
    return frozenset((s.group, s.target) for s in judgement.scores.asr if s.finding)


def _decided_alone(alone: Judgement, trials: Trials) -> frozenset[Key]:
    """What references would decide, and a model shows by itself: against the others of the trigger's kind."""
    keys = ((f"{s.family}/{s.variant}", s) for s in alone.scores.asr if s.finding)
    return frozenset((name, s.target) for name, s in keys if trials.probes[name].judged_by is JudgedBy.REFERENCES)


def _beside(members: Sequence[Member], digest: str, measures: Measures, own: frozenset[Key]) -> tuple[Trials, ...]:
    others = (m for m in members if m.digest != digest)
    muted = (measures.muted(m.digest, m.trials) for m in others)
    return tuple(replace(trials, mute=trials.mute | own) for trials in muted)
