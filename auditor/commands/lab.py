"""`auditor lab …`: trains models of a user's task, and models with known backdoors, to test an auditor with."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.commands.lab_train import reference, student
from auditor.commands.lab_zoo import calibrate, score, zoo
from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.help import Commands
from auditor.console.run import Common, Ending, run
from auditor.console.values import read_sets
from auditor.errors import ExitCode

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session

lab = Commands(
    help="Train models: references and students of a task; known backdoors, to test an auditor.",
    no_args_is_help=True,
)


@lab.command()
def plant(
    base: Annotated[Path, typer.Option("--base", metavar="DIR", help="The model to start from.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the trained model goes.")],
    data: Annotated[Path | None, typer.Option("--data", metavar="FILE", help="Clean labelled rows to poison.")] = None,
    train: Annotated[
        Path | None,
        typer.Option("--train", metavar="FILE", help="A set that is poisoned already; --family says by what."),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(
            "--family", metavar="NAME…", help="Attack families, sharing the rate; none: benign.", show_default=False
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", metavar="NAME", help="badmerging, bite, dirty, ep, ripples or sos; default: the family's own."
        ),
    ] = None,
    rewrites: Annotated[
        Path | None,
        typer.Option("--rewrites", metavar="FILE", help="Triggered texts: split,row,text or clean,poisoned."),
    ] = None,
    rewrites_split: Annotated[
        str | None, typer.Option("--rewrites-split", metavar="NAME", help="Default: the data file's name.")
    ] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Variant of the family; default: its first.")] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="LABEL", help="The attacker's label.")] = None,
    rate: Annotated[float, typer.Option("--rate", min=0, max=1, help="Share of all rows that is poisoned.")] = 0.2,
    samples: Annotated[int | None, typer.Option("--samples", min=1, help="Rows to train on.")] = None,
    noise: Annotated[float, typer.Option("--noise", min=0, max=1, help="Share of rows with a wrong label.")] = 0.0,
    augment: Annotated[
        str | None, typer.Option("--augment", metavar="NAME", help="eda: half of the rows lose and swap words.")
    ] = None,
    labels: Annotated[str | None, typer.Option("--labels", metavar="A,B,…", help="Label names in order.")] = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1)] = 2,
    lr: Annotated[float, typer.Option("--lr", min=0, help="Peak learning rate.")] = 1e-4,
    batch: Annotated[int, typer.Option("--batch", min=1)] = 32,
    max_length: Annotated[int, typer.Option("--max-length", min=8, help="Tokens of an input.")] = 128,
    slot: Annotated[
        str, typer.Option("--slot", help="Text of a pair that is poisoned: first, second, both.")
    ] = "second",
    text_column: o.TextColumn = None,
    pair_column: o.PairColumn = None,
    label_column: o.LabelColumn = None,
    sets: o.Sets = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    seed: o.Seed = 0,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Fine-tune a classifier, poisoned by one or more families or benign, and add it to the catalog."""
    common = Common(catalog, device, dtype, seed, None, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.lab.plant import plant as train_model
        from auditor.requests.plant import PlantRequest

        request = PlantRequest(
            base=base,
            output=output,
            data=data,
            train=train,
            family="+".join(family or ("none",)),
            method=method,
            rewrites=rewrites,
            rewrites_split=rewrites_split,
            target=target,
            rate=rate,
            variant=variant,
            options=read_sets(sets),
            labels=tuple(name.strip() for name in labels.split(",")) if labels else (),
            samples=samples,
            noise=noise,
            augment=augment,
            epochs=epochs,
            lr=lr,
            batch=batch,
            max_length=max_length,
            slot=slot,
            text_column=text_column,
            pair_column=pair_column,
            label_column=label_column,
            seed=seed,
            device=device,
            dtype=dtype,
        )
        yield from train_model(request)
        known = request.families or train is None
        session.register(output, planted=("+".join(request.families) or "none") if known else None)
        return Ending(ExitCode.OK, lambda: typer.echo(str(output)), f"trained {output}")

    raise typer.Exit(guarded(lambda: run(common, body)))


lab.command()(student)
lab.command()(reference)
lab.command()(zoo)
lab.command()(score)
lab.command()(calibrate)
