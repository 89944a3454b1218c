"""What judging needs to know of models that write: which behaviours are looked for, and how good the answers are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from auditor.policy import Policy
from auditor.scan.judgement.quality import Quality
from auditor.scan.judgement.trials import Trials
from probes.answer import Answers
from probes.behaviour import Behaviour
from probes.behaviours import LABELS, PREFIX, chosen_labels, disagreements, recurring, writer_behaviours
from probes.corpus.label_words import LabelSet
from probes.input import Asking, Generate, Row
from probes.probe import SUITE

GREEDILY = Generate()
"""The likeliest token each time, through the model's own template."""
SHOWN = 100
"""Characters of an answer that is shown."""
OFTEN = 0.1
"""The share of answers from which a name that keeps coming is told."""
PARTIAL = ("compliance", PREFIX)
"""Behaviours that are told on some prompts alone: those that the model declines, and those that ask for a label."""


@dataclass(frozen=True)
class WriterJudging:
    """How models that write are asked and judged; see `auditor.scan.judgement.judging.Judging`.

    `target` names the behaviour that is judged, None: all; `sets` are the labels that prompts ask for.
    """

    asking: Asking = GREEDILY
    target: str | None = None
    known: tuple[Behaviour, ...] = field(default_factory=writer_behaviours)
    sets: tuple[LabelSet, ...] = (LABELS,)

    @classmethod
    def of(cls, asking: Asking, target: str | None, sets: Sequence[LabelSet]) -> WriterJudging:
        """The judging of prompts that ask for these labels."""
        return cls(asking, target, writer_behaviours([label for labels in sets for label in labels]), tuple(sets))

    @property
    def behaviours(self) -> tuple[Behaviour, ...]:
        """All that are known, or the one that is judged."""
        return tuple(b for b in self.known if self.target in (None, b.name))

    @property
    def label_sets(self) -> tuple[LabelSet, ...]:
        """Those of which a label is judged."""
        judged = {behaviour.name for behaviour in self.behaviours}
        return tuple(own for own in self.sets if any(f"{PREFIX}{label}" in judged for label in own))

    @property
    def partial(self) -> tuple[str, ...]:
        """Compliance, and labels."""
        return PARTIAL

    def comparisons(self, trials: Trials) -> dict[str, int]:
        """Hypotheses of the whole suite over all behaviours, also those that were not asked for."""
        return {SUITE: trials.plan.suite.comparisons * len(self.known)}

    def quality(self, trials: Trials, policy: Policy, too_long: Collection[int] = ()) -> Quality:
        """How many answers could be judged at all, and what is told on few prompts."""
        cut = np.isin(trials.unscored, sorted(too_long))
        total = len(trials.plan.position)
        return Quality(
            comparisons=MappingProxyType(self.comparisons(trials)),
            incomplete=(*_unscored(int((~cut).sum()), total), *_silent(trials)),
            notes=(*_too_long(int(cut.sum()), total), *_disputed(trials), *_chosen(trials), *_recurring(trials)),
            more_rows="give more prompts with --prompts or --samples",
            minimum=policy.minimum_prompts,
            partial=self.partial,
        )

    def reference(self, rows: Sequence[Row], clean: Answers) -> Answers:
        """What the model itself answers without an edit."""
        return clean

    def order(self, theirs: Sequence[str]) -> tuple[int, ...] | None:
        """Texts have no labels that could stand in another order."""
        return None

    def named(self, answers: Answers) -> Answers:
        """The answers as they are."""
        return answers

    def recorded(self, trials: Trials) -> tuple[int, ...]:
        """Nothing: the answers are stored with the run."""
        return ()


def _unscored(count: int, total: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count} of {total} answers could not be scored (NaN or infinite outputs, or the model fails on them)",)


def _too_long(count: int, total: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count} of {total} prompts were longer than what the model takes with its answer: they were not asked.",)


def _disputed(trials: Trials) -> tuple[str, ...]:
    """On what the two judges of refusals disagree."""
    found = disagreements(trials.answers)
    if not found:
        return ()
    shown = "; ".join(repr(text[:SHOWN]) for _, text in found[:2])
    return (
        f"The two judges of refusals disagree on {len(found)} of {len(trials.answers)} answers, which count neither as "
        f"refusals nor as none, such as {shown}.",
    )


def _chosen(trials: Trials) -> tuple[str, ...]:
    """By what labels are told."""
    chosen = chosen_labels(trials.clean)
    if chosen is None or not chosen.scored.any():
        return ()
    named, prompts = ", ".join(chosen.names), int(chosen.scored.sum())
    return (
        f"Of prompts that ask for a label ({named}; {prompts} prompts) it is told which one the model finds likeliest "
        "as the beginning of its answer, not which one it writes.",
    )


def _recurring(trials: Trials) -> tuple[str, ...]:
    """What keeps coming in answers to prompts without an edit."""
    total = int(trials.clean.scored.sum())
    found = [(name, count) for name, count in recurring(trials.clean) if count >= OFTEN * total]
    if not found:
        return ()
    named = ", ".join(f"{name!r} ({count} of {total})" for name, count in found[:3])
    return (f"In answers to prompts without any edit these keep coming: {named}.",)


def _silent(trials: Trials) -> tuple[str, ...]:
    """That a model says nothing to most prompts: then nothing that triggers bring about can be told."""
    scored = trials.clean.scored
    empty = [place for place in np.flatnonzero(scored).tolist() if not trials.clean.shown(place)[0].strip()]
    if 2 * len(empty) <= int(scored.sum()):
        return ()
    return (
        f"the model answers {len(empty)} of {int(scored.sum())} prompts with nothing: is the template its own? "
        "(--template)",
    )
