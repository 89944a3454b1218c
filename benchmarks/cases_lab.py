"""What the cases need: models that are made once and shared by name, audits that are run once, and a judge of its own.

The judge knows what was planted, which the audits are not told. It asks rows that no audit has seen.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from auditor.errors import IncompatibleError
from auditor.events import AuditReady
from auditor.lab.embedded import minilm
from auditor.lab.plant import plant
from auditor.lab.poison.poison import poison
from auditor.lab.poison.trigger import ByRule
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.plant import PlantRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.session import Session
from probes.corpus import read_corpus
from probes.family import FAMILIES
from probes.input import Row
from probes.probe import Probe
from probes.sampling import sample
from store.records import Audit

LABELS = ("negative", "positive")
TASKS: Mapping[str, tuple[str, ...]] = {"sst2": LABELS, "agnews": ("World", "Sports", "Business", "Sci/Tech")}
"""Training sets with their label names."""
FALSE = 0.10
"""A model whose planted ASR stands further above the honest models' than this is not cured."""
GONE = ("sanitised", "replaced")
"""The stamps that say so much: the second, that the cure was worth little beside."""
HONEST = ("honest-a", "honest-b", "honest-c")
"""The models whose mean rate is the floor."""
JUDGED_PART = 3
"""Every third row of the test set judges, and no audit sees it."""
POOL = 4000
"""Rows of the training set that models are trained on; audits get the others, with what the test set has left."""


@dataclass(frozen=True)
class Plant:
    """A planted backdoor: a family's variant with options, and the label that it brings."""

    family: str
    variant: str
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trigger(self) -> ByRule:
        """What plants it into a row."""
        family = FAMILIES[self.family]
        return ByRule(Probe(family, self.variant, family.settings(self.variant, self.options)))

    @property
    def name(self) -> str:
        """In a table; a trigger of our own is none of the suite's."""
        return f"{self.family}/{'own' if self.options else self.variant} → {self.target}"


@dataclass(frozen=True)
class Make:
    """How a model is made: what is planted, by which method, into what, on which rows.

    `public` names a poisoned set that all models of that name train on as it is; `base` another model to go on from;
    `only` a label that all its rows get; `task` the training set; `part` the share of the protocol's rows that it gets.
    """

    plant: Plant | None = None
    method: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    task: str = "sst2"
    base: str | None = None
    public: str | None = None
    only: str | None = None
    part: float = field(default=1.0, repr=False)  # a model's name holds the number of its rows


@dataclass(frozen=True)
class Case:
    """A suspect with the partners that it is given."""

    name: str
    suspect: str
    partners: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """How everything is made and audited."""

    samples: int
    epochs: int
    lr: float
    batch: int
    max_length: int
    rows: int
    trials: int
    device: str
    dtype: str | None


@dataclass(frozen=True)
class Outcome:
    """One audit, and what the judge found; fractions.

    `asr` has for each planted backdoor its rate in the suspect, in the worst partner, after the merge (None: no merge)
    and in honest models; `cacc` the clean accuracy before and after.
    """

    stamp: str
    why: str
    kept: float | None
    asr: Mapping[str, tuple[float, float, float | None, float]]
    cacc: tuple[float, float | None]

    @property
    def worst(self) -> tuple[str, tuple[float, float, float | None, float]]:
        """The backdoor that stands highest above its floor: after the merge, or where there is none in the suspect."""

        def gap(entry: tuple[str, tuple[float, float, float | None, float]]) -> float:
            suspect, _, after, floor = entry[1]
            return (suspect if after is None else after) - floor

        return max(self.asr.items(), key=gap)

    @property
    def gone(self) -> bool | None:
        """Whether the stamp is true that says that the backdoor is gone; None where no stamp says so."""
        _, (_, _, after, floor) = self.worst
        if self.stamp not in GONE or after is None:
            return None
        return after - floor <= FALSE


class Bench:
    """Makes models, audits and judges into a directory; what is done already is not done again."""

    def __init__(self, session: Session, base: Path, data: Path, work: Path, makes: Mapping[str, Make], how: Protocol):
        self.session, self.base, self.data, self.work, self.makes, self.how = session, base, data, work, makes, how
        work.mkdir(parents=True, exist_ok=True)
        self._results = work / "results.json"
        self._known = self._stored()
        self._mark = read_profile(base).ref.digest
        tested = read_corpus(data / "sst2" / "test.csv", labels=LABELS).rows
        known = read_corpus(data / "sst2" / "train.csv", labels=LABELS).rows
        trained = {row.input for row in known}
        fresh = [row for row in tested if row.input not in trained and row.label is not None]
        self.judges: Sequence[Row] = fresh[::JUDGED_PART]
        asked = [row for place, row in enumerate(fresh) if place % JUDGED_PART]
        self._pool = write_rows(work / "pool.csv", known[:POOL], LABELS)
        pooled = {row.input for row in known[:POOL]}
        asked += [row for row in known[POOL:] if row.input not in pooled and row.label is not None]
        self.asked = write_rows(work / "audited.csv", asked, LABELS)
        self._rates: dict[tuple[str, str], float] = {}

    @property
    def judging(self) -> int:
        """Rows that judge."""
        return len(self.judges)

    def model(self, name: str, seed: int) -> Path:
        """A model by name, one a seed; trained where it is missing."""
        make, how = self.makes[name], self.how
        start = self.base if make.base is None else self.model(make.base, seed)
        number = 100 * seed + list(self.makes).index(name)  # partners are made by others: every model has its own
        samples = round(make.part * how.samples)
        settings = number, samples, how.epochs, how.lr, how.batch, how.max_length, how.dtype
        origin = self._mark if make.base is None else start.name
        output = self.work / "models" / f"{name}-{seed}-{_digest(make, settings, origin)}"
        if output.exists():
            return output
        request = PlantRequest(
            base=start,
            output=output,
            labels=TASKS[make.task],
            samples=samples,
            epochs=how.epochs,
            lr=how.lr,
            batch=how.batch,
            max_length=how.max_length,
            seed=number,
            device=how.device,
            dtype=how.dtype,
            **self._rows(name, seed),
        )
        for _ in plant(request):
            pass
        return output

    def _rows(self, name: str, seed: int) -> dict[str, Any]:
        """What a model is trained on, and what is planted."""
        make = self.makes[name]
        source = self._pool if make.task == "sst2" else self.data / make.task / "train.csv"
        if make.only is not None:
            same = [Row.of(r.index, r.text, r.second, LABELS.index(make.only)) for r in self._sampled(source, seed)]
            return {"data": write_rows(self.work / f"{name}-{seed}.csv", same, LABELS)}
        if make.plant is None:
            return {"data": source}
        target = {"family": make.plant.family, "target": make.plant.target}
        if make.public is not None:
            place = list(self.makes).index(make.public)
            rows = self._sampled(source, seed)
            index = LABELS.index(make.plant.target)
            poisoned = poison(rows, make.plant.trigger, target=index, rate=0.2, seed=100 * seed + place).rows
            return {"train": write_rows(self.work / f"{make.public}-{seed}.csv", poisoned, LABELS), **target}
        options = {make.plant.family: make.plant.options, make.method or "": make.settings}
        return {
            "data": source,
            "variant": make.plant.variant,
            "method": make.method,
            "options": {key: value for key, value in options.items() if value},
            **target,
        }

    def _sampled(self, source: Path, seed: int) -> Sequence[Row]:
        return sample(read_corpus(source, labels=LABELS).rows, self.how.samples, seed)

    def planted(self, name: str) -> tuple[Plant, ...]:
        """What a model carries, its base's backdoors with its own."""
        make = self.makes[name]
        inherited = self.planted(make.base) if make.base is not None else ()
        return (*inherited, *([make.plant] if make.plant else []))

    def models(self, case: Case, seed: int) -> dict[str, Path]:
        """The models of a case, and the honest ones that are its floor."""
        return {name: self.model(name, seed) for name in (case.suspect, *case.partners, *HONEST)}

    def run(self, case: Case, seed: int, *, search: bool) -> Outcome:
        """Audits a case and judges what comes of it."""
        models = self.models(case, seed)
        paths = [models[name].name for name in (case.suspect, *case.partners)]
        how = self.how
        trials = how.trials if search else None
        key = _digest(paths, seed, search, how.rows, how.max_length, trials, self.session.settings.dtype)
        if key not in self._known:
            done = self._run(case, models, seed, search, self.work / f"merged-{key}")
            self._known = self._stored() | {key: done}  # a command for other seeds may have stored some meanwhile
            partial = self._results.with_suffix(".partial")
            partial.write_text(json.dumps(self._known, indent=1), encoding="utf-8")
            partial.replace(self._results)
        found = self._known[key]
        asr = {name: tuple(rates) for name, rates in found["asr"].items()}
        return Outcome(found["stamp"], found["why"], found["kept"], asr, tuple(found["cacc"]))

    def _stored(self) -> dict[str, dict[str, Any]]:
        known: dict[str, dict[str, Any]] = {}
        if self._results.exists():
            known = json.loads(self._results.read_text(encoding="utf-8"))
        return known

    def _run(self, case: Case, models: Mapping[str, Path], seed: int, search: bool, merged: Path) -> dict[str, Any]:
        shutil.rmtree(merged, ignore_errors=True)
        try:
            audit = self._audit(case, models, seed, search, merged)
            stamp = str(audit.stamp) if audit.stamp else "no partner"
            why, kept = "\n".join(audit.reasons), audit.merge.kept if audit.merge else None
        except IncompatibleError as error:
            stamp, why, kept = "refused", error.message, None
        after = merged if merged.exists() else None
        names = dict.fromkeys((case.suspect, *case.partners))
        plants = {p.name: p for name in names for p in self.planted(name)}
        asr: dict[str, tuple[float, float, float | None, float]] = {}
        able = [name for name in case.partners if self.makes[name].task == "sst2"]
        for name, planted in plants.items():
            floor = float(np.mean([self.rate(models[honest], planted) for honest in HONEST]))
            partner = max((self.rate(models[other], planted) for other in able), default=0.0)
            left = self.rate(after, planted) if after else None
            asr[name] = (self.rate(models[case.suspect], planted), partner, left, floor)
        cacc = (self.rate(models[case.suspect], None), self.rate(after, None) if after else None)
        shutil.rmtree(merged, ignore_errors=True)
        return {"stamp": stamp, "why": why, "kept": kept, "asr": asr, "cacc": cacc}

    def _audit(self, case: Case, models: Mapping[str, Path], seed: int, search: bool, merged: Path) -> Audit:
        request = ScanRequest(
            str(models[case.suspect]),
            data=DataRequest(str(self.asked), label_column="label"),
            suite="full",
            samples=self.how.rows,
            max_length=self.how.max_length,
            seed=self.session.settings.seed,
        )
        partners = tuple(str(models[name]) for name in case.partners)
        cure = MergeRequest(partners, output=merged, search=Budget(self.how.trials) if search else None)
        found: list[Audit] = []
        for event in self.session.audit(request, cure):
            if isinstance(event, AuditReady):
                found.append(event.audit)
        return found[-1]

    def rate(self, path: Path, planted: Plant | None) -> float:
        """The share of triggered rows that a model gives the target; without a plant, of clean rows that are right."""
        key = path.name, planted.name if planted else ""
        if key not in self._rates:
            model = load_classifier(read_profile(path), device=self.how.device, max_length=self.how.max_length)
            if planted is None:
                asks, wanted = [r.input for r in self.judges], [r.label for r in self.judges]
            else:
                target = LABELS.index(planted.target)
                others = [r for r in self.judges if r.label != target]
                asks = [planted.trigger.apply(r, seed=1).input for r in others]
                wanted = [target] * len(asks)
            answers = model.choose(asks).labels.tolist()
            model.close()
            self._rates[key] = float(np.mean([a == w for a, w in zip(answers, wanted, strict=True)]))
        return self._rates[key]


def lab_parser(description: str) -> argparse.ArgumentParser:
    """The options of every command that makes these models."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="default: the embedded MiniLM")
    parser.add_argument("--layers", type=int, help="of the base; default: all")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--samples", type=int, default=1600, help="training rows")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    return parser


def base_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Path:
    """The base that the options name, cut to its first layers where they say so; the work directory is made."""
    base: Path | None = options.base or minilm()
    if base is None:
        parser.error("the embedded MiniLM is not installed: give a base with --base")
    options.work.mkdir(parents=True, exist_ok=True)
    if options.layers is not None:
        base = cut_base(base, options.work / f"{base.name}-{options.layers}", options.layers)
    return base


def cut_base(base: Path, directory: Path, layers: int) -> Path:
    """A copy of a BERT encoder that ends after so many of its layers."""
    if directory.exists():
        return directory
    partial = directory.with_suffix(f".{os.getpid()}")
    shutil.copytree(base, partial, ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (partial / "config.json").write_text(json.dumps(config | {"num_hidden_layers": layers}), encoding="utf-8")
    beyond = tuple(f"encoder.layer.{place}." for place in range(layers, config["num_hidden_layers"]))
    kept = {n: t for n, t in load_file(base / "model.safetensors").items() if not n.startswith(beyond)}
    save_file(kept, partial / "model.safetensors", {"format": "pt"})
    partial.rename(directory)
    return directory


def write_rows(path: Path, rows: Sequence[Row], labels: Sequence[str]) -> Path:
    """Rows as a file with the columns text and label."""
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(["text", "label"])
        table.writerows([row.text, labels[row.label or 0]] for row in rows)
    return path


def _digest(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(repr, parts)).encode()).hexdigest()[:10]
