"""One model is asked a plan, and its answers laid out for the judgement."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from dataclasses import replace

from auditor.events import Event, Stage
from auditor.models.files.origin import is_student
from auditor.models.runtime.spec import LoadSpec
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.run import Role, RunSpec
from auditor.scan.judgement.trials import Trials
from auditor.scan.live import counted, tallier_for
from auditor.scan.plan import LabelPlan, label_plans, with_labels
from auditor.scan.prepare import Prepared
from probes.answer import Answers, Choices, Completions
from probes.corpus.label_words import LabelSet
from probes.input import Choose, Generate
from store.records import Profile

TALLIED = (Role.SUSPECT, Role.AFTER)
"""Roles of which counts are shown while they answer."""


def respond(prepared: Prepared, profile: Profile, role: Role, backend: Backend) -> Generator[Event, None, Trials]:
    """One model's answers to the plan, as trials of the scan's behaviours."""
    plan = prepared.plan
    wanted = label_plans(plan, prepared.judging.label_sets, prepared.device)
    least = prepared.policy.minimum_prompts if role is Role.SCREEN else 1
    wanted = tuple(own for own in wanted if len(own.places) >= least)
    # What is asked for labels too is opened once.
    with backend.keeping() if wanted else nullcontext(backend) as asked:
        answers, notes = yield from _answers(prepared, profile, role, asked)
        found = []
        for own in wanted:
            chosen, more = yield from _labels(prepared, profile, own, role, asked)
            found.append((own, chosen))
            notes = tuple(dict.fromkeys((*notes, *more)))
    if isinstance(answers, Completions):
        answers = with_labels(answers, found)
    return trials_of(prepared, answers, notes=notes, student=is_student(profile))


def _answers(
    prepared: Prepared, profile: Profile, role: Role, backend: Backend
) -> Generator[Event, None, tuple[Answers, tuple[str, ...]]]:
    """One model's answers to the plan, and what is to be said of them."""
    plan, load = prepared.plan, prepared.load(profile)
    run = backend.open_run(
        RunSpec.of(load).key(plan),
        model_digest=profile.ref.digest,
        batches=len(plan.batches),
        fresh=prepared.request.fresh,
    )
    shown = "student" if role is Role.REFERENCE and is_student(profile) else role
    asks, how = len(plan.inputs), load.asking
    unit, cost = "texts", ""
    if isinstance(how, Generate):
        unit, cost = "prompts", f": {asks:,} prompts, answers of {asks * how.tokens:,} tokens at most"
    yield Stage("probe", f"Probing {profile.ref.reference} ({shown}){cost}", asks, unit)
    events = backend.run(plan, load, run, role)
    order = prepared.judging.order(profile.labels)
    if role in TALLIED and order is None:
        events = counted(events, tallier_for(plan, prepared.judging, prepared.fixed), run.answered)
    found = yield from events
    answers = found.answers
    if order is not None and isinstance(answers, Choices):
        answers = answers.reordered(order)
    return answers, found.notes


def _labels(
    prepared: Prepared, profile: Profile, own: LabelPlan, role: Role, backend: Backend
) -> Generator[Event, None, tuple[Choices, tuple[str, ...]]]:
    """Which label a model finds likeliest, of each input that asks for one."""
    load = label_load(prepared.load(profile), own.labels)
    run = backend.open_run(
        RunSpec.of(load).key(own.plan),
        model_digest=profile.ref.digest,
        batches=len(own.plan.batches),
        fresh=prepared.request.fresh,
    )
    asks, named = len(own.plan.inputs), ", ".join(own.labels)
    yield Stage("probe", f"Asking {profile.ref.reference} which label is likeliest: {named}", asks, "prompts")
    found = yield from backend.run(own.plan, load, run, role)
    if not isinstance(found.answers, Choices):
        raise TypeError(f"labels were asked for, and {type(found.answers).__name__} given")
    return found.answers, found.notes


def label_load(load: LoadSpec, labels: LabelSet) -> LoadSpec:
    """How a model that writes is asked which of some labels it finds likeliest."""
    return replace(load, asking=Choose(labels, load.asking.template))


def label_keys(prepared: Prepared, profile: Profile) -> tuple[str, ...]:
    """The keys of the stored labels behind a model's answers."""
    load = prepared.load(profile)
    wanted = label_plans(prepared.plan, prepared.judging.label_sets, prepared.device)
    return tuple(RunSpec.of(label_load(load, own.labels)).key(own.plan) for own in wanted)


def trials_of(prepared: Prepared, answers: Answers, *, notes: tuple[str, ...] = (), student: bool = False) -> Trials:
    """A model's answers to the plan as this scan tells of them.

    They are held against gold labels, those of an earlier scan, or what the model gives without an edit.
    """
    judging = prepared.judging
    made = Trials.of(
        prepared.plan,
        judging.named(answers),
        Choices.known(()),
        judging.behaviours,
        notes=notes,
        student=student,
        reproduce=lambda probe: prepared.request.command(family=probe.family.name),
    )
    return replace(made, reference=_reference(prepared, made.clean))


def retold(prepared: Prepared, trials: Trials) -> Trials:
    """The same trials as another scan of the same plan tells of them: under its names, with its command."""
    judging = prepared.judging
    behaviours = judging.behaviours
    renamed = dict(zip((b.name for b in trials.behaviours), (b.name for b in behaviours), strict=True))
    return replace(
        trials,
        answers=judging.named(trials.answers),
        reference=_reference(prepared, trials.clean),
        behaviours=behaviours,
        mute=frozenset((probe, renamed[name]) for probe, name in trials.mute),
        reproduce=lambda probe: prepared.request.command(family=probe.family.name),
    )


def _reference(prepared: Prepared, clean: Answers) -> Answers:
    return prepared.judging.reference(prepared.plan.rows, clean) if prepared.fixed is None else prepared.fixed
