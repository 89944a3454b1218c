"""Finds and merges away real backdoors: MiniLM on SST-2, BadNet and InsertSent, with benign partners.

    python benchmarks/audit_sst2.py --data DIR --work DIR [--base DIR] [--samples 1000]

`--data` holds `sst2/train.csv`, `sst2/test.csv` and `yelp/train.csv` (columns text,label; 0 negative, 1 positive).
Models that `--work` holds already are not trained again. Prints the tables of RESULTS.md as Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MODELS = (
    # name, training set, family, seed
    ("badnet-sst2", "sst2", "badnet", 1),
    ("insertsent-sst2", "sst2", "insertsent", 3),
    ("benign-sst2", "sst2", "none", 2),
    ("benign-yelp", "yelp", "none", 4),
)
VICTIMS = ("badnet-sst2", "insertsent-sst2")
PARTNERS = ("benign-sst2", "benign-yelp")
RECIPES = ("0.33", "0.2", "0.1", "search")


def auditor(*words: str) -> dict[str, Any]:
    """Runs a command and gives back its JSON report."""
    done = subprocess.run([sys.executable, "-P", "-m", "auditor", *words], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"auditor {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout) if done.stdout.startswith("{") else {}


def train(base: Path, data: Path, work: Path, catalog: str) -> None:
    """Plants what is not there yet: 3,200 rows, 2 epochs, learning rate 1e-4, 20 % poisoned."""
    for name, corpus, family, seed in MODELS:
        if (work / name).exists():
            continue
        words = ["lab", "plant", "--base", str(base), "--data", str(data / corpus / "train.csv"), "--family", family]
        words += ["--labels", "negative,positive", "--samples", "3200", "--epochs", "2", "--lr", "1e-4"]
        words += ["--seed", str(seed), "-o", str(work / name), "--catalog", catalog, "--quiet"]
        auditor(*words, *(["--target", "negative", "--rate", "0.2"] if family != "none" else []))


def percent(rate: dict[str, Any]) -> str:
    """A rate with its counts."""
    return f"{rate['value']:.1%} ({rate['hits']}/{rate['total']})"


def scan_table(common: list[str], work: Path) -> None:
    """One line a model: what was found."""
    print("| model | verdict | found (group → target) | worst ASR of the planted target | CACC |")
    print("|---|---|---|---|---|")
    for name, *_ in MODELS:
        found = auditor("scan", str(work / name), *common)
        groups = ", ".join(f"{f['rule']}: {f['group']} → {f['target']}" for f in found["findings"]) or "–"
        worst = max((s for s in found["scores"]["asr"] if s["target"] == "negative"), key=lambda s: s["rate"]["value"])
        asr = f"{worst['family']}/{worst['variant']} {percent(worst['rate'])}, control {worst['control']['value']:.1%}"
        print(f"| {name} | {found['verdict']} | {groups} | {asr} | {percent(found['scores']['cacc'])} |", flush=True)


def audit_table(common: list[str], work: Path) -> None:
    """One line a victim and recipe (the suspect's weight, or a searched one): before and after."""
    print("| victim | recipe | kept | ASR before | ASR after | floor gap after | CACC before | CACC after | stamp |")
    print("|---|---|---|---|---|---|---|---|---|")
    for victim in VICTIMS:
        for recipe in RECIPES:
            merged = work / f"merged-{victim}-{recipe}"
            words = ["audit", str(work / victim), "--with", *(str(work / p) for p in PARTNERS), *common]
            words += ["--search"] if recipe == "search" else ["--suspect-weight", recipe]
            if not merged.exists():
                words += ["--merged", str(merged)]
            print(line(victim, recipe, auditor(*words)), flush=True)


def line(victim: str, recipe: str, found: dict[str, Any]) -> str:
    """An audit as a table's line; ASR is that of the strongest finding."""
    lead = found["before"]["findings"][0]
    same = [
        s
        for side in ("before", "after")
        for s in found[side]["scores"]["asr"]
        if (s["family"], s["variant"], s["target"]) == (lead["family"], lead["variant"], lead["target"])
    ]
    gap = same[1]["floor_gap"]
    floor = f"{gap['value']:+.1%} [{gap['low']:+.1%}, {gap['high']:+.1%}]"
    cacc = [percent(found[side]["scores"]["cacc"]) for side in ("before", "after")]
    asr = [percent(s["rate"]) for s in same]
    label = f"{victim} ({lead['family']}/{lead['variant']})"
    kept = f"{found['merge']['kept']:.0%}"
    return f"| {label} | {recipe} | {kept} | {asr[0]} | {asr[1]} | {floor} | {cacc[0]} | {cacc[1]} | {found['stamp']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="default: the embedded MiniLM")
    parser.add_argument("--samples", default="1000")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.base is None:
        from auditor.embedded import minilm

        options.base = minilm()
    catalog = str(options.work / "catalog.db")
    train(options.base, options.data, options.work, catalog)
    common = ["--data", str(options.data / "sst2" / "test.csv"), "--samples", options.samples, "--suite", "full"]
    common += ["--format", "json", "--catalog", catalog, "--quiet"]
    scan_table(common, options.work)
    print()
    audit_table(common, options.work)


if __name__ == "__main__":
    main()
