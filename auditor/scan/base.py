"""The base of an adapter beside it: the one model of which is known what the adapter made other than it was."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from auditor.events import Event
from auditor.scan.asking import respond
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.run import Role
from auditor.scan.judgement.trials import Trials
from auditor.scan.plan import Plan, plan_with
from auditor.scan.prepare import Prepared


@dataclass(frozen=True)
class BesideBase:
    """A scan with the suspect's base as its last reference, which answered the `narrow` plan alone."""

    prepared: Prepared
    trials: Trials
    narrow: Plan


def beside_base(prepared: Prepared, backend: Backend) -> Generator[Event, None, BesideBase | None]:
    """Asks an adapter's base what the suspect is asked without any trigger; None where there is nothing to ask."""
    base = prepared.suspect.parts[1] if prepared.suspect.parts else None
    plan = prepared.plan
    probes = tuple(probe for probe in plan.suite.probes if probe.untriggered)
    if base is None or not probes or base.ref.digest in {p.ref.digest for p in prepared.references}:
        return None
    narrow = plan_with(replace(plan.suite, probes=probes), plan, prepared.device)
    asked = replace(prepared, plan=narrow)
    trials = yield from respond(asked, base, Role.REFERENCE, backend)
    return BesideBase(replace(prepared, references=(*prepared.references, base)), trials, narrow)
