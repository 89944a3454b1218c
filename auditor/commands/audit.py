"""`auditor audit`: scan, merge, rescan, compare, report."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.console import options as o
from auditor.console.exits import audit_exit
from auditor.console.files import look_at_files
from auditor.console.guard import guarded
from auditor.console.output import check_format, render
from auditor.console.run import Common, Ending, run
from auditor.console.values import read_labels, read_sets, read_weights
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.session import Session


def audit(
    models: o.ModelArgs,
    partners: o.Partners = None,
    strategy: o.Strategy = "wag",
    weights: o.Weights = None,
    suspect_weight: o.SuspectWeight = None,
    base: o.Base = None,
    labels: o.Labels = None,
    search: Annotated[bool, typer.Option("--search", help="Search the weights, module by module.")] = False,
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Recipes that a search tries; more of them allow finer ones.")
    ] = 40,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0, help="How long a search may take.")] = None,
    make_partner: Annotated[
        int,
        typer.Option(
            "--make-partner",
            metavar="[N=2]",
            min=0,
            max=20,
            help="Train N partners from the model's own answers to a part of the rows, beside those there are.",
        ),
    ] = 0,
    merged: Annotated[Path | None, typer.Option("--merged", metavar="DIR", help="Where the merged model goes.")] = None,
    data: o.Data = None,
    text_column: o.TextColumn = None,
    pair_column: o.PairColumn = None,
    label_column: o.LabelColumn = None,
    suite: o.SuiteName = "full",
    family: o.Families = None,
    trigger: o.Triggers = None,
    target: o.Target = None,
    samples: o.Samples = None,
    prompts: o.Prompts = None,
    template: o.Template = "model",
    decoding: o.Decoding = "greedy",
    reference: o.References = None,
    students: o.Students = 0,
    bench: o.Benches = None,
    bench_data: o.BenchData = None,
    bench_limit: o.BenchLimit = None,
    bench_few_shot: o.BenchShots = None,
    bench_batch_size: o.BenchBatch = 1,
    bench_chat_template: o.BenchChat = False,
    bench_text: o.BenchText = None,
    bench_partners: o.BenchPartners = False,
    max_benchmark_loss: o.BenchLoss = None,
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
    """Scan a model, merge it with partners, scan the merge, and say what changed.

    Several models are all suspects: they are merged into one, and what is found in any of them must be gone.

    Exit code 0: nothing found, or sanitised; 1: any other stamp, or no partner for a model with a finding.
    """
    common = Common(catalog, device, dtype, seed, policy, events, quiet, plain)

    def body(session: Session) -> Generator[Event, None, Ending]:
        from auditor.events import AuditReady
        from auditor.requests.bench import BenchRequest
        from auditor.requests.merge import Budget, MergeRequest
        from auditor.requests.scan import DataRequest, ScanRequest

        check_format(form, output)
        if max_benchmark_loss is not None:
            session.policy = replace(session.policy, max_benchmark_loss=max_benchmark_loss)
        if static_only and len(models) > 1:
            raise UsageError("--static-only looks at one model at a time")
        if static_only:
            return (yield from look_at_files(session, models[0], form, output, common))
        values = read_sets(sets)
        request = ScanRequest(
            model=models[0],
            data=DataRequest(data, text_column, pair_column, label_column),
            suite=suite,
            families=tuple(family or ()),
            triggers=tuple(trigger or ()),
            target=target,
            samples=samples,
            references=tuple(reference or ()),
            overrides={k: v for k, v in values.items() if k != strategy},
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
                partners=bench_partners,
            ),
        )
        cure = MergeRequest(
            partners=(*models[1:], *(partners or ())),
            together=len(models) > 1,
            strategy=strategy,
            weights=read_weights(weights),
            suspect_weight=suspect_weight,
            base=base,
            options=values.get(strategy, {}),
            labels=read_labels(labels),
            output=merged,
            search=Budget(trials, minutes) if search else None,
            make_partner=make_partner,
        )
        found = None
        with closing(session.audit(request, cure)) as events:
            for event in events:
                if isinstance(event, AuditReady):
                    found = event.audit
                yield event
        if found is None:
            raise RuntimeError("an audit ended without its record")
        record = found
        text = str(record.stamp) if record.stamp else f"no partner; {record.reasons[-1]}"
        return Ending(audit_exit(record, session.policy), lambda: render(record, form, output, common), text)

    raise typer.Exit(guarded(lambda: run(common, body)))
