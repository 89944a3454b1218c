"""What to ask, in which batches: pure and picklable, fixed by its key."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from probes.answer import UNSCORED, Choices, Completions, Places
from probes.cases import Case
from probes.corpus import digest
from probes.corpus.label_words import LabelSet, rows_by_labels
from probes.input import Chat, Input, Row, encoding, length, texts
from probes.suite import Suite, suite_cases

CPU_CHARACTERS = 48_000
GPU_CHARACTERS = 2_000_000
"""Characters a batch: a second or two of work, so that a kill loses no more than that."""
WRITTEN = 4
"""By how much smaller batches are that a model writes answers to."""


@dataclass(frozen=True)
class Plan:
    """Cases, the distinct inputs behind them in order of length, and the batches in which these are put.

    `position[i]` is the place of `cases[i]` among `inputs`; a batch is a slice of `inputs`. Families share one stream,
    so that batches hold texts of one length, and an input that several cases share is asked once.
    """

    key: str
    rows: tuple[Row, ...]
    rows_digest: str
    suite: Suite
    seed: int
    cases: tuple[Case, ...]
    inputs: tuple[Input, ...]
    position: tuple[int, ...]
    batches: tuple[tuple[int, int], ...]
    probed: int
    """How many of the rows, the first ones, the probes are fired into; the others are asked as they are."""

    def batch(self, number: int) -> Sequence[Input]:
        start, stop = self.batches[number]
        return self.inputs[start:stop]


def make_plan(
    suite: Suite,
    rows: Sequence[Row],
    *,
    seed: int,
    characters: int = CPU_CHARACTERS,
    probed: int | None = None,
    known: Plan | None = None,
) -> Plan:
    """Lays out a suite over rows.

    Args:
        characters: of a batch, at most (a longer input is a batch of its own).
        probed: how many of the rows, the first ones, are probed; None: all.
        known: a plan of the same rows, seed and probed rows: the cases of the probes that both have are taken from it.
    """
    probed = len(rows) if probed is None else min(probed, len(rows))
    cases = tuple(suite_cases(suite, rows, seed=seed, probed=probed, laid=_laid(suite, known)))
    inputs = tuple(sorted({c.input for c in cases}, key=lambda item: (length(item), texts(item), encoding(item))))
    where = {item: i for i, item in enumerate(inputs)}
    rows_digest = digest(rows)
    return Plan(
        key=_key(suite, rows_digest, inputs, seed, characters),
        rows=tuple(rows),
        rows_digest=rows_digest,
        suite=suite,
        seed=seed,
        cases=cases,
        inputs=inputs,
        position=tuple(where[c.input] for c in cases),
        batches=tuple(_batches(inputs, characters)),
        probed=probed,
    )


def _laid(suite: Suite, known: Plan | None) -> Mapping[str, Sequence[Case]]:
    """By name, the cases of the suite's probes that another plan has."""
    if known is None or known.suite.draws != suite.draws:
        return {}
    found: dict[str, list[Case]] = defaultdict(list)
    for case in known.cases:
        found[f"{case.family}/{case.variant}"].append(case)
    return {probe.name: found[probe.name] for probe in known.suite.probes if probe in suite.probes}


def _batches(inputs: Sequence[Input], characters: int) -> list[tuple[int, int]]:
    batches, start, filled = [], 0, 0
    for i, item in enumerate(inputs):
        size = length(item) + 1
        if filled and filled + size > characters:
            batches.append((start, i))
            start, filled = i, 0
        filled += size
    if filled:
        batches.append((start, len(inputs)))
    return batches


def _key(suite: Suite, rows_digest: str, inputs: Sequence[Input], seed: int, characters: int) -> str:
    """The digest of all that decides the answers: also the inputs themselves, so that a changed family is another
    plan.
    """
    head = {
        "suite": [(p.name, dict(sorted(p.options.items()))) for p in suite.probes],
        "draws": suite.draws,
        "rows": rows_digest,
        "seed": seed,
        "characters": characters,
    }
    mark = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for item in inputs:
        mark.update(encoding(item))
    return mark.hexdigest()


def plan_for(
    suite: Suite, rows: Sequence[Row], seed: int, device: str, *, probed: int, known: Plan | None = None
) -> Plan:
    """The plan with batches that suit the device; the suite is fired into the first `probed` rows.

    Args:
        known: see `make_plan`.
    """
    characters = CPU_CHARACTERS if device == "cpu" else GPU_CHARACTERS
    if any(isinstance(row.input, Chat) for row in rows):
        characters //= WRITTEN
    return make_plan(suite, rows, seed=seed, characters=characters, probed=probed, known=known)


def plan_with(suite: Suite, plan: Plan, device: str) -> Plan:
    """Another suite on a plan's rows."""
    return plan_for(suite, plan.rows, plan.seed, device, probed=plan.probed, known=plan)


@dataclass(frozen=True)
class LabelPlan:
    """Those inputs of a plan that ask for one of some labels, to be asked which of these the model finds likeliest.

    `places` are where the inputs of `plan` stand among those of the whole plan.
    """

    labels: LabelSet
    places: Places
    plan: Plan


def label_plans(plan: Plan, sets: Sequence[LabelSet], device: str) -> tuple[LabelPlan, ...]:
    """One a set of labels that rows of a plan name; an edit changes nothing of what a row asks for."""
    characters = (CPU_CHARACTERS if device == "cpu" else GPU_CHARACTERS) // WRITTEN
    found = []
    for labels, indices in rows_by_labels(plan.rows, sets).items():
        among = set(indices)
        cases = zip(plan.cases, plan.position, strict=True)
        places = sorted({place for case, place in cases if case.row in among})
        inputs = tuple(plan.inputs[place] for place in places)
        mark = hashlib.sha256(json.dumps({"labels": labels, "characters": characters}).encode())
        for item in inputs:
            mark.update(encoding(item))
        batches = tuple(_batches(inputs, characters))
        own = replace(plan, key=mark.hexdigest(), cases=(), inputs=inputs, position=(), batches=batches)
        found.append(LabelPlan(labels, np.asarray(places, dtype=np.int64), own))
    return tuple(found)


def with_labels(answers: Completions, found: Sequence[tuple[LabelPlan, Choices]]) -> Completions:
    """Texts with the labels that were chosen for those inputs that ask for one."""
    names = tuple(dict.fromkeys(label for own, _ in found for label in own.labels))
    if not names:
        return answers
    labels = np.full(len(answers), UNSCORED, dtype=np.int64)
    shares = np.full((len(answers), len(names)), np.nan)
    for own, chosen in found:
        columns = np.asarray([*map(names.index, own.labels), UNSCORED], dtype=np.int64)
        labels[own.places] = columns[chosen.labels]
        shares[own.places[:, None], columns[:-1]] = chosen.probabilities
    return replace(answers, choices=Choices(labels, shares, names))
