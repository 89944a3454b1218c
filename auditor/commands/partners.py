"""`auditor partners`: who can be merged with a model, who cannot, and why."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.output import check_output, emit
from auditor.console.run import Common, Ending, run
from auditor.console.values import read_labels
from auditor.errors import ExitCode, UsageError
from auditor.models.files.adapter import bare, is_adapter
from auditor.partners.remarks import Kind

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.partners.hub import Offer, Offers
    from auditor.partners.ranking import Proposal
    from auditor.session import Session

FromHub = Annotated[bool, typer.Option("--hub", help="Search the hub too. Nothing is fetched.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100, help="Models of the hub to show.")]
BaseName = Annotated[
    str | None,
    typer.Option(
        "--base", metavar="NAME", help="The base, of an adapter or on the hub; default: what the model states."
    ),
]


def partners(
    model: o.ModelArg,
    hub: FromHub = False,
    limit: Limit = 10,
    base: BaseName = None,
    labels: o.Labels = None,
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

    With --hub, models of the same base and task on the hub as well: size, licence, commit. Exit code 0: there is at
    least one; 1: none; 3: the hub was to be asked, and could not be.
    """
    common = Common(catalog, device, None, seed, policy, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        if form not in (None, "text", "json"):
            raise UsageError(f"partners are shown as text or json, not as {form}")
        check_output(output)
        yield from ()
        if base is not None and not hub and not is_adapter(bare(session.profile(model))):
            raise UsageError("--base names the base of an adapter, or to search the hub by", hint="Add --hub.")
        proposals = session.partners(model, base=None if hub else base, labels=read_labels(labels))
        offers = session.offers(model, base=base, limit=limit) if hub else None
        usable = [p for p in proposals if p.compatibility.ok]
        text = _json(proposals, offers) if form == "json" else _text(proposals, offers)
        words = f"{len(usable)} of {len(proposals)} can be merged"
        code = ExitCode.OK if usable else ExitCode.FOUND
        if offers is not None:
            fit = sum(offer.ok for offer in offers.found)
            words += f"; {fit} of {len(offers.found)} on the hub seem to fit"
            code = ExitCode.OK if usable or fit else ExitCode.FOUND
        return Ending(code, lambda: emit(text, output), words)

    raise typer.Exit(guarded(lambda: run(common, body)))


def _json(proposals: list[Proposal], offers: Offers | None) -> str:
    import json

    rows = [
        {
            "name": p.entry.name,
            "reference": p.entry.profile.ref.reference,
            "digest": p.entry.profile.ref.digest,
            "ok": p.compatibility.ok,
            "advised": p.advised,
            "score": round(p.rank_score, 2),
            "reasons": list(p.reasons),
            "reconciled": list(p.compatibility.reconciled),
            "blockers": list(p.compatibility.blockers),
            "remarks": [{"kind": str(r.kind), "topic": str(r.topic), "text": r.text} for r in p.remarks],
            "last_verdict": str(p.entry.last_verdict) if p.entry.last_verdict else None,
            "found_by": p.entry.found_by,
            "cacc": p.entry.cacc,
            "licence": p.entry.profile.licence,
            "base": p.entry.profile.base,
        }
        for p in proposals
    ]
    document: dict[str, Any] = {"schema": "auditor/partners/1", "partners": rows}
    if offers is not None:
        document["hub"] = {
            "endpoint": offers.endpoint,
            "base": offers.base,
            "task": offers.task,
            "found": [_offer(offer) for offer in offers.found],
        }
    return json.dumps(document, indent=2) + "\n"


def _offer(offer: Offer) -> dict[str, Any]:
    info = offer.info
    return {
        "name": info.name,
        "commit": info.commit,
        "reference": offer.reference,
        "ok": offer.ok,
        "size": info.size,
        "licence": info.licence,
        "gated": info.gated,
        "downloads": info.downloads,
        "last_modified": info.last_modified,
        "reasons": list(offer.reasons),
        "blockers": list(offer.blockers),
        "remarks": [{"kind": str(r.kind), "topic": str(r.topic), "text": r.text} for r in offer.remarks],
        "command": f"auditor models pull {offer.reference}",
    }


SIGNS = {Kind.BLOCKER: "-", Kind.DOUBT: "?", Kind.WARNING: "!", Kind.FOR: "+", Kind.NOTE: " "}
"""What is said of a partner, in the order in which one should read it."""


def _text(proposals: list[Proposal], offers: Offers | None) -> str:
    from auditor.visible import visible

    lines = []
    for p in proposals:
        mark = "-" if not p.compatibility.ok else ("+" if p.advised else "?")
        lines.append(f"{mark} {p.entry.name}  ({p.entry.profile.ref.digest[:12]})")
        kinds = SIGNS if p.compatibility.ok else (Kind.BLOCKER,)
        lines += [f"    {SIGNS[kind]} {r.text}" for kind in kinds for r in p.remarks if r.kind is kind]
    if not proposals:
        lines.append("The catalog holds no other model. Add some with `auditor models add`.")
    elif any(p.compatibility.ok and not p.advised for p in proposals):
        lines.append("Those with a ? are taken only where they are named (--with).")
    if offers is not None:
        lines += ["", *_offer_lines(offers)]
    return "\n".join(visible(line) for line in lines) + "\n"


def _offer_lines(offers: Offers) -> list[str]:
    what = f"{offers.base}, {offers.task}" if offers.task else offers.base
    if not offers.found:
        return [f"{offers.endpoint} has no model of this base and task ({what})."]
    lines = [f"On {offers.endpoint}, of the same base and task ({what}); nothing was fetched:"]
    for offer in offers.found:
        info = offer.info
        facts = (
            info.name,
            f"{info.size / 1e6:,.1f} MB" if info.size is not None else "size not stated",
            info.licence or "no licence stated",
            "gated" if info.gated else "open",
            f"{info.downloads:,} downloads",
        )
        lines.append(f"{'+' if offer.ok else '-'} {'  '.join(facts)}")
        lines += [f"    {word}" for word in (offer.reasons if offer.ok else offer.blockers)]
        if offer.ok:
            lines.append(f"    to fetch it: auditor models pull {offer.reference}")
    return [*lines, "Labels, tokenizer and shapes are compared once a model is fetched."]
