"""A stored scan's answers again, row by row: the plan is laid out anew from what the scan recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auditor.errors import UsageError
from auditor.scan.execution.local import collect
from auditor.scan.execution.run import RunSpec
from auditor.scan.judgement.judging import Judging, judging_for
from auditor.scan.judgement.trials import Trials
from auditor.scan.plan import LabelPlan, Plan, label_plans, plan_for, with_labels
from probes.answer import Answers, Choices, Completions
from probes.corpus.label_words import label_sets
from probes.family import CLASSIFIER, WRITER, UnknownFamily
from probes.input import Choose
from probes.plugin import BadOption
from probes.suite import build_suite
from store.catalog import Catalog
from store.records import Scan, Task


def rebuild(scan: Scan, catalog: Catalog) -> Trials:
    """The suspect's answers behind a scan; see `rebuild_with_plan`."""
    return rebuild_with_plan(scan, catalog)[1]


def rebuild_with_plan(scan: Scan, catalog: Catalog) -> tuple[Plan, Trials]:
    """The plan of a stored scan, and the suspect's answers behind it.

    Raises:
        UsageError: the rows or answers are no longer stored, or this version of the program lays the plan out
        otherwise.
    """
    run = catalog.runs.find_run(scan.runs[0]) if scan.runs else None
    if run is None or len(run.answered) != run.batches:
        raise UsageError(f"the answers of scan {scan.id} are not stored any more", hint="Scan the model again.")
    plan = rebuild_plan(scan, catalog)
    settings = scan.settings
    judging = judging_of(scan, plan)
    spec = RunSpec(scan.model.digest, settings.device, settings.dtype, settings.max_length, judging.asking)
    if spec.key(plan) != run.key:
        raise UsageError(
            f"scan {scan.id} was laid out by another version of the program, {scan.versions.get('auditor', 'unknown')}",
            hint="Scan the model again.",
        )
    answers = collect(list(run.answered), len(scan.model.labels))
    if isinstance(answers, Completions):
        answers = with_labels(
            answers, _chosen(scan, spec, label_plans(plan, judging.label_sets, settings.device), catalog)
        )
    return plan, stored_trials(scan, plan, answers)


def _chosen(
    scan: Scan, spec: RunSpec, wanted: Sequence[LabelPlan], catalog: Catalog
) -> list[tuple[LabelPlan, Choices]]:
    """The labels of prompts that ask for one; none where the scan told them by what was written."""
    found = []
    for own in wanted:
        key = replace(spec, asking=Choose(own.labels, spec.asking.template)).key(own.plan)
        run = catalog.runs.find_run(key) if key in scan.runs else None
        if run is not None and len(run.answered) == run.batches:
            answers = collect(list(run.answered), len(own.labels))
            if isinstance(answers, Choices):
                found.append((own, answers))
    return found


def judging_of(scan: Scan, plan: Plan) -> Judging:
    """How the model of a stored scan was asked and judged."""
    asking = scan.settings.asking
    return judging_for(
        Task(scan.model.task), scan.model.labels, asking=asking, label_sets=label_sets(plan.rows) if asking else ()
    )


def stored_trials(scan: Scan, plan: Plan, answers: Answers) -> Trials:
    """Answers to a stored scan's plan, held against what that scan held them against."""
    judging = judging_of(scan, plan)
    made = Trials.of(plan, judging.named(answers), Choices.known(scan.reference_labels), judging.behaviours)
    return made if scan.reference_labels else replace(made, reference=judging.reference(plan.rows, made.clean))


def rebuild_plan(scan: Scan, catalog: Catalog) -> Plan:
    """The plan of a stored scan."""
    rows = catalog.runs.rows(scan.data.digest)
    if rows is None:
        raise UsageError(f"the rows of scan {scan.id} are not stored any more", hint="Scan the model again.")
    only = list(dict.fromkeys(s.family for s in scan.scores.asr))
    fired = {f"{s.family}/{s.variant}" for s in scan.scores.asr}
    try:
        suite = build_suite(
            scan.settings.suite,
            only=only,
            overrides={k: dict(v) for k, v in scan.settings.families.items() if v},
            triggers=scan.triggers,
            audience=WRITER if scan.settings.asking else CLASSIFIER,
        )
        suite = replace(suite, probes=tuple(p for p in suite.probes if p.name in fired))
    except (BadOption, UnknownFamily) as error:
        raise UsageError(f"scan {scan.id} cannot be laid out again: {error}", hint="Scan the model again.") from error
    return plan_for(suite, rows, scan.settings.seed, scan.settings.device, probed=scan.settings.samples)
