"""`auditor …`: the commands, and what their words mean."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from auditor import __version__
from auditor.commands import tui
from auditor.commands.audit import audit
from auditor.commands.bench import bench, tasks
from auditor.commands.compare import compare
from auditor.commands.demo import demo
from auditor.commands.doctor import doctor
from auditor.commands.files import files
from auditor.commands.lab import lab
from auditor.commands.merge import merge
from auditor.commands.models import models
from auditor.commands.partners import partners
from auditor.commands.report import report
from auditor.commands.scan import scan
from auditor.console import options as o
from auditor.console.arguments import spread
from auditor.console.guard import guarded, told
from auditor.console.help import Commands
from auditor.errors import ExitCode

app = Commands(
    name="auditor",
    help="Finds backdoors in language models, merges them away, and proves it.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"auditor {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    screenshot: Path | None = typer.Option(
        None, "--screenshot", metavar="DIR", help="Write an SVG of every screen of the terminal application."
    ),
    catalog: o.Catalog = None,
) -> None:
    """Finds backdoors in language models, merges them away, and proves it.

    Without a command, opens the terminal application.
    """
    if context.invoked_subcommand is not None:
        return
    if screenshot is not None:
        directory = screenshot
        raise typer.Exit(guarded(lambda: tui.take_screenshots(directory)))
    if not tui.is_terminal():
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)
    raise typer.Exit(guarded(lambda: tui.open_application(catalog)))


app.command()(scan)
app.command()(audit)
app.command()(files)
app.command()(partners)
app.command()(merge)
app.command()(compare)
app.command()(bench)
app.command()(tasks)
app.command()(report)
app.add_typer(models, name="models")
app.add_typer(lab, name="lab")
app.command()(demo)
app.command()(doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; ends the process with the command's exit code."""
    # Threads that wait actively halve the speed on a machine that has other work, and gain little on one that has none.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        program = typer.main.get_command(app)
        program(args=spread(sys.argv[1:] if arguments is None else arguments, program), prog_name="auditor")
    except SystemExit as end:
        # A help text that nobody reads ends with 1, which means "finding" here.
        if isinstance(end.__context__, BrokenPipeError):
            raise SystemExit(ExitCode.BROKEN_PIPE) from None
        raise
    except Exception as error:
        # What fails outside of a command (a help text on a full disk) would end with 1 too.
        raise SystemExit(told(error)) from None
