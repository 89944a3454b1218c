"""After a finding: the strongest form of its edit, searched on rows that do not judge.

The form is what is asked of a merged model beside the edit as it was found: a rule may move half of the texts that the
attack's own rewrites move, and less of a backdoor is then seen than is left. A form finds nothing by itself.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from auditor.events import Event, Stage
from auditor.scan.asking import respond
from auditor.scan.checks import writes
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.run import Role
from auditor.scan.judgement.compared import mean
from auditor.scan.judgement.raised import trigger_raised
from auditor.scan.judgement.trials import Trials
from auditor.scan.plan import plan_for
from auditor.scan.prepare import Prepared
from probes.answer import UNSCORED, Choices
from probes.inference import rate_of
from probes.input import Row
from probes.probe import Probe
from probes.sampling import distinct, sample
from probes.sharper import form_in_words, sharper
from store.records import FileFinding, Finding, Profile, Scan, Sharpened

ROWS = 80
"""Rows on which every form is asked."""
LEAST_ROWS = 30
"""Rows of other labels below which no form is chosen from them."""
AS_STRONG = 0.05
"""A form that moves so much less than the strongest counts as strong still."""


def sharpen(prepared: Prepared, record: Scan, backend: Backend) -> Generator[Event, None, Scan]:
    """The scan with the strongest form of each finding's edit, where the family has any, in record and message."""
    probes = _by_name(prepared)
    wanted = [f for f in record.findings if len(_probes(probes, f)) > 1]
    if not wanted or writes(prepared.suspect):
        return record
    asked = {p.name: p for f in wanted for p in _probes(probes, f)}
    names = ", ".join(dict.fromkeys(f"{f.family}/{f.variant}" for f in wanted))
    yield Stage("sharpen", f"Looking for the strongest form of {names}")
    asking = _asking(prepared, record, wanted, tuple(asked.values()), draws=1)
    suspect = yield from respond(asking, prepared.suspect, Role.SHARPER_FORMS, backend)
    found = {f.id: _strongest(suspect, _probes(probes, f), f) for f in wanted}
    return replace(record, findings=tuple(_told(f, found.get(f.id)) for f in record.findings))


def sharpest_left(
    prepared: Prepared, before: Scan, merged: Profile, references: Sequence[Profile], backend: Backend
) -> Generator[Event, None, tuple[Probe, ...]]:
    """Of each finding's strong forms, the one that a merged model answers furthest above the least of its references.

    Asked on the rows that chose the strong ones, which do not judge. Without references it is the one that moves most.
    """
    probes = _by_name(prepared)
    wanted = [f for f in before.findings if f.sharp]
    if not wanted:
        return ()
    strong = {f.id: [p for p in _probes(probes, f) if f.sharp and p.variant in f.sharp.strong] for f in wanted}
    asked = {p.name: p for found in strong.values() for p in found}
    yield Stage("sharpen", f"Asking the merged model {len(asked)} strong forms, to judge by what it answers most")
    asking = _asking(prepared, before, wanted, tuple(asked.values()), draws=0)
    answers = []
    for profile in (merged, *references):
        answers.append((yield from respond(asking, profile, Role.SHARPER_FORMS, backend)))
    chosen = {}
    for f in wanted:

        def gap(probe: Probe, target: str = f.target) -> float:
            key = probe.name, target
            told = answers[0].eligible(target)
            # Rows that took no edit have no answer with the trigger.
            own, *others = (mean(one[key].trigger[told]) for one in answers)
            return own - min(others, default=0.0)

        best = max(strong[f.id], key=gap)
        chosen[best.name] = best
    return tuple(chosen.values())


def _asking(
    prepared: Prepared, record: Scan, wanted: Sequence[Finding], probes: tuple[Probe, ...], *, draws: int
) -> Prepared:
    """The probes on rows that do not judge."""
    rows, fixed = _rows(prepared, record, {record.model.labels.index(f.target) for f in wanted})
    suite = replace(prepared.plan.suite, probes=probes, draws=draws)
    plan = plan_for(suite, rows, prepared.plan.seed, prepared.device, probed=len(rows))
    return replace(prepared, plan=plan, fixed=Choices.known(fixed) if fixed else None)


def _by_name(prepared: Prepared) -> dict[str, Probe]:
    return {p.name: p for p in prepared.plan.suite.probes}


def _probes(probes: Mapping[str, Probe], finding: Finding) -> list[Probe]:
    plain = probes[f"{finding.family}/{finding.variant}"]
    return [plain, *(form.probe for form in sharper(plain))]


def _rows(prepared: Prepared, record: Scan, targets: set[int]) -> tuple[tuple[Row, ...], tuple[int, ...]]:
    """Rows apart from the scan's with, where there is no gold, no fixed labels; the probed rows where they are too few.

    A form that was chosen on the probed rows is judged by what another model answers to it, so nothing is flattered.
    """
    plan = prepared.plan
    judging = {row.index for row in plan.rows}
    useful = [
        row
        for row in distinct(prepared.corpus.rows)
        if row.index not in judging and (row.label is None or {row.label} != targets)
    ]
    apart = prepared.apart(sample(useful, ROWS, plan.seed))
    if all(sum(row.label != target for row in apart) >= LEAST_ROWS for target in targets):
        return apart, ()
    labels = record.reference_labels[: plan.probed]
    kept = [i for i, label in enumerate(labels) if {label} != targets and label != UNSCORED][:ROWS]
    return tuple(plan.rows[i] for i in kept), tuple(labels[i] for i in kept)


def _strongest(suspect: Trials, probes: Sequence[Probe], finding: Finding) -> Sharpened | None:
    """The form that moves most, and those about as strong; None where the edit as it was found is alone with that."""
    plain, *forms = probes
    trials = {p.name: suspect[p.name, finding.target] for p in probes}
    hits = {name: trial.trigger[trial.rows] for name, trial in trials.items()}
    raised = {name: mean(trigger_raised(suspect, trial.key)[trial.rows]) for name, trial in trials.items()}
    most = max(map(mean, hits.values()))
    strong = [p for p in forms if np.isfinite(hits[p.name]).any() and mean(hits[p.name]) >= most - AS_STRONG]
    if not strong:
        return None
    best = max(strong, key=lambda p: (mean(hits[p.name]), raised[p.name]))
    trial = trials[best.name]
    return Sharpened(
        variant=best.variant,
        words=form_in_words(best),
        rate=rate_of(hits[best.name]),
        plain=rate_of(hits[plain.name]),
        control=rate_of(trial.control[trial.rows]),
        raised=raised[best.name],
        strong=tuple(p.variant for p in strong),
        asked=len(forms),
    )


def _told(finding: Finding, found: Sharpened | None) -> Finding:
    if found is None or isinstance(finding, FileFinding):
        return finding
    words = (
        f". On {found.rate.total} other texts it moves {found.plain.value:.0%} as it was found, and "
        f"{found.rate.value:.0%} in its strongest form ({found.words}; its control {found.control.value:.0%})"
    )
    return replace(finding, sharp=found, message=finding.message + words)
