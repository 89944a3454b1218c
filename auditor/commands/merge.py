"""`auditor merge`: merges a model with partners, or verifies a merged one."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.console import options as o
from auditor.console.guard import guarded, shown
from auditor.console.output import emit
from auditor.console.run import Common, Ending, run
from auditor.console.values import read_labels, read_sets, read_weights
from auditor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session


def merge(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="The suspect.", show_default=False)] = None,
    partners: o.Partners = None,
    strategy: o.Strategy = "wag",
    weights: o.Weights = None,
    suspect_weight: o.SuspectWeight = None,
    base: o.Base = None,
    labels: o.Labels = None,
    sets: o.Sets = None,
    texts: Annotated[
        str | None,
        typer.Option("--texts", metavar="FILE", help="Unlabelled texts, for strategies that measure the models."),
    ] = None,
    memory: Annotated[
        int | None, typer.Option("--memory", metavar="MIB", min=16, help="Scratch memory at most; default 192 MiB.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="A directory that does not exist yet.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="DIR", help="Check a merged directory against its manifest.")
    ] = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    seed: o.Seed = 0,
    policy: o.PolicyFile = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Merge MODEL with partners into a directory; or, with --verify, recompute what a merged directory claims.

    Exit code of --verify: 0, everything holds; 1, something does not.
    """
    common = Common(catalog, device, None, seed, policy, events, quiet, plain)

    def merging(session: Session) -> Generator[Event, None, Ending]:
        from auditor.requests.merge import MergeRequest

        if model is None:
            raise UsageError("name the model to merge, or a merged directory with --verify")
        if not partners:
            raise UsageError("name at least one partner with --with", hint=f"`auditor partners {model}` lists them.")
        values = read_sets(sets)
        if others := set(values) - {strategy}:
            raise UsageError(f"--set names {', '.join(sorted(others))}; the strategy is {strategy}")
        request = MergeRequest(
            partners=tuple(partners),
            strategy=strategy,
            weights=read_weights(weights),
            suspect_weight=suspect_weight,
            base=base,
            options=values.get(strategy, {}),
            labels=read_labels(labels),
            output=output,
            texts=texts,
            memory=memory,
        )
        yield from session.merge(model, request)
        return Ending(ExitCode.OK, lambda: emit(f"{output}\n", None), f"merged into {output}")

    def verifying(session: Session) -> Generator[Event, None, Ending]:
        if model is not None or partners or verify is None:
            raise UsageError("--verify DIR stands alone: it takes no model and no partner")
        yield from ()
        found = session.verify(verify)
        text = "\n".join(found.problems) or "every digest holds"
        if not found.recomputed:
            text += "\nthe tensors were not made again: the catalog does not have all the sources"
        elif not found.problems:
            text += ", and every tensor is what the recipe makes of its sources"
        code = ExitCode.FOUND if found.problems else ExitCode.OK
        return Ending(code, lambda: emit(f"{shown(text)}\n", None), text)

    raise typer.Exit(guarded(lambda: run(common, merging if verify is None else verifying)))
