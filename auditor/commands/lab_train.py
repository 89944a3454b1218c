"""`auditor lab student` and `auditor lab reference`: models of a suspect's task, made from the user's own rows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.run import Common, Ending, run
from auditor.errors import ExitCode

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session
    from auditor.students.make import TrainRequest

Output = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the model goes; several: DIR-1, …")]
Base = Annotated[
    str | None, typer.Option("--base", metavar="MODEL", help="What to start from; default: what the model states.")
]
Rows = Annotated[str, typer.Option("--data", metavar="FILE", help="Rows of the task, as `scan --data` takes them.")]
Count = Annotated[int, typer.Option("--count", min=1, max=20, help="So many models, with the seeds from --seed on.")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Default: by the number of rows.")]
Rate = Annotated[float | None, typer.Option("--lr", min=0, help="Peak learning rate; default: by the base's size.")]
Batch = Annotated[int, typer.Option("--batch", min=1)]
MaxLength = Annotated[int, typer.Option("--max-length", min=8, help="Tokens of an input.")]


def student(
    model: o.ModelArg,
    data: Rows,
    output: Output,
    base: Base = None,
    count: Count = 1,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Rows to take, held-out ones with them.")] = 1_000,
    epochs: Epochs = None,
    lr: Rate = None,
    batch: Batch = 32,
    max_length: MaxLength = 128,
    text_column: o.TextColumn = None,
    pair_column: o.PairColumn = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    seed: o.Seed = 0,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Train the model's base with the model's own answers to your rows, which need no labels: a student learns the
    model's leanings as well, but hardly what only a rare trigger brings out. A style may be learnt too.
    """
    common = Common(catalog, device, dtype, seed, None, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.requests.scan import DataRequest
        from auditor.students.make import TrainRequest, students

        source = DataRequest(data, text_column, pair_column)
        request = TrainRequest(source, output, model=model, base=base, samples=samples)
        wanted = _with(request, count, seed, epochs, lr, batch, max_length)
        made = yield from students(wanted, session.resolver, session.settings)
        return _ending(made)

    raise typer.Exit(guarded(lambda: run(common, body)))


def reference(
    data: Rows,
    output: Output,
    base: Base = None,
    like: Annotated[
        str | None, typer.Option("--like", metavar="MODEL", help="The model it is a reference for: labels as there.")
    ] = None,
    labels: Annotated[str | None, typer.Option("--labels", metavar="A,B,…", help="Label names in order.")] = None,
    count: Count = 1,
    samples: Annotated[int | None, typer.Option("--samples", min=1, help="Rows to take; default: all.")] = None,
    epochs: Epochs = None,
    lr: Rate = None,
    batch: Batch = 32,
    max_length: MaxLength = 128,
    text_column: o.TextColumn = None,
    pair_column: o.PairColumn = None,
    label_column: o.LabelColumn = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    seed: o.Seed = 0,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Train an honest model of your task from rows with gold labels, for `scan --reference` or as a partner."""
    common = Common(catalog, device, dtype, seed, None, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.requests.scan import DataRequest
        from auditor.students.make import TrainRequest, references

        names = tuple(name.strip() for name in labels.split(",")) if labels else ()
        source = DataRequest(data, text_column, pair_column, label_column)
        request = TrainRequest(source, output, model=like, base=base, samples=samples, labels=names)
        wanted = _with(request, count, seed, epochs, lr, batch, max_length)
        made = yield from references(wanted, session.resolver, session.settings)
        return _ending(made)

    raise typer.Exit(guarded(lambda: run(common, body)))


def _with(
    request: TrainRequest, count: int, seed: int, epochs: int | None, lr: float | None, batch: int, max_length: int
) -> TrainRequest:
    return replace(request, count=count, seed=seed, epochs=epochs, lr=lr, batch=batch, max_length=max_length)


def _ending(made: list[Path]) -> Ending:
    lines = "\n".join(map(str, made))
    return Ending(ExitCode.OK, lambda: typer.echo(lines), f"trained {', '.join(map(str, made))}")
