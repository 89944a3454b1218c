"""`auditor compare`: two stored scans side by side."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.output import check_output, emit
from auditor.console.run import Common, Ending, run
from auditor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session


def compare(
    before: str = typer.Argument(metavar="BEFORE", help="A scan's id, or a catalogued model (its last scan)."),
    after: str = typer.Argument(metavar="AFTER", help="Another scan of the same rows."),
    form: o.Format = None,
    output: o.Output = None,
    catalog: o.Catalog = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Show what changed between two scans of the same rows, paired row by row."""
    common = Common(catalog=catalog, events=events, quiet=quiet, plain=plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.reports.comparison import comparison_json, comparison_text

        if form not in (None, "text", "json"):
            raise UsageError(f"a comparison is shown as text or json, not as {form}")
        check_output(output)
        yield from ()
        found = session.compare(before, after)
        text = comparison_json(found) if form == "json" else comparison_text(found)
        return Ending(ExitCode.OK, lambda: emit(text, output))

    raise typer.Exit(guarded(lambda: run(common, body)))
