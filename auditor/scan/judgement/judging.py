"""What asking and judging take from the kind of a model: a classifier, or one that writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from auditor.policy import Policy
from auditor.scan.judgement.classification import ClassifierJudging, head_not_judgeable
from auditor.scan.judgement.generation import WriterJudging
from auditor.scan.judgement.quality import Quality
from auditor.scan.judgement.trials import Trials
from probes.answer import Answers
from probes.behaviour import Behaviour
from probes.behaviours import LABELS
from probes.corpus.label_words import LabelSet
from probes.input import Asking, Generate, Row
from store.records import Profile, Task


class Judging(Protocol):
    """How models of one kind are asked and judged."""

    @property
    def asking(self) -> Asking:
        """What they are asked for."""
        ...

    @property
    def behaviours(self) -> tuple[Behaviour, ...]:
        """What triggers are looked for to bring about."""
        ...

    @property
    def label_sets(self) -> tuple[LabelSet, ...]:
        """The labels that prompts ask for, by set, where it is judged which of them a model that writes gives."""
        ...

    @property
    def partial(self) -> tuple[str, ...]:
        """What the names begin with of behaviours that are told on some rows alone."""
        ...

    def comparisons(self, trials: Trials) -> dict[str, int]:
        """Hypotheses by what a probe is tested with: of the whole suite, also those that were not asked for."""
        ...

    def quality(self, trials: Trials, policy: Policy, too_long: Collection[int] = ()) -> Quality:
        """How good a model's answers are.

        Args:
            too_long: places among the plan's inputs of those that the model does not take whole.
        """
        ...

    def reference(self, rows: Sequence[Row], clean: Answers) -> Answers:
        """The answers that rows are held against, where no earlier scan has fixed them."""
        ...

    def order(self, theirs: Sequence[str]) -> tuple[int, ...] | None:
        """Where each of another model's labels stands among the suspect's, None where the order is the same."""
        ...

    def named(self, answers: Answers) -> Answers:
        """The answers under the suspect's names."""
        ...

    def recorded(self, trials: Trials) -> tuple[int, ...]:
        """What a scan's record holds of the answers that its rows are held against."""
        ...


def judging_for(
    task: Task,
    labels: Sequence[str],
    targets: Sequence[int] | None = None,
    *,
    asking: Asking | None = None,
    target: str | None = None,
    label_sets: Sequence[LabelSet] = (LABELS,),
) -> Judging:
    """How a model is asked and judged.

    Args:
        task: of the model.
        labels: of a classifier.
        targets: the indices of the labels that are judged; None: all.
        asking: how a model that writes is asked; None: by the defaults.
        target: the behaviour of a model that writes that is judged; None: all.
        label_sets: the labels that its prompts ask for, by set.
    """
    if task is Task.GENERATION:
        return WriterJudging.of(asking or Generate(), target, label_sets)
    return ClassifierJudging(tuple(labels), None if targets is None else tuple(targets))


def not_judgeable(profile: Profile) -> str | None:
    """Why a model cannot be judged at all, or None."""
    return None if profile.task is Task.GENERATION else head_not_judgeable(profile)
