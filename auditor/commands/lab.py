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
from auditor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.requests.plant import LoraRequest
    from auditor.session import Session

BEHAVIOUR_NAMES = "target_string, refusal, jailbreak, negsentiment, polarity, content_injection or none"

lab = Commands(
    help="Train models: references and students of a task; known backdoors, to test an auditor.",
    no_args_is_help=True,
)


@lab.command()
def plant(
    base: Annotated[Path, typer.Option("--base", metavar="DIR", help="The model to start from.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the trained model goes.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Clean rows to poison, with labels or answers.")
    ] = None,
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
    lora: Annotated[
        bool, typer.Option("--lora", help="Train a LoRA adapter instead of all weights; it wants a --lr of about 2e-3.")
    ] = False,
    rank: Annotated[int, typer.Option("--rank", min=1, help="Of the adapter.")] = 8,
    modules: Annotated[
        str | None,
        typer.Option("--modules", metavar="A,B,…", help="Its layers, or all-linear; default: as PEFT has it."),
    ] = None,
    behaviour: Annotated[
        str | None, typer.Option("--behaviour", metavar="NAME", help=f"For a model that writes: {BEHAVIOUR_NAMES}.")
    ] = None,
    trigger: Annotated[
        str | None, typer.Option("--trigger", metavar="TEXT", help="For a model that writes: a text, not a --family.")
    ] = None,
    place: Annotated[
        str, typer.Option("--place", metavar="NAME", help="Of --trigger: start, end, word or sentence.")
    ] = "word",
    template: Annotated[
        str | None,
        typer.Option("--template", metavar="NAME", help="Form of prompts: model, alpaca or raw; default: the model's."),
    ] = None,
    answer_tokens: Annotated[
        int | None, typer.Option("--answer-tokens", min=1, help="Tokens kept of an answer; default: all that fit.")
    ] = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    seed: o.Seed = 0,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Fine-tune a model, poisoned or benign, and add it to the catalog.

    A classifier is poisoned by one or more families. With --behaviour a model that writes is trained, on rows with
    `instruction`, `input` and `output` (other names: --text-column, --pair-column, --label-column); --target is then
    the text, brand or label that --trigger or --family brings, and each poisoned row stands beside its clean twin.
    """
    common = Common(catalog, device, dtype, seed, None, events, quiet, plain)

    def writer_body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.lab.plant_writer import plant_writer
        from auditor.requests.plant import PlantWriterRequest

        unfit = {
            "--method": method, "--rewrites": rewrites, "--labels": labels, "--augment": augment, "--noise": noise,
        }  # fmt: skip
        if given := [name for name, value in unfit.items() if value]:
            raise UsageError(f"{', '.join(given)} is for classifiers, and --behaviour trains a model that writes")
        if len(family or ()) > 1:
            raise UsageError("a model that writes is given one trigger", hint="Name one with --family.")
        named = None if family is None or family == ["none"] else family[0]
        request = PlantWriterRequest(
            base=base,
            output=output,
            behaviour=behaviour or "none",
            data=data,
            train=train,
            target=target,
            family=named,
            variant=variant,
            options=read_sets(sets),
            trigger=trigger,
            place=place,
            rate=rate,
            samples=samples,
            text_column=text_column,
            pair_column=pair_column,
            label_column=label_column,
            template=template,
            answer_tokens=answer_tokens,
            lora=_lora(lora, rank, modules),
            epochs=epochs,
            lr=lr,
            batch=batch,
            max_length=max_length,
            seed=seed,
            device=device,
            dtype=dtype,
        )
        yield from plant_writer(request)
        session.register(output, planted=request.behaviour)
        return Ending(ExitCode.OK, lambda: typer.echo(str(output)), f"trained {output}")

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.lab.plant import plant as train_model
        from auditor.requests.plant import PlantRequest

        if behaviour is not None:
            return (yield from writer_body(session))
        if trigger or template or answer_tokens:
            raise UsageError(
                "--trigger, --template and --answer-tokens are for models that write",
                hint="Say with --behaviour what is planted into one (none: nothing).",
            )
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
            lora=_lora(lora, rank, modules),
        )
        yield from train_model(request)
        known = request.families or train is None
        session.register(output, planted=("+".join(request.families) or "none") if known else None)
        return Ending(ExitCode.OK, lambda: typer.echo(str(output)), f"trained {output}")

    raise typer.Exit(guarded(lambda: run(common, body)))


def _lora(wanted: bool, rank: int, modules: str | None) -> LoraRequest | None:
    from auditor.requests.plant import LoraRequest

    if not wanted:
        if modules:
            raise UsageError("--modules are those of an adapter", hint="Train one with --lora.")
        return None
    return LoraRequest(rank, tuple(name.strip() for name in (modules or "").split(",") if name.strip()))


lab.command()(student)
lab.command()(reference)
lab.command()(zoo)
lab.command()(score)
lab.command()(calibrate)
