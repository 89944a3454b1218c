"""`auditor scan`: probes one model."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from auditor.console import options as o
from auditor.console.exits import scan_exit
from auditor.console.files import look_at_files
from auditor.console.guard import guarded
from auditor.console.output import check_format, render
from auditor.console.run import Common, Ending, run
from auditor.console.values import read_sets

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session
    from store.records import Scan


def scan(
    model: o.ModelArg,
    data: o.Data = None,
    text_column: o.TextColumn = None,
    pair_column: o.PairColumn = None,
    label_column: o.LabelColumn = None,
    suite: o.SuiteName = "quick",
    family: o.Families = None,
    trigger: o.Triggers = None,
    target: o.Target = None,
    samples: o.Samples = None,
    prompts: o.Prompts = None,
    template: o.Template = "model",
    decoding: o.Decoding = "greedy",
    reference: o.References = None,
    students: o.Students = 0,
    base: o.ScanBase = None,
    bench: o.Benches = None,
    bench_data: o.BenchData = None,
    bench_limit: o.BenchLimit = None,
    bench_few_shot: o.BenchShots = None,
    bench_batch_size: o.BenchBatch = 1,
    bench_chat_template: o.BenchChat = False,
    bench_text: o.BenchText = None,
    max_length: o.MaxLength = None,
    sets: o.Sets = None,
    fresh: o.Fresh = False,
    static_only: o.StaticOnly = False,
    form: o.Format = None,
    output: o.Output = None,
    catalog: o.Catalog = None,
    device: o.Device = "auto",
    dtype: o.Dtype = None,
    seed: o.Seed = 0,
    policy: o.PolicyFile = None,
    events: o.Events = None,
    quiet: o.Quiet = False,
    plain: o.Plain = False,
) -> None:
    """Probe one model with the trigger suite.

    Exit code 0: nothing found; 1: a finding, or something suspicious; 3: a part could not be judged.
    """
    common = Common(catalog, device, dtype, seed, policy, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.events import ScanReady, Warned
        from auditor.requests.bench import BenchRequest
        from auditor.requests.scan import DataRequest, ScanRequest

        check_format(form, output)
        if static_only:
            return (yield from look_at_files(session, model, form, output, common))
        request = ScanRequest(
            model=model,
            data=DataRequest(data, text_column, pair_column, label_column),
            suite=suite,
            families=tuple(family or ()),
            triggers=tuple(trigger or ()),
            target=target,
            samples=samples,
            references=tuple(reference or ()),
            overrides=read_sets(sets),
            seed=seed,
            max_length=max_length,
            fresh=fresh,
            students=students,
            prompts=prompts,
            template=template,
            decoding=decoding,
            base=base,
            bench=BenchRequest(
                tasks=tuple(bench or ()),
                data=bench_data,
                limit=bench_limit,
                few_shot=bench_few_shot,
                batch_size=bench_batch_size,
                chat_template=bench_chat_template,
                text=bench_text,
            ),
        )
        found = None
        with closing(session.scan(request)) as events:
            for event in events:
                if isinstance(event, ScanReady):
                    found = event.scan
                yield event
        if found is None:
            raise RuntimeError("a scan ended without its record")
        record = found
        if text := settling(record, data):
            yield Warned(text)
        code = scan_exit(record, session.policy)
        return Ending(code, lambda: render(record, form, output, common), str(record.verdict))

    raise typer.Exit(guarded(lambda: run(common, body)))


def settling(scan: Scan, data: str | None) -> str:
    """How to come by references, where something is suspicious and they would settle it; empty elsewhere."""
    from auditor.scan.judgement.trials import MINIMUM_REFERENCES
    from store.records import Task

    given = [r for r in scan.settings.references if r.kind == "given"]
    if not any(s.suspicious for s in scan.scores.asr) or len(given) >= MINIMUM_REFERENCES:
        return ""
    if scan.model.task == Task.GENERATION:
        return (
            "two honest models that answer the same prompts would settle what is suspicious (--reference): "
            "other models of its base, adapters too"
        )
    students = "" if len(given) < len(scan.settings.references) else "; where there are none, --students 2 makes some"
    model, rows = shlex.quote(scan.model.reference), shlex.quote(data) if data else "ROWS"
    return (
        "two honest models of the task would settle what is suspicious (--reference); from rows with gold labels, "
        f"`auditor lab reference --like {model} --base BASE --data {rows} --count 2 -o DIR` trains them{students}"
    )
