"""`auditor report`: renders a stored scan or audit."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.output import check_format, check_output, emit, render
from auditor.console.run import Common, Ending, run
from auditor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session


def report(
    record: Annotated[
        str | None, typer.Argument(metavar="ID", help="Id of a scan or audit, or its beginning.", show_default=False)
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the stored scans and audits.")] = False,
    form: o.Format = None,
    output: o.Output = None,
    catalog: o.Catalog = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Render a stored scan or audit; `--list` shows what is stored."""
    common = Common(catalog=catalog, events=events, quiet=quiet, plain=plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        check_output(output)
        yield from ()
        if listing:
            return Ending(ExitCode.OK, lambda: emit(_list(session), output))
        if record is None:
            raise UsageError("name a scan or an audit by its id", hint="`auditor report --list` shows them.")
        check_format(form, output)
        found = session.record(record)
        return Ending(ExitCode.OK, lambda: render(found, form, output, common))

    raise typer.Exit(guarded(lambda: run(common, body)))


def _list(session: Session) -> str:
    from auditor.visible import visible

    lines = [
        f"audit  {a.id}  {a.started}  {a.stamp or 'no stamp':<15} {a.reference}" for a in session.catalog.audits.list()
    ]
    lines += [f"scan   {s.id}  {s.started}  {s.verdict:<15} {s.reference}" for s in session.catalog.scans.list()]
    return "\n".join(visible(line) for line in lines or ["nothing is stored yet: try `auditor scan MODEL`"]) + "\n"
