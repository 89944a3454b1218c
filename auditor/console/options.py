"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelArg = Annotated[
    str, typer.Argument(metavar="MODEL", help="A directory, org/name\\[@revision] on the hub, or a catalogued name.")
]
ModelArgs = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL",
        help="A directory, org/name\\[@revision] on the hub, or a catalogued name; several are all suspects.",
        show_default=False,
    ),
]
Catalog = Annotated[
    str | None,
    typer.Option("--catalog", metavar="URL", help="The catalog (env AUDITOR_CATALOG).", rich_help_panel="Everywhere"),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", help="auto, cpu, cuda or cuda:N; auto and cuda spread a large model.", rich_help_panel="Everywhere"
    ),
]
Dtype = Annotated[
    str | None, typer.Option("--dtype", help="float32, bfloat16 or float16.", rich_help_panel="Everywhere")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all random choices.", rich_help_panel="Everywhere")]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="Policy file with limits (TOML).", rich_help_panel="Everywhere"),
]
Events = Annotated[
    Path | None,
    typer.Option("--events", metavar="FILE", help="Write one JSON event a line.", rich_help_panel="Everywhere"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Warnings only on stderr.", rich_help_panel="Everywhere")]
Plain = Annotated[bool, typer.Option("--plain", help="No colour, no live display.", rich_help_panel="Everywhere")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME.option=value", help="An option of a family or strategy.", show_default=False),
]
Format = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="text, json, html, markdown, sarif, junit or cyclonedx.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="PATH", help="Write the report there instead of stdout.")
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="csv, tsv, jsonl, json, parquet, txt, - (a pipe) or hub:dataset\\[/config]\\[:split]; default built-in.",
    ),
]
TextColumn = Annotated[str | None, typer.Option("--text-column", help="Column of the texts.")]
PairColumn = Annotated[str | None, typer.Option("--pair-column", help="Column of the second texts (sentence pairs).")]
LabelColumn = Annotated[str | None, typer.Option("--label-column", help="Column of the gold labels.")]
Families = Annotated[
    list[str] | None, typer.Option("--family", metavar="NAME…", help="Only these attack families.", show_default=False)
]
Triggers = Annotated[
    list[str] | None,
    typer.Option(
        "--trigger",
        metavar="ID…",
        help="Fire a stored trigger as well: one that an earlier scan's own file described.",
        show_default=False,
    ),
]
SuiteName = Annotated[str, typer.Option("--suite", help="quick or full.")]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="LABEL",
        help="Judge this label only; of a model that writes, this behaviour, such as refusal or label:NAME.",
    ),
]
Samples = Annotated[
    int | None, typer.Option("--samples", min=1, help="Rows to probe; default: the suite's own number.")
]
References = Annotated[
    list[str] | None,
    typer.Option("--reference", metavar="MODEL…", help="Models that see the same rows and edits.", show_default=False),
]
Students = Annotated[
    int,
    typer.Option(
        "--students",
        metavar="N",
        min=0,
        max=20,
        help="Train N students from the model's own answers to a part of the rows, as references of their own kind.",
    ),
]
ScanBase = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="MODEL",
        help="What an adapter is for, and students start from; default: what the model states.",
    ),
]
Prompts = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        metavar="FILE",
        help="Prompts for a model that writes: txt, jsonl, json, csv, tsv, parquet or hub:dataset; default built-in.",
    ),
]
Template = Annotated[
    str,
    typer.Option("--template", metavar="NAME", help="How prompts are put: model (its chat template), alpaca or raw."),
]
Decoding = Annotated[
    str, typer.Option("--decoding", metavar="NAME", help="How a model writes: greedy, beam (4) or nucleus (0.9, 0.9).")
]
MaxLength = Annotated[int | None, typer.Option("--max-length", min=8, help="Tokens after which an input is cut.")]
StaticOnly = Annotated[
    bool, typer.Option("--static-only", help="Look at the files alone, as `auditor files` does, and load nothing.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Do not reuse stored answers.")]
Partners = Annotated[
    list[str] | None, typer.Option("--with", metavar="MODEL…", help="A model to merge with.", show_default=False)
]
Strategy = Annotated[str, typer.Option("--strategy", metavar="NAME", help="How the models are merged.")]
Weights = Annotated[
    str | None, typer.Option("--weights", metavar="W0,W1,…", help="One weight a model, the suspect's first.")
]
SuspectWeight = Annotated[
    float | None, typer.Option("--suspect-weight", help="The suspect's weight; the partners share the rest evenly.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        metavar="THEIRS=OURS,…",
        help="Partners' labels that are the model's under another name, as NEG=negative,POS=positive.",
        show_default=False,
    ),
]
Base = Annotated[str | None, typer.Option("--base", metavar="MODEL", help="The base model that all were made from.")]
BENCH = "Benchmarks"
Benches = Annotated[
    list[str] | None,
    typer.Option(
        "--bench",
        metavar="NAME…",
        help="A benchmark of the model, and of one made of it: a task of `auditor tasks`; of a classifier, a file.",
        show_default=False,
        rich_help_panel=BENCH,
    ),
]
BenchData = Annotated[
    str | None,
    typer.Option("--bench-data", metavar="DIR", help="Where their rows lie: NAME.jsonl.", rich_help_panel=BENCH),
]
BenchLimit = Annotated[
    int | None, typer.Option("--bench-limit", min=1, help="Rows of each benchmark.", rich_help_panel=BENCH)
]
BenchShots = Annotated[
    int | None,
    typer.Option("--bench-few-shot", min=0, help="Worked examples before each question.", rich_help_panel=BENCH),
]
BenchBatch = Annotated[
    int, typer.Option("--bench-batch-size", min=1, help="Requests that share a pass.", rich_help_panel=BENCH)
]
BenchChat = Annotated[
    bool,
    typer.Option(
        "--bench-chat-template", help="Put questions through the model's chat template.", rich_help_panel=BENCH
    ),
]
BenchText = Annotated[
    str | None, typer.Option("--bench-text", metavar="FILE", help="The text of perplexity.", rich_help_panel=BENCH)
]
BenchPartners = Annotated[bool, typer.Option("--bench-partners", help="Ask the partners too.", rich_help_panel=BENCH)]
BenchLoss = Annotated[
    float | None,
    typer.Option(
        "--max-benchmark-loss",
        metavar="SHARE",
        min=0,
        max=1,
        help="What each may lose at most, at the upper bound, for `sanitised`; default: the policy's, 0.02.",
        rich_help_panel=BENCH,
    ),
]
