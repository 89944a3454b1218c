"""`auditor partners`: who can be merged with a model, who cannot, and why."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import typer

from auditor.commands import options as o
from auditor.commands.guard import guarded
from auditor.commands.run import Common, Ending, check_output, emit, run
from auditor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.merge.partners import Proposal
    from auditor.session import Session


def partners(
    model: o.ModelArg,
    form: o.Format = None,
    output: o.Output = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    seed: o.Seed = 0,
    policy: o.PolicyFile = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Show which catalogued models can be merged with MODEL, best first, and why the others cannot.

    Exit code 0: there is at least one; 1: none.
    """
    common = Common(catalog, device, None, seed, policy, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        if form not in (None, "text", "json"):
            raise UsageError(f"partners are shown as text or json, not as {form}")
        check_output(output)
        yield from ()
        proposals = session.partners(model)
        usable = [p for p in proposals if p.compatibility.ok]
        text = _json(proposals) if form == "json" else _text(proposals)
        code = ExitCode.OK if usable else ExitCode.FOUND
        return Ending(code, lambda: emit(text, output), f"{len(usable)} of {len(proposals)} can be merged")

    raise typer.Exit(guarded(lambda: run(common, body)))


def _json(proposals: list[Proposal]) -> str:
    import json

    rows = [
        {
            "name": p.entry.name,
            "reference": p.entry.profile.ref.reference,
            "digest": p.entry.profile.ref.digest,
            "ok": p.compatibility.ok,
            "reasons": list(p.reasons),
            "reconciled": list(p.compatibility.reconciled),
            "blockers": list(p.compatibility.blockers),
            "last_verdict": str(p.entry.last_verdict) if p.entry.last_verdict else None,
        }
        for p in proposals
    ]
    return json.dumps({"schema": "auditor/partners/1", "partners": rows}, indent=2) + "\n"


def _text(proposals: list[Proposal]) -> str:
    from auditor.reports.visible import visible

    if not proposals:
        return "The catalog holds no other model. Add some with `auditor models add`.\n"
    lines = []
    for p in proposals:
        lines.append(f"{'+' if p.compatibility.ok else '-'} {p.entry.name}  ({p.entry.profile.ref.digest[:12]})")
        words = p.reasons if p.compatibility.ok else p.compatibility.blockers
        lines += [f"    {word}" for word in (*words, *(p.compatibility.reconciled if p.compatibility.ok else ()))]
    return "\n".join(visible(line) for line in lines) + "\n"
