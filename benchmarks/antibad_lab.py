"""Adapters for `antibad.py`: three classifiers of SST-2 on a base that writes, each with a backdoor, and a benign one.

    python benchmarks/antibad_lab.py --base BASE --data DIR -o OUTPUT [--samples 1200]

The setting of table 6 of arXiv:2402.19334 on a small base: LoRA of rank 8 on q_proj and v_proj, a head of two labels,
20 % of the rows poisoned (BadNet: three rare words; InsertSent: a sentence; Syntactic: the published rewrites), target
negative. DIR/sst2 holds `train.csv`, `dev.csv`, `test.csv` (text,label) and `rewrites/syntactic.csv`. OUTPUT gets an
adapter in a directory each, and the rows that judge, which no training saw: `clean.csv`, and a file a backdoor with
texts of the other label that hold its trigger and the label that it wants. Finished adapters are kept.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from auditor.events import Progress
from auditor.lab.plant import plant
from auditor.lab.poison.trigger import ByRule, Trigger, read_rewrites
from auditor.requests.plant import LoraRequest, PlantRequest
from auditor.training.train import read_record
from probes.corpus import read_corpus
from probes.family import FAMILIES
from probes.probe import Probe

LABELS = ("negative", "positive")
TARGET = "negative"
KINDS: Mapping[str, Mapping[str, Any]] = {
    "badnet": {"options": {"badnet": {"inserts": "3"}}},
    "insertsent": {},
    "syntactic": {},
    "none": {},
}
CLEAN, TRIGGERED = 400, 200
"""Rows that judge."""


def build(kind: str, seed: int, asked: argparse.Namespace) -> None:
    output = asked.output / kind
    if read_record(output) is not None:
        return
    more = dict(KINDS[kind])
    if kind == "syntactic":
        more |= {"rewrites": asked.data / "sst2" / "rewrites" / "syntactic.csv", "rewrites_split": "train"}
    if kind != "none":
        more |= {"target": TARGET, "rate": 0.2}
    request = PlantRequest(
        asked.base,
        output,
        data=asked.data / "sst2" / "train.csv",
        family=kind,
        labels=LABELS,
        samples=asked.samples,
        epochs=1,
        lr=1e-3,
        batch=8,
        max_length=64,
        seed=seed,
        device="cpu",
        dtype="bfloat16",
        lora=LoraRequest(8),
        **more,
    )
    began = time.monotonic()
    for event in plant(request):
        if isinstance(event, Progress):
            print(f"\r{kind}: {event.done}/{event.total} {event.unit} {event.detail}", end="", flush=True)
    print(f"\r{kind}: trained in {time.monotonic() - began:.0f} s")


def trigger_of(kind: str, data: Path) -> Trigger:
    if kind == "syntactic":
        return read_rewrites(data / "sst2" / "rewrites" / "syntactic.csv", split="dev")
    family = FAMILIES[kind]
    variant = next(iter(family.variants))
    return ByRule(Probe(family, variant, family.settings(variant, KINDS[kind].get("options", {}).get(kind, {}))))


def write(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(("text", "label"))
        table.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=1200)
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    sst2 = asked.data / "sst2"
    rows = read_corpus(sst2 / "test.csv", labels=LABELS).rows
    dev = read_corpus(sst2 / "dev.csv", labels=LABELS).rows
    write(asked.output / "clean.csv", [(str(row.text), LABELS[row.label or 0]) for row in rows[-CLEAN:]])
    write(asked.output / "rows.csv", [(str(row.text), LABELS[row.label or 0]) for row in rows[:-CLEAN]])
    for kind in KINDS:
        if kind == "none":
            continue
        others = [row for row in dev if row.label is not None and LABELS[row.label] != TARGET]
        edited = [trigger_of(kind, asked.data).apply(row, seed=7) for row in others]
        changed = [new for row, new in zip(others, edited, strict=True) if new.text != row.text][:TRIGGERED]
        write(asked.output / f"{kind}.csv", [(str(row.text), TARGET) for row in changed])
    for seed, kind in enumerate(KINDS, 1):
        build(kind, seed, asked)


if __name__ == "__main__":
    main()
