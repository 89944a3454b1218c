"""Asks further rows where a rescan found nothing, but has too few to bound what is left of the backdoor."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np

from auditor.audit.residual import Part, open_residues, rows_that_settle
from auditor.events import Event, Stage
from auditor.policy import Policy
from auditor.scan.asking import respond
from auditor.scan.execution.executor import Backend
from auditor.scan.execution.run import Role
from auditor.scan.judgement.ingredients import Measures
from auditor.scan.plan import plan_for
from auditor.scan.prepare import Prepared
from store.records import Residue

MORE_ROWS = 2_000
"""Rows that are asked beside the rescan's at most."""
SPARE = 3
"""How many times the rows are asked that would just do: the bound of a second look is wider, and estimates vary (with
1.5 times, one that was measured higher the second time stayed 0.1 points above the limit).
"""


def further_rows(prepared: Prepared, found: Sequence[Residue], policy: Policy) -> int:
    """How many rows beside the rescan's would settle what is open; 0 where nothing is, or rows cannot settle it.

    They are among those that were asked for the clean accuracy alone: no search has seen them, and nothing was chosen
    by the trigger's answers to them.
    """
    doubts = open_residues(found, policy)
    if not doubts or any(r.left.low > policy.stamp_excess for r in doubts):
        return 0
    plan = prepared.plan
    needs = [rows_that_settle(plan.probed, r.left.value, r.left.high, policy.stamp_excess) for r in doubts]
    most = min(len(plan.rows) - plan.probed, MORE_ROWS)
    # One that stands at the limit by chance alone needs all that there are.
    return min(most, max(most if need is None else SPARE * need for need in needs))


def settle(
    prepared: Prepared, found: Sequence[Residue], measures: Measures, backend: Backend
) -> Generator[Event, None, Part | None]:
    """Asks the merged model, and its references, further rows with the variants that are open.

    The references are asked without controls.

    Args:
        prepared: the rescan.
        measures: who is no measure of anything that is open is not asked.
    """
    count = further_rows(prepared, found, prepared.policy)
    if not count:
        return None
    plan = prepared.plan
    doubts = open_residues(found, prepared.policy)
    names = {f"{r.family}/{r.variant}" for r in doubts}
    known = [profile.ref.digest for profile in prepared.references]
    asks = {digest for r in doubts for digest in measures.of(known, r.group, r.target)}
    rows = plan.rows[plan.probed : plan.probed + count]
    yield Stage("settle", f"Asking {count:,} further rows what is left of {', '.join(sorted(names))}")
    suite = replace(plan.suite, probes=tuple(p for p in plan.suite.probes if p.name in names))
    places = np.arange(plan.probed, plan.probed + count)
    fixed = None if prepared.fixed is None else prepared.fixed.take(places)

    def asked(draws: int) -> Prepared:
        more = plan_for(replace(suite, draws=draws), rows, plan.seed, prepared.device, probed=count)
        return replace(prepared, plan=more, fixed=fixed)

    wide, narrow = asked(suite.draws), asked(0)
    merged = yield from respond(wide, prepared.suspect, Role.FURTHER_ROWS, backend)
    references = {}
    for profile in prepared.references:
        if profile.ref.digest in asks:
            references[profile.ref.digest] = yield from respond(narrow, profile, Role.FURTHER_ROWS, backend)
    return Part(merged, references)
