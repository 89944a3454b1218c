"""`auditor …`: the commands, and what their words mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from auditor import __version__
from auditor.commands.arguments import spread
from auditor.commands.audit import audit
from auditor.commands.compare import compare
from auditor.commands.demo import demo
from auditor.commands.doctor import doctor
from auditor.commands.lab import lab
from auditor.commands.merge import merge
from auditor.commands.models import models
from auditor.commands.partners import partners
from auditor.commands.report import report
from auditor.commands.scan import scan

app = typer.Typer(
    name="auditor",
    help="Finds backdoors in language models, merges them away, and proves it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"auditor {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Finds backdoors in language models, merges them away, and proves it."""


app.command()(scan)
app.command()(audit)
app.command()(partners)
app.command()(merge)
app.command()(compare)
app.command()(report)
app.add_typer(models, name="models")
app.add_typer(lab, name="lab")
app.command()(demo)
app.command()(doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; ends the process with the command's exit code."""
    app(args=spread(list(sys.argv[1:] if arguments is None else arguments)), prog_name="auditor")
