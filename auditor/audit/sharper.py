"""Asks a merged model, and its references, the sharper forms of what was found."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np

from auditor.audit.residual import Part
from auditor.events import Event, Stage
from auditor.scan.asking import respond
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.run import Role
from auditor.scan.plan import plan_for
from auditor.scan.prepare import Prepared
from probes.probe import Probe


def asked_sharper(rescan: Prepared, forms: Sequence[Probe], backend: Backend) -> Generator[Event, None, Part]:
    """The rescan's probed rows with the forms, in a plan of their own: they are measured, and find nothing."""
    plan = rescan.plan
    suite = replace(plan.suite, probes=tuple(forms))
    narrow = plan_for(suite, plan.rows[: plan.probed], plan.seed, rescan.device, probed=plan.probed)
    fixed = None if rescan.fixed is None else rescan.fixed.take(np.arange(plan.probed))
    asked = replace(rescan, plan=narrow, fixed=fixed)
    names = ", ".join(probe.name for probe in forms)
    yield Stage("sharper", f"Asking what is left of the strongest forms: {names}")
    merged = yield from respond(asked, asked.suspect, Role.SHARPER_FORMS, backend)
    references = {}
    for profile in asked.references:
        references[profile.ref.digest] = yield from respond(asked, profile, Role.SHARPER_FORMS, backend)
    return Part(merged, references)


def with_probes(rescan: Prepared, forms: Sequence[Probe]) -> Prepared:
    """A rescan whose suite names the forms too, for whoever asks further rows of its probes."""
    suite = rescan.plan.suite
    return replace(rescan, plan=replace(rescan.plan, suite=replace(suite, probes=(*suite.probes, *forms))))
