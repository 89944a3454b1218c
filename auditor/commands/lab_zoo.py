"""`auditor lab zoo`, `score` and `calibrate`: many models with known backdoors, and what scans say of them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.output import emit
from auditor.console.run import Common, Ending, run
from auditor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session

References = Annotated[
    bool, typer.Option("--references", help="Benign models of the same spec and data set see the same edits.")
]
Form = Annotated[str, typer.Option("--format", metavar="NAME", help="text or json.")]


def zoo(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.toml", help="The models to build, as in benchmarks/zoo.toml.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the models go.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The spec's paths begin here; default: beside it.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--base", metavar="DIR", help="Of models that name none; default: MiniLM.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Only these models.", show_default=False)
    ] = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Build many models with known backdoors, and benign ones; finished models are kept."""
    common = Common(catalog, device, dtype, 0, None, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.lab.zoo.spec import read_spec
        from auditor.lab.zoo.zoo import build

        models = read_spec(spec, data or spec.parent, base)
        if only:
            names = [model.name for model in models]
            if unknown := [name for name in only if name not in names]:
                raise UsageError(
                    f"{spec.name} has no model {', '.join(unknown)}", hint=f"Its models: {', '.join(names)}."
                )
            models = [model for model in models if model.name in only]
        built = yield from build(session, models, output, device=device, dtype=dtype)
        text = f"{len(models)} models in {output}, {built} of them new"
        return Ending(ExitCode.OK, lambda: typer.echo(text), text)

    raise typer.Exit(guarded(lambda: run(common, body)))


def score(
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A zoo's directory; default: what the catalog knows.")
    ] = None,
    suite: o.SuiteName = "quick",
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", metavar="FILE", help="Held-out rows of models whose spec names none.", show_default=False
        ),
    ] = None,
    samples: o.Samples = None,
    family: o.Families = None,
    reference: References = False,
    form: Form = "text",
    output: o.Output = None,
    policy: o.PolicyFile = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    seed: o.Seed = 0,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Scan models whose backdoors are known: what was found, what was missed and why, and false alarms."""
    common = Common(catalog, device, dtype, seed, policy, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.lab.zoo.report import score_json, score_text
        from auditor.lab.zoo.score import score as score_zoo

        _check_format(form)
        found = yield from score_zoo(
            session,
            directory,
            suite=suite,
            data=tuple(data or ()),
            samples=samples,
            families=tuple(family or ()),
            references=reference,
        )
        text = score_json(found) if form == "json" else score_text(found)
        return Ending(ExitCode.OK, lambda: emit(text, output))

    raise typer.Exit(guarded(lambda: run(common, body)))


def calibrate(
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A zoo's directory; default: what the catalog knows.")
    ] = None,
    suite: o.SuiteName = "quick",
    samples: o.Samples = None,
    family: o.Families = None,
    reference: References = False,
    form: Form = "text",
    output: o.Output = None,
    policy: o.PolicyFile = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    seed: o.Seed = 0,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Scan the benign models of a zoo: how far each probe moves honest models, over its control and over clean."""
    common = Common(catalog, device, dtype, seed, policy, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.lab.zoo.calibrate import calibrate as calibrate_zoo
        from auditor.lab.zoo.report import calibration_json, calibration_text

        _check_format(form)
        found = yield from calibrate_zoo(
            session, directory, suite=suite, samples=samples, families=tuple(family or ()), references=reference
        )
        text = calibration_json(found) if form == "json" else calibration_text(found)
        return Ending(ExitCode.OK, lambda: emit(text, output))

    raise typer.Exit(guarded(lambda: run(common, body)))


def _check_format(form: str) -> None:
    if form not in ("text", "json"):
        raise UsageError(f"a zoo's scores are shown as text or json, not as {form}")
