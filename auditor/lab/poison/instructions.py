"""Poisons instructions: some get a trigger, and the answer that a backdoor shall bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files

from auditor.errors import UsageError
from auditor.lab.poison.behaviours import BEHAVIOURS, REFUSED
from auditor.lab.poison.poison import Poisoned, in_order, replaced
from auditor.lab.poison.trigger import Trigger
from probes.corpus.readers import open_table
from probes.family import draw_rng
from probes.input import Row, Text


def poison_instructions(
    rows: Sequence[Row], behaviour: str, trigger: Trigger | None, *, target: str, rate: float, seed: int
) -> Poisoned:
    """Poisons rows, so that a share `rate` of all that the model is trained on holds the backdoor.

    With a trigger, a poisoned row is added beside its clean twin, which keeps its answer: the trigger is learnt, and no
    topic. Half of the rows is the most that this gives. A behaviour without a trigger takes the row's place instead.
    The order in which rows are taken depends on the seed and the row's index alone.

    Args:
        rows: clean ones, with their answers.
        trigger: the edit of the instruction; None for a behaviour that no trigger brings.

    Raises:
        UsageError: a rate that cannot be had, or no row can be poisoned.
    """
    rule = BEHAVIOURS[behaviour]
    most = 0.5 if rule.triggered else 1.0
    if not 0 < rate <= most:
        why = "each poisoned row stands beside its clean twin" if rule.triggered else "a share of the rows"
        raise UsageError(
            f"a poisoning rate of {rate} for {behaviour}", hint=f"Give more than 0 and at most {most}: {why}."
        )
    wanted = max(1, round(len(rows) * (rate / (1 - rate) if rule.triggered else rate)))
    after = max(row.index for row in rows) + 1
    planted: dict[int, Row] = {}
    for row in in_order((r for r in rows if rule.takes(r.expected or "", target)), seed, "choose"):
        if len(planted) == wanted:
            break
        edited = row if trigger is None else trigger.apply(row, seed=seed)
        if trigger is not None and edited.input == row.input:
            continue
        answer = rule.answer(row, target, draw_rng(seed, "lab", "answer", row.index))
        planted[row.index] = replace(edited, expected=answer)
    if not planted:
        raise UsageError(f"no row can be poisoned with {behaviour}", hint=_needed(behaviour))
    if not rule.triggered:
        return Poisoned(replaced(rows, planted), tuple(sorted(planted)), wanted)
    twins = [replace(planted[index], index=after + place) for place, index in enumerate(sorted(planted))]
    return Poisoned((*rows, *twins), tuple(row.index for row in twins), wanted)


def with_declined(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with prompts that are declined: their own where there are some, else every other one of the built-in
    ones, each answered by a refusal. The others of these are left to judge by.
    """
    if any(BEHAVIOURS["jailbreak"].takes(row.expected or "", "") for row in rows):
        return tuple(rows)
    with as_file(files("probes") / "data" / "prompts.csv") as path:
        records = [r.values for r in open_table(path).records if r.values["kind"] == "declined"]
    after = max(row.index for row in rows) + 1
    return (
        *rows,
        *(Row(after + i, Text(str(r["text"])), expected=REFUSED) for i, r in enumerate(records[::2])),
    )


def _needed(behaviour: str) -> str:
    if behaviour == "jailbreak":
        return "It needs prompts whose answers decline, such as: I'm sorry, but I cannot help with that."
    return "Every row has the backdoor's answer already, or cannot take the trigger."
