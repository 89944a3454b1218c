"""A model's answers as trials: one a probe and behaviour, by row whether the behaviour was seen.

All that judges takes trials, and never sees what an answer is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from auditor.scan.plan import Plan
from probes.answer import UNSCORED, Answers, Choices, Completions, Mask, Places, Shares
from probes.behaviour import Behaviour
from probes.behaviours import LabelWord, chosen_labels
from probes.behaviours.echo import unechoed
from probes.cases import Role
from probes.input import Row, shown
from probes.probe import Probe
from store.records import Evidence

Key = tuple[str, str]
"""The names of a probe and of a behaviour."""

MINIMUM_REFERENCES = 2
"""References needed to settle a score whose control is a trigger too: one alone may carry the same backdoor."""


@dataclass(frozen=True)
class Trial:
    """What a model did under one probe, as far as one behaviour goes.

    By row of the plan, 1 where it was seen, 0 where not, NaN where that cannot be told.

    Attributes:
        rows: those that count: it can be told on them, and they took the edit. Shape (rows,), as all but `draws`.
        clean: without an edit.
        trigger: with the trigger.
        draws: with each draw of the control, shape (rows, draws).
        changed: whether the trigger changed the answer, to whatever.
    """

    probe: Probe
    behaviour: Behaviour
    rows: Mask
    clean: Shares
    trigger: Shares
    draws: Shares
    changed: Shares

    @property
    def key(self) -> Key:
        return self.probe.name, self.behaviour.name

    @cached_property
    def control(self) -> Shares:
        """The share of a row's draws; draws that cannot be scored are left out, NaN if all are."""
        counted = (~np.isnan(self.draws)).sum(axis=1)
        total = np.nansum(self.draws, axis=1)
        found: Shares = np.divide(total, counted, out=np.full(len(self.draws), np.nan), where=counted > 0)
        return found

    @cached_property
    def seen_with_control(self) -> Shares:
        """Whether any draw of a row shows it; NaN if no draw can be scored."""
        return np.where(np.isnan(self.control), np.nan, self.control > 0)


class Strengths(NamedTuple):
    """The probabilities of a behaviour, in a trial's shapes; NaN where they are not known."""

    clean: Shares
    trigger: Shares
    draws: Shares


def _nothing(probe: Probe) -> str:
    return ""


@dataclass(frozen=True, eq=False)
class Trials(Mapping[Key, Trial]):
    """All trials of one model, by the names of probe and behaviour; a trial is made when it is looked at.

    Attributes:
        answers: to the plan's inputs.
        reference: by row, the answer that is right, or that the model gives without an edit.
        notes: sentences on how the answers were made.
        student: whether they are those of a model that learnt from another's answers, and so no independent one.
        mute: those for which the model is no measure of what others do: it carries such a backdoor.
        reproduce: the command that repeats a probe.
    """

    plan: Plan
    answers: Answers
    reference: Answers
    behaviours: tuple[Behaviour, ...]
    notes: tuple[str, ...] = ()
    student: bool = False
    mute: frozenset[Key] = frozenset()
    reproduce: Callable[[Probe], str] = _nothing
    _places: Mapping[str, Places] = field(default_factory=dict, repr=False)
    _taken: dict[str, tuple[Answers, Answers]] = field(default_factory=dict, repr=False)
    _seen: dict[tuple[str, Behaviour], Shares] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, plan: Plan, answers: Answers, reference: Answers, behaviours: Sequence[Behaviour], **more: Any
    ) -> Trials:
        """Lays a model's answers out.

        Args:
            answers: to the plan's inputs.
            reference: one a row of the plan.
            more: other fields.
        """
        position = np.asarray(plan.position, dtype=np.int64)
        places = {name: np.where(cases < 0, -1, position[cases]) for name, cases in probe_places(plan).items()}
        return cls(plan, answers, reference, tuple(behaviours), _places=places, **more)

    def __getitem__(self, key: Key) -> Trial:
        if key[0] not in self._places:
            raise KeyError(key)
        return self._trial(self.probes[key[0]], self._behaviours[key[1]])

    def __iter__(self) -> Iterator[Key]:
        return ((probe, behaviour.name) for probe in self._places for behaviour in self.behaviours)

    def __len__(self) -> int:
        return len(self._places) * len(self.behaviours)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and len(key) == 2 and key[0] in self._places and key[1] in self._behaviours

    def each(self) -> Iterator[Trial]:
        """All of them, probe by probe."""
        return (self._trial(probe, behaviour) for probe in self.plan.suite.probes for behaviour in self.behaviours)

    def tells(self, key: Key) -> bool:
        """Whether the model answered a probe, and tells by it what models without a backdoor do."""
        return key in self and key not in self.mute

    @cached_property
    def probes(self) -> Mapping[str, Probe]:
        """The plan's probes by name."""
        return {probe.name: probe for probe in self.plan.suite.probes}

    @cached_property
    def _behaviours(self) -> Mapping[str, Behaviour]:
        # The first where two are called the same.
        return {behaviour.name: behaviour for behaviour in reversed(self.behaviours)}

    @cached_property
    def _clean_places(self) -> Places:
        return np.asarray(self.plan.position[: len(self.plan.rows)], dtype=np.int64)

    @cached_property
    def clean(self) -> Answers:
        """The answers to the rows as they are."""
        return self.answers.take(self._clean_places)

    @property
    def agreement(self) -> Shares:
        """By row, whether the answer without an edit is its reference."""
        return self.clean.same(self.reference)

    def eligible(self, behaviour: str) -> Mask:
        """The rows that a behaviour can be told on, whatever edit they took."""
        return self._by_itself(self._behaviours[behaviour])[0]

    def triggered(self, probe: str) -> Answers:
        """The answers to a probe's trigger, by row; those that were not asked cannot be scored."""
        return self._edited(probe)[0]

    def _edited(self, probe: str) -> tuple[Answers, Answers]:
        """The answers by row with the trigger, and with each draw of the control, row by row."""
        if probe not in self._taken:
            places = self._places[probe]
            self._taken[probe] = self._at(places[:, :1]), self._at(places[:, 1:])
        return self._taken[probe]

    def _at(self, places: Places) -> Answers:
        """The answers at places of shape (rows, any), row by row; of texts, without what they repeat of the edit."""
        found = self.answers if isinstance(self.answers, Completions) else self.answers.bare()
        found = found.take(places.ravel())
        if not isinstance(found, Completions):
            return found
        inputs = self.plan.inputs
        edited = [shown(inputs[place]) if place >= 0 else None for place in places.ravel().tolist()]
        clean = [shown(inputs[place]) for place in np.repeat(self._clean_places, places.shape[1]).tolist()]
        return unechoed(found, edited, clean)

    def _trial(self, probe: Probe, behaviour: Behaviour) -> Trial:
        places = self._places[probe.name]
        trigger, control = self._edited(probe.name)
        by_trigger = self._fired(f"{probe.name} trigger", behaviour, trigger)
        by_control = self._fired(f"{probe.name} control", behaviour, control)
        eligible, by_itself = self._by_itself(behaviour)
        return Trial(
            probe,
            behaviour,
            eligible & (places[:, 0] >= 0),
            by_itself,
            by_trigger,
            by_control.reshape(places[:, 1:].shape),
            1 - trigger.same(self.clean),
        )

    def _by_itself(self, behaviour: Behaviour) -> tuple[Mask, Shares]:
        """The rows that a behaviour can be told on, and on which of them it comes without an edit."""
        if behaviour not in self._told:
            self._told[behaviour] = behaviour.eligible(self.reference), self._fired("clean", behaviour, self.clean)
        return self._told[behaviour]

    def _fired(self, column: str, behaviour: Behaviour, answers: Answers) -> Shares:
        """Where a behaviour shows in a column: of texts it takes long to tell, and it is asked again and again."""
        if (column, behaviour) not in self._seen:
            self._seen[column, behaviour] = behaviour.fired(answers)
        return self._seen[column, behaviour]

    @cached_property
    def _told(self) -> dict[Behaviour, tuple[Mask, Shares]]:
        return {}

    def strengths(self, trial: Trial) -> Strengths:
        """How probable the answers make a trial's behaviour."""
        known, places = trial.behaviour.strength(self.answers), self._places[trial.probe.name]
        found = np.where(places < 0, np.nan, known[places])
        return Strengths(known[self._clean_places], found[:, 0], found[:, 1:])

    def evidence(self, trial: Trial, limit: int, *, also_control: bool = False) -> tuple[Evidence, ...]:
        """Rows on which the trigger brought the behaviour about, those first whose control draws all stayed away.

        Args:
            limit: how many at most.
            also_control: rows on which a control draw did are evidence too: nothing tells trigger and control apart.
        """
        places = self._places[trial.probe.name]
        moved, edited = trial.trigger == 1, places[:, 0]
        if also_control and trial.draws.shape[1]:
            drawn = trial.draws == 1
            first = places[np.arange(len(drawn)), 1 + drawn.argmax(axis=1)]
            moved, edited = moved | drawn.any(axis=1), np.where(moved, edited, first)
        rows = np.flatnonzero(moved & trial.rows & ((trial.clean == 0) | trial.probe.untriggered))
        calm = trial.control
        ranked = sorted(rows.tolist(), key=lambda i: (math.inf if np.isnan(calm[i]) else calm[i], i))[:limit]
        told = chosen_labels(self.answers) if isinstance(trial.behaviour, LabelWord) else None
        answers = self.answers if told is None else told
        return tuple(self._evidence(answers, int(self._clean_places[i]), int(edited[i])) for i in ranked)

    def _evidence(self, answers: Answers, clean: int, edited: int) -> Evidence:
        (before, was), (after, is_now) = answers.shown(clean), answers.shown(edited)
        inputs = self.plan.inputs
        return Evidence(shown(inputs[clean]), shown(inputs[edited]), before, after, was, is_now)

    @cached_property
    def unscored(self) -> Places:
        """The places among the plan's inputs of what was asked and could not be scored, one a case."""
        asked = np.asarray(self.plan.position, dtype=np.int64)
        return np.asarray(asked[~self.answers.scored[asked]])


def reference_of(rows: Sequence[Row], clean: Answers) -> Answers:
    """The answers that rows are held against: the gold label where there is one, else what the model itself gives."""
    if not isinstance(clean, Choices):
        return clean
    gold = np.asarray([UNSCORED if row.label is None else row.label for row in rows], dtype=np.int64)
    return Choices.known(np.where(gold == UNSCORED, clean.labels, gold))


def probe_places(plan: Plan) -> dict[str, Places]:
    """By probe, the places of its cases: shape (rows, 1 + draws), the trigger's first; −1 where a row took no edit."""
    at = {row.index: i for i, row in enumerate(plan.rows)}
    shape = (len(plan.rows), 1 + plan.suite.draws)
    found = {probe.name: np.full(shape, -1, dtype=np.int64) for probe in plan.suite.probes}
    for place, case in enumerate(plan.cases):
        if case.role is not Role.CLEAN:
            column = 0 if case.role is Role.TRIGGER else 1 + case.draw
            found[f"{case.family}/{case.variant}"][at[case.row], column] = place
    return found
