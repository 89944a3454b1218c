"""`auditor files`: what a model's files hold, before anything is loaded."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import typer

from auditor.console import options as o
from auditor.console.files import look_at_files
from auditor.console.guard import guarded
from auditor.console.output import check_format
from auditor.console.run import Common, Ending, run

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session


def files(
    model: o.ModelArg,
    form: o.Format = None,
    output: o.Output = None,
    catalog: o.Catalog = None,
    policy: o.PolicyFile = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Show what a model's files hold, before anything is loaded: pickles, code, odd headers, templates, tokenizers.

    Exit code 0: nothing found; 1: a finding, or something suspicious; 3: a file could not be scanned.
    """
    common = Common(catalog=catalog, policy=policy, events=events, quiet=quiet, plain=plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        check_format(form, output)
        return (yield from look_at_files(session, model, form, output, common))

    raise typer.Exit(guarded(lambda: run(common, body)))
