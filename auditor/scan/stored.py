"""A stored scan's answers again, row by row: the plan is laid out anew from what the scan recorded."""

from __future__ import annotations

from dataclasses import replace

from auditor.errors import UsageError
from auditor.scan.execution.local import collect
from auditor.scan.execution.run import RunSpec
from auditor.scan.judgement.judging import Judging, judging_for
from auditor.scan.judgement.trials import Trials
from auditor.scan.plan import Plan, plan_for
from probes.answer import Answers, Choices
from probes.family import CLASSIFIER, WRITER, UnknownFamily
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
    asking = judging_of(scan).asking
    spec = RunSpec(scan.model.digest, settings.device, settings.dtype, settings.max_length, asking)
    if spec.key(plan) != run.key:
        raise UsageError(
            f"scan {scan.id} was laid out by another version of the program, {scan.versions.get('auditor', 'unknown')}",
            hint="Scan the model again.",
        )
    return plan, stored_trials(scan, plan, collect(list(run.answered), len(scan.model.labels)))


def judging_of(scan: Scan) -> Judging:
    """How the model of a stored scan was asked and judged."""
    return judging_for(Task(scan.model.task), scan.model.labels, asking=scan.settings.asking)


def stored_trials(scan: Scan, plan: Plan, answers: Answers) -> Trials:
    """Answers to a stored scan's plan, held against what that scan held them against."""
    judging = judging_of(scan)
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
