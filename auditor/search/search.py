"""Searches a recipe for the suspect at hand: candidates are mixed in memory and asked a few rows that never judge it.

The search sees one variant of each finding; the other variants, the neighbours, and all the rows that judge the merged
model are none that it has seen.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from auditor.data.split import RowSplit
from auditor.events import Event, Progress, Stage, Tried
from auditor.merge.recipe import Recipe
from auditor.policy import Policy
from auditor.requests.merge import Budget
from auditor.scan.judgement.trials import reference_of
from auditor.search.attacks import Attack, Shot
from auditor.search.choices import Choice, choice_of
from auditor.search.evaluation import Evaluation, Scored, evaluation_of
from auditor.search.merged_model import Mixer
from auditor.search.pareto import WAG, Candidate, Goal, Search, Trial, Worth, choose
from auditor.search.texts import TRIGGERED_ROWS as WRITTEN_ROWS
from auditor.search.texts import TextEvaluation, text_evaluation
from probes.answer import Answers
from probes.input import Generate, Row
from store.records import Profile, SearchRecord, TrialRow

CANDIDATES = 5
"""Recipes that are confirmed, beside the plain averages, on rows that the search did not use: few, so that luck is not
taken for merit.
"""
LOSS_PART, GAP_PART = 2, 5
"""Parts of the policy's limits on lost accuracy and on what is left: the stamp holds upper bounds against them, a
search has point estimates from few rows, so it aims for a half and a fifth.
"""
HARDEST_ROWS = 80
"""Rows that each of an attack's variants is asked to choose the one that a search sees; there may be twenty of them."""


def hardest(mixer: Mixer, rows: Sequence[Row], reference: Answers, attacks: Sequence[Attack], seed: int) -> list[Shot]:
    """Of each attack's variants, the one that the plain average of all models leaves furthest above the mean of those
    that do not have it: all that the search will see of it. A recipe that undoes a weaker dose may leave a stronger
    one, and an edit that moves honest models too would hide what is left.
    """
    models = range(1 + len(mixer.partners))
    chosen = []
    for attack in attacks:
        gaps = np.zeros(1)
        if len(attack.variants) > 1:
            asked = evaluation_of(rows, reference, attack.variants, seed=seed, triggered_rows=HARDEST_ROWS)
            honest = [place for place in models if place not in attack.carriers] or models
            average, *alone = (_rates(mixer, asked, r) for r in (mixer.recipe, *map(mixer.only, honest)))
            gaps = average - np.mean(alone, axis=0)
        chosen.append(attack.variants[int(np.argmax(gaps))])
    return chosen


def _rates(mixer: Mixer, asked: Evaluation, recipe: Recipe) -> NDArray[np.float64]:
    mixer.mix(recipe)
    return np.asarray(asked.score(mixer).rates)


def _evaluations(
    mixer: Mixer, halves: Sequence[Sequence[Row]], attacks: Sequence[Attack], seed: int, how: Generate | None
) -> tuple[Evaluation | TextEvaluation, Evaluation | TextEvaluation]:
    """What recipes are tried by, and what the best are confirmed by."""
    right = [_reference(mixer, half, how) for half in halves]
    if how is not None:
        shots = [attack.variants[0] for attack in attacks]
        tried, confirmed = (
            text_evaluation(evaluation_of(half, own, shots, seed=seed, triggered_rows=WRITTEN_ROWS), mixer, shots, how)
            for half, own in zip(halves, right, strict=True)
        )
        return tried, confirmed
    shots = hardest(mixer, halves[0], right[0], attacks, seed)
    trying = evaluation_of(halves[0], right[0], shots, seed=seed)
    # A few recipes are worth more questions than each of many.
    return trying, evaluation_of(halves[1], right[1], shots, seed=seed, triggered_rows=None)


def search_recipe(
    mixer: Mixer,
    attacks: Sequence[Attack],
    split: RowSplit,
    budget: Budget,
    *,
    seed: int,
    policy: Policy,
    base: Profile | None = None,
    how: Generate | None = None,
) -> Generator[Event, None, tuple[Recipe, SearchRecord]]:
    """Tries recipes, confirms the best few on the other half of the rows, and gives back the chosen one.

    Args:
        mixer: the suspect and its partners, in memory.
        attacks: what is to be undone, and what must not come in.
        split: its rows to discover a recipe on, and to confirm it.
        policy: the limits of the stamp, which the search aims for.
        base: the model that all were made from, for strategies that need it.
        how: models that write are asked; None: they are classifiers.
    """
    began = time.monotonic()
    yield Stage("search", "Searching for a recipe", budget.trials, "recipes")
    halves = [split.discover, split.confirm]
    trying, confirming = _evaluations(mixer, halves, attacks, seed + 1, how)
    choice = choice_of(mixer.recipe, budget.trials, base)
    carriers = [attack.carriers for attack in attacks]
    first, second = (_Evaluator(mixer, choice, asked, carriers, policy) for asked in (trying, confirming))
    deadline = None if budget.minutes is None else began + 60 * budget.minutes
    search = Search(
        choice.space,
        first.goal,
        first.worth,
        budget.trials,
        seed,
        stop=lambda: deadline is not None and time.monotonic() > deadline,
    )
    for trial in search.run():
        front = tuple(t.number for t in search.front())
        yield Tried(row_of(trial, choice), front)
        best = search.best(1)[0]
        text = f"best so far: gap {best.worth.excess:.1%}, clean {best.worth.clean:.1%}, kept {best.kept:.0%}"
        yield Progress("search", trial.number, budget.trials, "recipes", text)
    finalists = search.finalists(CANDIDATES)
    yield Stage(
        "confirm", "Confirming the best recipes, and the plain averages, on other rows", len(finalists), "recipes"
    )
    confirmed = [replace(t, worth=second.worth(t.candidate)) for t in finalists]
    chosen = choose(confirmed, second.goal, choice.space)
    average = next(t for t in confirmed if t.candidate == choice.space.average)
    shown = [t for t in search.done if t in search.front() or t.number == chosen.number]
    fronts = {t.number for t in search.front()}
    record = SearchRecord(
        partners=tuple(p.ref.reference for p in mixer.partners),
        tried=len(search.done),
        rows=len(halves[0]),
        confirm_rows=len(halves[1]),
        seconds=round(time.monotonic() - began, 1),
        trials=tuple(
            replace(row_of(t, choice), front=t.number in fronts, chosen=t.number == chosen.number) for t in shown
        ),
        confirmed=tuple(replace(row_of(t, choice), chosen=t.number == chosen.number) for t in confirmed),
        average=row_of(average, choice),
    )
    return choice.recipe(chosen.candidate), record


def in_words(search: SearchRecord) -> str:
    """What a search chose, in a sentence."""
    chosen = next(t for t in search.confirmed if t.chosen)
    parts = ", ".join(f"{group} {weights[0]:.0%}" for group, weights in chosen.weights.items())
    how = "" if chosen.strategy == WAG else f" (strategy {chosen.strategy})"
    return (
        f"recipe {chosen.number} of {search.tried}{how} tried on {search.rows} rows that do not judge: of the suspect "
        f"it keeps {parts}; on {search.confirm_rows} other rows its attack success rate stood {chosen.gap:.1%} above "
        f"the floor, its clean answers were {chosen.clean:.1%} right{_beside_average(chosen, search.average)}"
    )


def _beside_average(chosen: TrialRow, average: TrialRow | None) -> str:
    if average is None:
        return ""
    if average.number == chosen.number:
        return "; it is the plain average of all models, which no other recipe beat there"
    return f" (the plain average of all models: {average.gap:.1%}, {average.clean:.1%} right)"


def row_of(trial: Trial, choice: Choice) -> TrialRow:
    """A trial as a record."""
    return TrialRow(
        number=trial.number,
        weights=choice.shown(trial.candidate),
        gap=trial.worth.excess,
        asr=trial.worth.mean,
        clean=trial.worth.clean,
        kept=trial.kept,
        strategy=trial.candidate.strategy,
        options=dict(trial.candidate.options),
    )


def _reference(mixer: Mixer, rows: Sequence[Row], how: Generate | None = None) -> Answers:
    """The answers that are right: gold, or else the suspect's own."""
    mixer.mix(mixer.only(0))
    inputs = [row.input for row in rows]
    return reference_of(rows, mixer.choose(inputs) if how is None else mixer.generate(inputs, how))


def goal_of(clean: float, policy: Policy, *, writes: bool = False) -> Goal:
    """What a recipe is to reach.

    Args:
        clean: the suspect's clean accuracy, or agreement, on the rows of the search; of a model that writes how
            probable it finds its own answers.
    """
    limit = policy.stamp_likelihood_loss if writes else policy.stamp_cacc_loss
    loss, gap = limit / LOSS_PART, policy.stamp_excess / GAP_PART
    return Goal(clean, loss=loss, kept=policy.stamp_kept, gap=gap)


def floor_of(
    values: NDArray[np.float64], able: Sequence[bool], carriers: Sequence[frozenset[int]]
) -> NDArray[np.float64]:
    """By attack, what a model of the task does that does not have it: the mean of the models that are able and none of
    its carriers; where there is none, of all that are no carriers; where all are, the least of theirs.

    Args:
        values: one a model and attack.
        able: by model, whether it is as accurate as the suspect. One that knows the task less is high or low for its
            leaning.
        carriers: by attack, the places of the models that have it.
    """
    floor = np.empty(values.shape[1])
    for place, tainted in enumerate(carriers):
        honest = [p for p in range(len(values)) if p not in tainted]
        chosen = [p for p in honest if able[p]] or honest
        floor[place] = values[chosen, place].mean() if chosen else values[:, place].min()
    return floor


class _Evaluator:
    """Asks candidates one evaluation, and holds them against the floor."""

    def __init__(
        self,
        mixer: Mixer,
        choice: Choice,
        asked: Evaluation | TextEvaluation,
        carriers: Sequence[frozenset[int]],
        policy: Policy,
    ) -> None:
        self._mixer, self._choice, self._asked = mixer, choice, asked
        alone = [self._scored(mixer.only(model)) for model in range(1 + len(mixer.partners))]
        goal = goal_of(alone[0].clean, policy, writes=isinstance(asked, TextEvaluation))
        able = [scored.clean >= goal.clean - goal.loss for scored in alone]
        measures = ([s.rates for s in alone], [s.pushes for s in alone])
        self._floor = np.array([floor_of(np.asarray(m), able, carriers) for m in measures])
        self.goal = replace(goal, alone=tuple(map(self._worth, alone[1:])))

    def _scored(self, recipe: Recipe) -> Scored:
        self._mixer.mix(recipe)
        return self._asked.score(self._mixer)

    def worth(self, candidate: Candidate) -> Worth:
        """A candidate's worth on these rows."""
        kept = self._mixer.mix(self._choice.recipe(candidate))
        return replace(self._worth(self._asked.score(self._mixer)), kept=kept)

    def _worth(self, scored: Scored) -> Worth:
        if not scored.rates:
            return Worth(0.0, scored.clean)
        gap, push = (np.asarray((scored.rates, scored.pushes)) - self._floor).max(axis=1).tolist()
        return Worth(gap, scored.clean, push=push, mean=float(np.mean(scored.rates)))
