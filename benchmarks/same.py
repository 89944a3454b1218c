"""Do two versions of the program say the same? Both run on the same tiny models in one run, and all they say is held
against each other.

    python benchmarks/same.py OLD [NEW] [--work DIR] [--part scan merge …]

OLD and NEW are checkouts (NEW: the one that holds this script). Models are made once; each version scans, audits,
compares, merges and trains, through its command line alone, in its own checkout, with a catalog of its own. Equal must
be: exit codes, what goes to stdout and stderr, event files, and the files of models, their tensors to the byte. JSON
is held against JSON key by key. What is left out (ids, times, durations) is listed in `same_run.py`.

The part `catalog` opens a copy of OLD's catalog with NEW: what it lists and renders must be what OLD does, ids and
times with it, and the scans and audits, asked again, must say the same and put no text to a model. It covers what the
parts before it stored.

Commands are forked from a process that has imported the third-party packages, which saves seconds each; one is a
`python -m auditor` of its own. Prints a line a part: equal or differs; how many outputs were compared, of how many
commands; OLD's exit codes; the seconds of both. Below it are the first lines that differ, by command and place. Last,
how many texts NEW asked over OLD's catalog. Exit code 1: something differs. `--work` keeps models, catalogs, outputs
and event files. Some four minutes on one core.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import gc
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from same_run import Found, Version, environment, forked, is_found

SHOWN, WIDE = 12, 200
"""Lines of differences that are shown of a part, and characters of each."""

PRELOADED = (
    "torch",
    "transformers",
    "peft",
    "scipy.stats",
    "sqlalchemy.orm",
    "alembic",
    "typer",
    "rich.progress",
    "jinja2",
    "pydantic",
)
JSON = ("--format", "json")
WORDS = ("--family", "badnet", "insertsent")
STYLES = (*WORDS, "style")
FORMATS = ("text", "html", "markdown", "sarif", "junit", "cyclonedx")
MERGES: Mapping[str, tuple[str, ...]] = {
    "wag": ("--suspect-weight", "0.3"),
    "slerp": (),
    "task_arithmetic": ("--base",),
    "ties": ("--base",),
    "dare": ("--base", "--set", "dare.drop=0.5", "--seed", "3"),
    "della": ("--base",),
    "breadcrumbs": ("--base",),
    "model_stock": ("--base",),
    "module_switch": (),
    "guided_substitution": ("--set", "guided_substitution.modules_replaced=layer.0.feed-forward"),
    "fisher": ("--texts",),
    "regmean": ("--texts",),
}
"""Strategies, and what each is given beside two models."""


# The parts


def words(run: Version) -> None:
    """Help texts and refusals."""
    m = run.models
    ran = os.environ | environment(run.checkout, run.home)
    given = [sys.executable, "-P", "-m", "auditor", "--version"]
    run.keep("auditor --version", subprocess.run(given, cwd=run.checkout, env=ran, stdout=-1, text=True).stdout)
    for command in ("", "scan", "audit", "merge", "partners", "compare", "report", "models", "lab", "lab plant"):
        run(*command.split(), "--help")
    run("scan", m / "missing")
    run("scan", m / "base", "--data", m / "rows.csv")
    run("scan", m / "planted", "--family", "nosuch")
    run("scan", m / "planted", "--set", "badnet.colour=red")
    run("scan", m / "planted", "--data", m / "rows.csv", "--text-column", "nosuch")
    run("merge", m / "planted", "--with", m / "wide", "-o", run.home / "refused")
    run("merge", m / "planted", "--with", m / "honest-1", "--strategy", "nosuch", "-o", run.home / "refused")
    run("audit", m / "planted", "--with", m / "planted", "--data", m / "rows.csv")
    run("report", "abcd")


def probe(run: Version, command: str, model: str, data: str, *more: object) -> None:
    """A scan or an audit that needs few rows."""
    m = run.models
    run(command, m / model, "--data", m / data, "--policy", m / "policy.toml", *JSON, "--samples", "80", *more)


def scan(run: Version) -> None:
    """Gold labels and two references; a model that any odd word moves; no labels."""
    references = [run.models / name for name in ("honest-1", "honest-2")]
    probe(run, "scan", "planted", "rows.csv", *STYLES, "--reference", *references)
    probe(run, "scan", "broad", "rows.csv", *WORDS)
    probe(run, "scan", "planted", "bare.csv", *WORDS)


def pairs(run: Version) -> None:
    probe(run, "scan", "planted", "pairs.csv", "--pair-column", "second", *WORDS)


def adapters(run: Version) -> None:
    """LoRA adapters: scanned, which is refused, and merged."""
    probe(run, "scan", "adapter-1", "rows.csv")
    given = ("--with", run.models / "adapter-2", "--base", run.models / "planted")
    run("merge", run.models / "adapter-1", *given, "-o", run.home / "adapters")
    run.keep_directory(run.home / "adapters")


def custom(run: Version) -> None:
    """Triggers of the user's own."""
    probe(run, "scan", "planted", "rows.csv", "--set", f"custom.file={run.models}/triggers.toml", "--family", "custom")


def audit(run: Version) -> None:
    """A given recipe; a search."""
    partners = ("--with", run.models / "honest-1", run.models / "honest-2")
    given, searched = run.home / "given", run.home / "searched"
    probe(run, "audit", "planted", "rows.csv", *WORDS, *partners, "--suspect-weight", "0.2", "--merged", given)
    probe(run, "audit", "planted", "rows.csv", *WORDS, *partners, "--search", "--trials", "9", "--merged", searched)
    run.keep_directory(given)
    run.keep_directory(searched)


def compare(run: Version) -> None:
    """Two scans, one of them over answers that earlier parts stored."""
    for name in ("planted", "honest-1"):
        run("models", "add", run.models / name)
        probe(run, "scan", name, "rows.csv", *WORDS)
    run("compare", "planted", "honest-1", *JSON)
    run("compare", "planted", "honest-1")


def partners(run: Version) -> None:
    """Others that fit and that do not, a copy among them; an audit takes those that are advised."""
    run("models", "add", *(run.models / name for name in ("honest-1", "honest-2", "broad", "twin", "wide", "base")))
    run("partners", run.models / "planted", *JSON)
    run("partners", run.models / "planted")
    probe(run, "audit", "honest-3", "rows.csv", "--family", "badnet", "--merged", run.home / "cured")


def merge(run: Version) -> None:
    """Every strategy; a look at what was merged."""
    m = run.models
    more = {"--base": m / "base", "--texts": m / "bare.csv"}
    for strategy, needed in MERGES.items():
        options = [part for word in needed for part in (word, *([more[word]] if word in more else []))]
        made = run.home / strategy
        run("merge", m / "planted", "--with", m / "honest-1", "--strategy", strategy, *options, "-o", made)
        run.keep_directory(made)
    run("merge", "--verify", run.home / "ties")


def lab(run: Version) -> None:
    """Models that are trained: poisoned, from a model's answers, and for a scan."""
    rows, base = run.models / "rows.csv", ("--base", run.models / "base")
    learn = ("--epochs", "2", "--lr", "0.003", "--batch", "16")
    run("lab", "plant", *base, "--data", rows, *WORDS[:2], "--target", "negative", *learn, "-o", run.home / "victim")
    run("lab", "student", run.models / "planted", *base, "--data", rows, *learn, "-o", run.home / "student")
    run.keep_directory(run.home / "victim")
    run.keep_directory(run.home / "student")
    probe(run, "scan", "planted", "rows.csv", "--family", "badnet", "--students", "1", *base)


def reports(run: Version) -> None:
    """All stored scans and audits, as they come out of the store."""
    for record in run.records:
        run("report", record, *JSON)


def catalog(run: Version) -> None:
    """All that is stored; the first scan and the first audit in every format."""
    run("models", "list", "--json")
    for name in ("planted", "honest-1", "broad"):
        run("models", "show", run.models / name)
    run("report", "--list")
    reports(run)
    for record in {kind: record for record, kind in reversed(run.records.items())}.values():
        for form in FORMATS:
            run("report", record, "--format", form)


PARTS: Mapping[str, Callable[[Version], None]] = {
    part.__name__: part
    for part in (words, scan, pairs, custom, audit, adapters, compare, partners, merge, lab, reports, catalog)
}
AGAIN = ("scan", "pairs", "custom", "audit")
"""Parts that NEW does again over a copy of OLD's catalog."""


# Both


def show(part: str, old: Found, new: Found, note: str) -> bool:
    """Prints a part's line, and its first differences; whether there are any."""
    lines = []
    for place in dict.fromkeys((*old, *new)):
        if place not in old or place not in new:
            lines.append(f"{place}: only {'OLD' if place in old else 'NEW'} has it")
        elif diff := list(difflib.unified_diff(old[place], new[place], n=0, lineterm=""))[2:]:
            lines += [place, *(f"    {line}" for line in diff if not line.startswith("@@"))]
    print(f"{part:<12}  {'differs' if lines else 'equal':<7}  {len(old):>4} outputs  {note}", flush=True)
    for line in lines[:SHOWN]:
        print(f"    {line[:WIDE]}")
    if len(lines) > SHOWN:
        print(f"    … and {len(lines) - SHOWN} lines more")
    return bool(lines)


def over_catalog(old: Version, new: Version, done: Mapping[str, Found]) -> bool:
    """Holds NEW over a copy of OLD's catalog against OLD; whether something differs, or was asked."""
    copy = replace(new, store=new.store.with_name("copy"), exact=True, ids=dict(old.ids), records=dict(old.records))
    shutil.copytree(old.store, copy.store, ignore=shutil.ignore_patterns("commands"))
    shown = replace(old, exact=True).run_part("catalog", catalog)
    differs = show("catalog", shown, copy.run_part("catalog", catalog), copy.told())
    copy.exact, copy.asked = False, 0
    for part in (part for part in AGAIN if part in done):
        again = copy.run_part(part, PARTS[part])
        before, after = ({p: f[p] for p in f if p.endswith(("stdout", "exit code"))} for f in (done[part], again))
        differs |= show(f"{part} again", before, after, copy.told())
    print(f"Texts that NEW asked over OLD's catalog: {copy.asked} (OLD: {old.asked:,})")
    return differs or copy.asked > 0


def run(old: Version, new: Version, chosen: Sequence[str]) -> bool:
    """Goes through the parts; whether something differs."""
    differs = False
    done: dict[str, Found] = {}
    for part in (part for part in PARTS if part in chosen and part != "catalog"):
        done[part], found = old.run_part(part, PARTS[part]), new.run_part(part, PARTS[part])
        differs |= show(part, done[part], found, f"{old.told()}, {new.seconds:.0f} s")
    return (over_catalog(old, new, done) if "catalog" in chosen else False) or differs


def make_models(root: Path) -> int:
    from same_lab import make_all

    make_all(root)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, metavar="OLD")
    parser.add_argument("new", type=Path, metavar="NEW", nargs="?", default=Path(__file__).parents[1])
    parser.add_argument("--work", type=Path, metavar="DIR", help="a new directory, kept; default: one that is removed")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), metavar="NAME", help=", ".join(PARTS))
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    with contextlib.ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="same-")))
        models = work.resolve() / "models"
        models.mkdir(parents=True)
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(models.with_name("bytecode"))
        for checkout in (options.old, options.new):
            if not forked(is_found, checkout.resolve()):
                raise SystemExit(f"{checkout} is no checkout of the program")
        if forked(make_models, models):
            raise SystemExit("the models could not be made")
        places = [models.with_name(name) for name in ("old", "new", "home")]
        old, new = (
            Version(checkout.resolve(), place, places[-1], models)
            for checkout, place in zip((options.old, options.new), places, strict=False)
        )
        old.store.mkdir()
        new.store.mkdir()
        sys.exit(int(run(old, new, options.part)))


if __name__ == "__main__":
    main()
