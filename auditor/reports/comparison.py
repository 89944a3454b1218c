"""Two scans side by side, as text and as JSON."""

from __future__ import annotations

import json

from auditor.events.log import plain
from auditor.reports.benchmarks import change_json, changes_text
from auditor.visible import visible
from store.records import Comparison


def comparison_json(found: Comparison) -> str:
    """The change of every measure, with the scans' ids, models and verdicts."""
    sides = {
        name: {"id": s.id, "reference": s.model.reference, "digest": s.model.digest, "verdict": str(s.verdict)}
        for name, s in (("before", found.before), ("after", found.after))
    }
    body = {
        "schema": "auditor/comparison/1",
        **sides,
        "change": [{**plain(c), "measure": str(c.measure)} for c in found.change],
        **({"benchmarks": [change_json(c) for c in found.benchmarks]} if found.benchmarks else {}),
    }
    return json.dumps(body, indent=2) + "\n"


def comparison_text(found: Comparison) -> str:
    """One line a measure: before, after, and the change with its 95 % interval."""
    lines = [
        f"before  {found.before.id}  {found.before.model.reference}  {found.before.verdict}",
        f"after   {found.after.id}  {found.after.model.reference}  {found.after.verdict}",
        "",
        f"{'measure':<38} {'before':>7} {'after':>7} {'change':>8}  95 % interval",
    ]
    for c in found.change:
        lines.append(
            f"{str(c.measure)[:38]:<38} {c.before:>7.1%} {c.after:>7.1%} {c.delta.value:>+8.1%}  "
            f"[{c.delta.low:+.1%}, {c.delta.high:+.1%}]"
        )
    lines += changes_text(found.benchmarks)
    return "\n".join(visible(line) for line in lines) + "\n"
