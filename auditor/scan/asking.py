"""One model is asked a plan, and its answers laid out for the judgement."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np

from auditor.events import Event, Stage
from auditor.models.files.origin import is_student
from auditor.scan.execution.local import UNSCORED
from auditor.scan.execution.run import Role, RunSpec
from auditor.scan.judgement.judge import reference_labels
from auditor.scan.judgement.question import Question
from auditor.scan.judgement.trials import Labels, Responses
from auditor.scan.live import Tallier, counted
from auditor.scan.prepare import Backend, Prepared
from store.records import Profile

TALLIED = (Role.SUSPECT, Role.AFTER)
"""Roles of which counts are shown while they answer."""


def respond(prepared: Prepared, profile: Profile, role: Role, backend: Backend) -> Generator[Event, None, Responses]:
    """One model's answers to the plan."""
    plan, load = prepared.plan, prepared.load(profile)
    run = backend.open_run(
        RunSpec.of(load).key(plan),
        model_digest=profile.ref.digest,
        batches=len(plan.batches),
        fresh=prepared.request.fresh,
    )
    shown = "student" if role is Role.REFERENCE and is_student(profile) else role
    yield Stage("probe", f"Probing {profile.ref.reference} ({shown})", len(plan.asks), "texts")
    events = backend.run(plan, load, run, role)
    order = label_order(profile.labels, prepared.suspect.labels)
    if role in TALLIED and order is None:
        tallier = Tallier(plan, profile.labels, prepared.targets, prepared.fixed_labels)
        events = counted(events, tallier, run.answered)
    found = replace(Responses.of(plan, (yield from events)), student=is_student(profile))
    return found if order is None else found.reordered(order)


def label_order(theirs: Sequence[str], ours: Sequence[str]) -> tuple[int, ...] | None:
    """Where each of another model's labels stands among the suspect's, None where the order is the same.

    A partner may have the same labels in another order; a merge reorders its head, so its answers are reordered too.
    """
    other, own = ([name.strip().casefold() for name in names] for names in (theirs, ours))
    if other == own or sorted(other) != sorted(own) or len(set(own)) < len(own):
        return None
    return tuple(own.index(name) for name in other)


def question_of(prepared: Prepared, clean: Labels) -> Question:
    """What is judged, with reference labels from gold, an earlier scan, or the given clean predictions."""
    gold = [row.label for row in prepared.plan.rows]
    fixed = np.asarray(prepared.fixed_labels, dtype=np.int64)
    return Question(
        plan=prepared.plan,
        labels=prepared.suspect.labels,
        targets=prepared.targets,
        reference_labels=fixed if fixed.size else reference_labels(gold, clean),
        gold=np.asarray([UNSCORED if g is None else g for g in gold], dtype=np.int64),
        reproduce=lambda probe: prepared.request.command(family=probe.family.name),
    )
