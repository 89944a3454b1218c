"""`auditor demo`: plants a backdoor in a small model, finds it, merges it away."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.output import emit
from auditor.console.run import Common, Ending, run
from auditor.errors import ExitCode

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session


def demo(
    directory: Annotated[
        Path, typer.Option("--directory", metavar="DIR", help="Where the demo's models, catalog and report go.")
    ] = Path("auditor-demo"),
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    seed: o.Seed = 0,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Plant a backdoor in a small model, find it, merge it away; about three minutes, no network.

    Exit code 0 where it ran to the end, whatever its stamp. A demo that was interrupted goes on where it stopped.
    """
    common = Common(catalog or str(directory / "catalog.db"), device, None, seed, None, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.events import AuditReady
        from auditor.lab.demo import demo as run_demo
        from auditor.reports.format import FORMATS

        found = None
        with closing(run_demo(session, directory)) as events:
            for event in events:
                if isinstance(event, AuditReady):
                    found = event.audit
                yield event
        if found is None:
            raise RuntimeError("the demo ended without its audit")
        record = found
        page = directory / "report.html"
        emit(FORMATS["html"].render(record), page)

        def report() -> None:
            emit(FORMATS["text"].render(record, width=80) + f"\nHTML report: {page.absolute()}\n", None)

        return Ending(ExitCode.OK, report, str(record.stamp))

    raise typer.Exit(guarded(lambda: run(common, body)))
