"""What judging needs to know of labels: which answers are looked for, and how good a classifier is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from auditor.policy import Policy
from auditor.scan.judgement.quality import Quality
from auditor.scan.judgement.trials import Trials, reference_of
from probes.answer import UNSCORED, Answers, Choices, Labels
from probes.behaviour import LabelIs
from probes.corpus.label_words import LabelSet
from probes.inference import chance_p_value, inverted_p_value, swapped
from probes.input import Choose, Row
from probes.probe import SUITE
from probes.rates import Rate
from store.records import Profile

NOT_JUDGEABLE = {"multi_label_classification": "multi-label", "regression": "regression"}


@dataclass(frozen=True)
class ClassifierJudging:
    """How classifiers with these labels are asked and judged; see `auditor.scan.judgement.judging.Judging`.

    `targets` are the indices of the labels that are judged, None: all.
    """

    labels: tuple[str, ...]
    targets: tuple[int, ...] | None = None

    @property
    def asking(self) -> Choose:
        """One of the labels."""
        return Choose()

    @property
    def behaviours(self) -> tuple[LabelIs, ...]:
        """A behaviour a target label."""
        return behaviours_of(self.labels, self.targets)

    @property
    def label_sets(self) -> tuple[LabelSet, ...]:
        """None: a classifier gives its labels as they are."""
        return ()

    @property
    def partial(self) -> tuple[str, ...]:
        """Every label is told on all rows of others."""
        return ()

    def comparisons(self, trials: Trials) -> dict[str, int]:
        """Hypotheses of the whole suite over all labels, also those that were not asked for."""
        return {SUITE: trials.plan.suite.comparisons * len(self.labels)}

    def quality(self, trials: Trials, policy: Policy, too_long: Collection[int] = ()) -> Quality:
        """See `quality_of`."""
        return quality_of(trials, self.labels, policy, too_long)

    def reference(self, rows: Sequence[Row], clean: Answers) -> Answers:
        """The gold labels, and where there is none what the model gives without an edit."""
        return reference_of(rows, clean)

    def order(self, theirs: Sequence[str]) -> tuple[int, ...] | None:
        """See `label_order`."""
        return label_order(theirs, self.labels)

    def named(self, answers: Answers) -> Answers:
        """The answers under the labels' names."""
        return replace(_choices(answers), names=self.labels)

    def recorded(self, trials: Trials) -> tuple[int, ...]:
        """The labels that the rows are held against, −1: none."""
        return tuple(_choices(trials.reference).labels.tolist())


def behaviours_of(labels: Sequence[str], targets: Sequence[int] | None = None) -> tuple[LabelIs, ...]:
    """A behaviour a target label; all labels unless told otherwise."""
    return tuple(LabelIs(t, labels[t]) for t in (range(len(labels)) if targets is None else targets))


def quality_of(trials: Trials, labels: Sequence[str], policy: Policy, too_long: Collection[int] = ()) -> Quality:
    """How good a classifier's answers are.

    Args:
        too_long: places among the plan's inputs of those that the model does not take whole: they are unscored for
            that alone.
    """
    choices = clean_choices(trials)
    gold = np.asarray([UNSCORED if r.label is None else r.label for r in trials.plan.rows], dtype=np.int64)
    cut = np.isin(trials.unscored, sorted(too_long))
    total = len(trials.plan.position)
    fitting = ", or edits that fit into what the model takes" if too_long else ""
    return Quality(
        comparisons=MappingProxyType({SUITE: trials.plan.suite.comparisons * len(labels)}),
        clean=_accuracy(gold, choices.labels),
        incomplete=(
            *_unscored(int((~cut).sum()), total),
            *_never(choices.labels, labels),
            *_unlike_gold(gold, choices.labels, labels, policy),
        ),
        notes=_too_long(int(cut.sum()), total),
        more_rows=f"give more rows of other labels with --data or --samples{fitting}",
    )


def clean_choices(trials: Trials) -> Choices:
    """A classifier's answers to the rows without an edit.

    Raises:
        TypeError: the model is no classifier.
    """
    return _choices(trials.clean)


def _choices(answers: object) -> Choices:
    if not isinstance(answers, Choices):
        raise TypeError(f"a classifier gives labels, not {type(answers).__name__}")
    return answers


def label_order(theirs: Sequence[str], ours: Sequence[str]) -> tuple[int, ...] | None:
    """Where each of another model's labels stands among the suspect's, None where the order is the same.

    A partner may have the same labels in another order; a merge reorders its head, so its answers are reordered too.
    """
    other, own = ([name.strip().casefold() for name in names] for names in (theirs, ours))
    if other == own or sorted(other) != sorted(own) or len(set(own)) < len(own):
        return None
    return tuple(own.index(name) for name in other)


def head_not_judgeable(profile: Profile) -> str | None:
    """Why a classifier's head cannot be judged at all, or None."""
    if profile.problem_type in NOT_JUDGEABLE:
        return (
            f"{profile.ref.reference} has a {NOT_JUDGEABLE[profile.problem_type]} head: only one label a text is judged"
        )
    if len(profile.labels) < 2:
        return f"{profile.ref.reference} has one output, a regression head: only one label of several is judged"
    return None


def _accuracy(gold: Labels, clean: Labels) -> Rate | None:
    known = gold != UNSCORED
    if not known.any():
        return None
    clean, gold = clean[known], gold[known]
    scored = clean != UNSCORED
    return Rate(int((clean[scored] == gold[scored]).sum()), int(scored.sum()), int((~scored).sum()))


def _unscored(count: int, total: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count} of {total} answers could not be scored (NaN or infinite outputs, or the model fails on them)",)


def _too_long(count: int, total: int) -> tuple[str, ...]:
    """What is said of edited texts that were still longer than what the model takes."""
    if not count:
        return ()
    return (
        f"{count} of {total} texts were longer than what the model takes once they were edited: they were not scored, "
        "and what this scan would have found is told for the others.",
    )


def _never(clean: Labels, labels: Sequence[str]) -> tuple[str, ...]:
    scored = clean[clean != UNSCORED]
    never = [name for label, name in enumerate(labels) if not (scored == label).any()]
    if not never or not scored.size:
        return ()
    return (
        f"on these {scored.size} rows the model never predicts {', '.join(never)}: "
        "what moves a text to a label cannot be judged; give rows of its own task with --data",
    )


def _unlike_gold(gold: Labels, clean: Labels, labels: Sequence[str], policy: Policy) -> tuple[str, ...]:
    known = (gold != UNSCORED) & (clean != UNSCORED)
    if not known.any():
        return ()
    reasons = []
    gold, clean = gold[known], clean[known]
    if chance_p_value(gold.tolist(), clean.tolist()) > policy.alpha:
        right = f"the accuracy on the gold labels, {int((gold == clean).sum())} of {int(known.sum())},"
        if inverted_p_value(gold.tolist(), clean.tolist()) <= policy.alpha:
            reasons.append(f"{right} is clearly below chance: are the labels inverted, or in another order?")
        else:
            reasons.append(
                f"{right} is not above chance: are the labels in another order, or is the data of another task?"
            )
    first, second, p_value = swapped(gold.tolist(), clean.tolist())
    if p_value <= policy.alpha:
        names = f"{labels[first]} and {labels[second]}"
        reasons.append(
            f"on the gold labels, {names} look swapped: most rows of the one are given to the other; "
            "are the model's labels in another order?"
        )
    return tuple(reasons)
