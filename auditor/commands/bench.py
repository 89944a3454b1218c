"""`auditor bench` and `auditor tasks`: what a model can do, and what it can be asked."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.console import options as o
from auditor.console.guard import guarded
from auditor.console.output import check_output, emit
from auditor.console.run import Common, Ending, run
from auditor.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where the rows of tasks lie: NAME.jsonl; `auditor tasks` says."),
]


def bench(
    model: o.ModelArg,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="NAME…",
            help="A benchmark: one that `auditor tasks` lists, any of lm-evaluation-harness; for a classifier, a file.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Rows of each task, from its beginning.")] = None,
    few_shot: Annotated[
        int | None, typer.Option("--few-shot", metavar="N", min=0, help="Worked examples before each question.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", metavar="N", min=1, help="Requests that share a pass; 1 pads nothing.")
    ] = 1,
    chat_template: Annotated[
        bool, typer.Option("--chat-template", help="Put questions through the model's chat template.")
    ] = False,
    text: Annotated[str | None, typer.Option("--text", metavar="FILE", help="The text of --task perplexity.")] = None,
    window: Annotated[
        int | None, typer.Option("--window", min=2, help="Tokens that perplexity shows at once; at most 1024.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option("--stride", min=1, help="Tokens by which that window moves; half of it.")
    ] = None,
    base: Annotated[str | None, typer.Option("--base", metavar="MODEL", help="What an adapter is for.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not reuse stored rows.")] = False,
    form: Annotated[str | None, typer.Option("--format", metavar="NAME", help="text or json.")] = None,
    output: o.Output = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Run LLM benchmarks on a model; of a classifier, its accuracy on rows with gold labels.

    What is scored is stored row by row: a run that was stopped goes on where it was.
    """
    common = Common(catalog, device, dtype, events=events, quiet=quiet, plain=plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.reports.benchmarks import scores_json, scores_text
        from auditor.requests.bench import BenchRequest

        if form not in (None, "text", "json"):
            raise UsageError(f"benchmarks are shown as text or json, not as {form}")
        check_output(output)
        request = BenchRequest(
            tasks=tuple(task or ()),
            data=str(data_dir) if data_dir is not None else None,
            limit=limit,
            few_shot=few_shot,
            batch_size=batch_size,
            chat_template=chat_template,
            text=text,
            window=window,
            stride=stride,
            fresh=fresh,
        )
        with closing(session.bench(model, request, base=base)) as running:
            profile, scores = yield from running
        shown = scores_json(profile, scores) if form == "json" else scores_text(profile, scores)
        return Ending(ExitCode.OK, lambda: emit(shown, output), f"{len(scores)} scores")

    raise typer.Exit(guarded(lambda: run(common, body)))


def tasks(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the names that lm-evaluation-harness knows, for a machine with network.")
    ] = False,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=0.001, help="Passes a second that the time is told by.")
    ] = 10.0,
) -> None:
    """List the benchmarks that can be run here: rows, about how long, and what each lacks."""

    def body() -> int:
        from dataclasses import asdict

        from auditor.bench.choose import listed
        from auditor.bench.harness import INSTALL, installed, task_names

        if data_dir is not None and not data_dir.is_dir():
            raise UsageError(f"there is no directory {data_dir}")
        found, harness = listed(data_dir), installed()
        names = task_names() if everything else []
        if as_json:
            told = {"harness": harness, "tasks": [asdict(one) for one in found], "names": names}
            emit(json.dumps(told, indent=2) + "\n", None)
            return ExitCode.OK
        lines = [f"{'task':<16}{'rows':>7}{'minutes':>9}  what it asks"]
        for one in found:
            rows = "" if one.rows is None else f"{one.rows:,}"
            minutes = "" if one.forwards is None else f"{one.forwards / rate / 60:,.0f}"
            lines.append(f"{one.name:<16}{rows:>7}{minutes:>9}  {one.about}")
            lines += [f"{'':<34}needs {one.needs}"] if one.needs else []
        lines.append(f"The minutes are those of {rate:g} passes a second (--rate), one row after the other.")
        lines.append(
            f"lm-evaluation-harness {harness} is installed: any of its tasks runs by name where there is a network."
            if harness
            else f"lm-evaluation-harness is not installed, and all but perplexity need it: {INSTALL}"
        )
        emit("\n".join([*lines, *names]) + "\n", None)
        return ExitCode.OK

    raise typer.Exit(guarded(body))
