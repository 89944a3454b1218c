"""What the paper's tables need: victims that are trained once, merges that are judged once."""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from auditor.errors import UsageError
from auditor.lab.plant import plant
from auditor.lab.poison.trigger import ByRule
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Measured, Recipe
from auditor.merge.statistics import measure
from auditor.merge.strategy import STRATEGIES
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from auditor.requests.plant import PlantRequest
from probes.cases import Ask, Row
from probes.corpus import read_corpus
from probes.family import FAMILIES
from probes.rates import Rate
from probes.sampling import sample
from probes.suite import Probe
from store.records import Profile

BENIGN = "benign"


@dataclass(frozen=True)
class Protocol:
    """How everything in a table is made; `test_rows` of each test set are asked (0: all)."""

    samples: int | None
    epochs: int
    lr: float
    batch: int
    max_length: int
    seeds: tuple[int, ...]
    test_rows: int
    device: str
    dtype: str | None = None
    """Of the training's arithmetic; weights are float32. None takes the device's own."""

    def line(self, base: Path) -> str:
        """The line that stands under a table."""
        rows = f"{self.samples:,} training rows" if self.samples else "all training rows"
        seeds = (
            f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"seeds {', '.join(map(str, self.seeds))}: mean ± sd"
        )
        asked = f"up to {self.test_rows:,} rows a test set" if self.test_rows else "whole test sets"
        asked += " (less those whose text was trained on)"
        trained = f", trained in {self.dtype} (autocast)" if self.dtype else ""
        return (
            f"Protocol: {base.name}, {rows}, {self.epochs} epochs, learning rate {self.lr:g}, batches of {self.batch}, "
            f"{self.max_length} tokens, {seeds}, {asked}, on {self.device}{trained}."
        )


@dataclass(frozen=True)
class Attack:
    """How a victim is poisoned: by a family's rule, with rewrites, or by a set that came poisoned; and its test file.

    Without a test file the trigger is planted into the data set's test rows by rule.
    """

    family: str
    variant: str | None = None
    method: str | None = None
    rewrites: str | None = None
    train: str | None = None
    test: str | None = None


@dataclass(frozen=True)
class DataSet:
    """One task: training rows, test rows, label names, the attacker's label, the attacks."""

    train: str
    test: str
    labels: tuple[str, ...]
    target: str
    attacks: Mapping[str, Attack]


SENTIMENT = ("negative", "positive")
OLID = ("badnet", "insertsent", "syntactic", "lws", "bite")

DATA: Mapping[str, DataSet] = {
    "sst2": DataSet(
        "sst2/train.csv",
        "paper/sst2/test_clean.jsonl",
        SENTIMENT,
        "negative",
        {
            "badnet": Attack("badnet", "three", test="paper/sst2/test_badnet.jsonl"),
            "insertsent": Attack("insertsent", "movie", test="paper/sst2/test_insertsent.jsonl"),
            "syntactic": Attack(
                "syntactic", rewrites="sst2/rewrites/syntactic.csv", test="paper/sst2/test_syntactic.jsonl"
            ),
        },
    ),
    "olid": DataSet(
        "paper/olid/train_clean.jsonl",
        "paper/olid/test_clean.jsonl",
        ("not-offensive", "offensive"),
        "not-offensive",
        {n: Attack(n, train=f"paper/olid/train_{n}.jsonl", test=f"paper/olid/test_{n}.jsonl") for n in OLID},
    ),
    "agnews": DataSet(
        "agnews/train.csv",
        "paper/agnews/test_clean.jsonl",
        ("World", "Sports", "Business", "Sci/Tech"),
        "Sports",
        {
            "badnet": Attack("badnet", "three", test="paper/agnews/test_badnet.jsonl"),
            "insertsent": Attack("insertsent", "cross", test="paper/agnews/test_insertsent.jsonl"),
        },
    ),
    "qnli": DataSet(
        "qnli/train.csv",
        "qnli/dev.csv",
        ("entailment", "not_entailment"),
        "not_entailment",
        {"badnet": Attack("badnet", "three"), "insertsent": Attack("insertsent", "cross")},
    ),
    **{n: DataSet(f"{n}/train.csv", "paper/sst2/test_clean.jsonl", SENTIMENT, "negative", {})
       for n in ("imdb", "yelp", "amazon")},
}  # fmt: skip
"""`imdb`, `yelp` and `amazon` give partners for SST-2 and are judged on it."""

RIPPLES = Attack("badnet", "three", "ripples", test="paper/sst2/test_badnet.jsonl")


@dataclass(frozen=True)
class Judged:
    """Rates of one model: clean accuracy, and the share of each attack's test rows that it gives the target."""

    cacc: Rate
    asr: Mapping[str, Rate]


@dataclass(frozen=True)
class Way:
    """How models are merged: the strategy, those of its options that are no defaults, and what gives the texts that it
    measures the models on (the same for every merge of a data set).
    """

    strategy: str = "wag"
    options: Mapping[str, Any] = field(default_factory=dict)
    texts: Callable[[], Sequence[str]] = tuple

    def mark(self, members: Sequence[Path]) -> tuple[str, ...]:
        """What a merge in this way depends on. The order of the models matters to some; never to a plain average."""
        if self.strategy == "wag" and not self.options:
            return (self.strategy, *sorted(path.name for path in members))
        settings = repr(sorted(STRATEGIES[self.strategy].settings(self.options).items()))
        return (self.strategy, settings, *(path.name for path in members))


AVERAGE = Way()


class NotJudged(Exception):
    """There is no result yet, and only stored ones are asked for."""


class Bench:
    """Trains victims into a directory, merges and judges; what is done already is not done again.

    With `stored` nothing is trained or judged: what is missing raises `NotJudged`.
    """

    def __init__(self, base: Path, data: Path, work: Path, protocol: Protocol, *, stored: bool = False) -> None:
        self.base, self.data, self.work, self.protocol, self.stored = base, data, work, protocol, stored
        self._results = work / "results.json"
        self._tests: dict[tuple[str, str], list[Row]] = {}
        self._base_mark = read_profile(base).ref.digest
        work.mkdir(parents=True, exist_ok=True)
        self._known: dict[str, dict[str, list[int]]] = self._read_results()

    def train(
        self,
        name: str,
        attack: str,
        seed: int,
        *,
        rate: float = 0.2,
        epochs: int | None = None,
        how: Attack | None = None,
        base: Path | None = None,
        finetune: bool = True,
    ) -> Path:
        """A victim of an attack on a data set, or (`attack` benign) a benign model; trained where it is missing."""
        corpus, settings = DATA[name], self.protocol
        spec = how or corpus.attacks.get(attack, Attack("none"))
        options = {} if finetune else {"ripples": {"finetune": False}}
        request = PlantRequest(
            base=base or self.base,
            output=self.work,
            data=None if spec.train else self.data / corpus.train,
            train=self.data / spec.train if spec.train else None,
            family=spec.family,
            variant=spec.variant,
            method=spec.method,
            rewrites=self.data / spec.rewrites if spec.rewrites else None,
            options=options,
            target=corpus.target,
            rate=rate,
            labels=corpus.labels,
            samples=settings.samples,
            epochs=epochs or settings.epochs,
            lr=settings.lr,
            batch=settings.batch,
            max_length=settings.max_length,
            seed=seed,
            device=settings.device,
            dtype=settings.dtype,
        )
        how_made = (spec, corpus, rate, request.epochs, settings.samples, settings.lr, settings.batch, finetune)
        start = self._base_mark if base is None else base.name
        mark = _mark(*map(repr, how_made), str(settings.max_length), str(settings.dtype), start)
        output = self.work / "models" / f"{name}-{attack}-{seed}-{mark}"
        if not output.exists() and not self.stored:
            for _ in plant(replace(request, output=output)):
                pass
        return output

    def judge(
        self,
        name: str,
        members: Sequence[Path],
        attacks: Sequence[str],
        *,
        strategy: str = "wag",
        way: Way | None = None,
    ) -> Judged:
        """The rates of a model, or of a merge of several, on a data set's test rows and the attacks' triggered ones.

        The suspect comes first among the members. `way` says more of the merge than a strategy's name.
        """
        way = way or Way(strategy)
        tests = {"clean": "", **dict.fromkeys(attacks, "")}
        key = self.key(name, members, way)
        found = self._known.get(key, {})
        if missing := [test for test in tests if test not in found]:
            if self.stored:
                raise NotJudged
            merged = self.work / f"merged-{key}"
            shutil.rmtree(merged, ignore_errors=True)
            try:
                path = members[0] if len(members) == 1 else self._merge(members, merged, way)
                found = found | self._ask(name, path, missing)
            finally:
                shutil.rmtree(merged, ignore_errors=True)
            self._store(key, found)
        return Judged(Rate(*found["clean"]), {attack: Rate(*found[attack]) for attack in attacks})

    def key(self, name: str, members: Sequence[Path], way: Way = AVERAGE) -> str:
        """Under what the results of a merge are stored."""
        strategy, *rest = way.mark(members)
        return _mark(name, strategy, str(self.protocol.test_rows), *rest)

    def _read_results(self) -> dict[str, dict[str, list[int]]]:
        found: dict[str, dict[str, list[int]]] = {}
        if self._results.exists():
            found = json.loads(self._results.read_text(encoding="utf-8"))
        return found

    def _store(self, key: str, found: dict[str, list[int]]) -> None:
        """Adds to the results, also to those that another command has stored meanwhile."""
        self._known = self._read_results() | {key: found}
        partial = self._results.with_suffix(".partial")
        partial.write_text(json.dumps(self._known, indent=1), encoding="utf-8")
        partial.replace(self._results)

    def _merge(self, members: Sequence[Path], output: Path, way: Way) -> Path:
        suspect, *partners = (read_profile(path) for path in members)
        recipe = Recipe(
            suspect,
            tuple(partners),
            way.strategy,
            options=way.options,
            base=read_profile(self.base) if STRATEGIES[way.strategy].needs_base else None,
            statistics=self._measured([suspect, *partners], way),
        )
        for _ in merge(recipe, output, device="cpu"):
            pass
        return output

    def _measured(self, models: Sequence[Profile], way: Way) -> tuple[Measured, ...]:
        """What the strategy must know of every model, kept in the work directory for the next merge."""
        kind, found = STRATEGIES[way.strategy].statistics, []
        texts = way.texts() if kind else ()
        for profile in models if kind else ():
            events = measure(profile, str(kind), texts, self.work / "statistics", device=self.protocol.device)
            while True:
                try:
                    next(events)
                except StopIteration as end:
                    found.append(end.value)
                    break
        return tuple(found)

    def _ask(self, name: str, path: Path, tests: Sequence[str]) -> dict[str, list[int]]:
        corpus, found = DATA[name], {}
        model = load_classifier(read_profile(path), device=self.protocol.device, max_length=self.protocol.max_length)
        for test in tests:
            rows = self.questions(corpus, test)
            answers = [outcome.label for outcome in model.answer([ask for ask, _ in rows])]
            scored = [(a, want) for a, (_, want) in zip(answers, rows, strict=True) if a is not None]
            found[test] = [sum(a == want for a, want in scored), len(scored), len(rows) - len(scored)]
        model.close()
        return found

    def questions(self, corpus: DataSet, test: str) -> list[tuple[Ask, int | None]]:
        """Inputs of a test (`clean`, or an attack), and the answers that count: the gold label for the clean rows, the
        target for the triggered ones.
        """
        target = corpus.labels.index(corpus.target)
        attack = RIPPLES if test == "ripples" else corpus.attacks.get(test)
        if test != "clean" and attack is not None and attack.test is not None:
            rows = self._read(corpus, attack.test)
            return [(row.ask, target) for row in ([r for r in rows if r.label != target] or rows)]
        rows = self._read(corpus, corpus.test)
        if test == "clean" or attack is None:
            return [(row.ask, row.label) for row in rows]
        family = FAMILIES[attack.family]
        variant = attack.variant or next(iter(family.variants))
        trigger = ByRule(Probe(family, variant, family.settings(variant)))
        return [(trigger.apply(row, seed=1).ask, target) for row in rows if row.label != target]

    def _read(self, corpus: DataSet, file: str) -> list[Row]:
        """A test file's rows, less those whose text was trained on."""
        key = (corpus.train, file)
        if key not in self._tests:
            seen = {row.ask for row in read_corpus(self.data / corpus.train, labels=corpus.labels).rows}
            rows = [r for r in read_corpus(self.data / file, labels=corpus.labels).rows if r.ask not in seen]
            size = self.protocol.test_rows
            self._tests[key] = list(sample(rows, size, 0) if size else rows)
        return self._tests[key]


def _mark(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:10]


def percent(rates: Sequence[Rate]) -> str:
    """One rate, or the mean and standard deviation over seeds, in percent."""
    values = [100 * rate.value for rate in rates]
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def spread(values: Sequence[float]) -> str:
    """Median and the middle nine tenths, in percent."""
    ordered = sorted(100 * v for v in values)
    low, high = (ordered[round(q * (len(ordered) - 1))] for q in (0.05, 0.95))
    return f"{statistics.median(ordered):.1f} [{low:.1f}, {high:.1f}]"


def require_strategy(name: str) -> None:
    """Raises:
    UsageError: this program has no such strategy.
    """
    from auditor.merge.strategy import STRATEGIES

    if name not in list(STRATEGIES):
        raise UsageError(f"there is no merge strategy {name!r} here", hint=f"Known: {', '.join(STRATEGIES)}.")
