"""Every merge strategy against every attack of a zoo whose models were trained alike: ASR and CACC.

    python benchmarks/strategies.py --data DIR --work DIR [--dataset sst2 olid] [--strategies wag ties] [--report]

Two tables a data set: each victim with a benign model, and all models of the data set together (a benign one and one
victim an attack). The models are those of `paper.py table2`: with the same --work and protocol they are found there,
else they are trained. Every merge is judged on the attack's test file and on the clean test rows, and deleted; a
stopped command goes on from `results.json` and `strategies.json`. `--report` prints what these two hold, and trains and
judges nothing.

A strategy runs with its own defaults unless `--set NAME.option=value` says otherwise. Strategies that need a base get
the encoder that all models were made from. `fisher` and `regmean` measure on unlabelled texts that no table judges (the
measurements stay in WORK/statistics). `guided_substitution` searches with such texts and with poisoned training texts
of the attack, as its paper does (see `guiding.py`). A refusal is a cell of its own, with its reason under the table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from guiding import ROWS, search, unjudged
from paper import add_protocol, base_of, cell, protocol_of, show, victims
from paper_lab import AVERAGE, BENIGN, DATA, Bench, Judged, NotJudged, Way

from auditor.console.values import read_sets
from auditor.errors import AuditorError, ModelError, UsageError
from auditor.merge.strategy import STRATEGIES
from probes.corpus import CorpusError
from probes.sampling import sample

SETS = ("sst2", "olid")
"""Data sets with several victims."""
TEXTS = 200
"""Unlabelled texts to measure on."""
GUIDED = "guided_substitution"

UNDEFENDED: Mapping[str, Mapping[str, str]] = {
    "sst2": {"badnet": "100.0", "insertsent": "100.0", "syntactic": "95.7"},
}
AVERAGED: Mapping[str, Mapping[str, str]] = {
    "sst2": {"badnet": "12.7 / 92.9", "insertsent": "3.9 / 92.9", "syntactic": "19.2 / 92.9"},
    "olid": {
        "badnet": "38.5 / 84.5", "insertsent": "55.3 / 84.5", "syntactic": "64.3 / 84.5", "lws": "58.3 / 84.5",
        "bite": "36.3 / 84.5",
    },
}  # fmt: skip
"""arXiv:2402.19334, tables 3 and 8: bert-base, ASR / CACC of the average of one benign and five backdoored models."""
SOURCE = "arXiv:2402.19334 (tables 3 and 8; bert-base, whole training sets, one benign and five backdoored models)"


@dataclass
class Notes:
    """What the results do not hold, by the merge's key: why it was refused, and the modules that a search chose."""

    path: Path
    refused: dict[str, str] = field(default_factory=dict)
    modules: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Notes:
        """The notes of a work directory; empty where there are none yet."""
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return cls(path, dict(stored.get("refused", {})), dict(stored.get("modules", {})))

    def write(self) -> None:
        """Keeps them for the next command."""
        partial = self.path.with_suffix(".partial")
        text = json.dumps({"refused": self.refused, "modules": self.modules}, indent=1)
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.path)


@dataclass(frozen=True)
class Refused:
    """A merge that a strategy does not make, and why."""

    reason: str


Cell = Judged | Refused | None
"""What stands in the table; None where it was not judged yet."""


@dataclass(frozen=True)
class Merger:
    """Merges and judges with any strategy."""

    bench: Bench
    notes: Notes
    options: Mapping[str, Mapping[str, Any]]

    def judge(self, name: str, members: Sequence[Path], attacks: Sequence[str], strategy: str) -> Cell:
        """Rates of a merge (the suspect first), the reason why there is none, or None where it is still to be made."""
        way = Way(strategy, self.options.get(strategy, {}), lambda: self._texts(name))
        key = self.bench.key(name, members, way)
        try:
            if strategy == GUIDED and "modules_replaced" not in way.options:
                modules = "|".join(self._guided(name, members, attacks, key))
                way = replace(way, options={**way.options, "modules_replaced": modules})
            return self.bench.judge(name, members, attacks, way=way)
        except NotJudged:
            return Refused(self.notes.refused[key]) if key in self.notes.refused else None
        except (UsageError, ModelError) as error:
            self.notes.refused[key] = error.message
            self.notes.write()
            return Refused(error.message)

    def _texts(self, name: str) -> Sequence[str]:
        return [row.text for row in sample(unjudged(self.bench.data, name), TEXTS, 0)]

    def _guided(self, name: str, members: Sequence[Path], attacks: Sequence[str], key: str) -> Sequence[str]:
        if key not in self.notes.modules:
            if self.bench.stored:
                raise NotJudged
            if len(members) > 2:
                raise UsageError("it takes the modules of one partner alone: see the first table")
            found = search(self.bench.data, name, attacks[0], members[0], members[1], self.bench.protocol)
            self.notes.modules[key] = list(found.modules)
            self.notes.write()
        return self.notes.modules[key]


def ordered(strategy: str) -> bool:
    """Whether it matters which model is the suspect."""
    return STRATEGIES[strategy].planner is not None


def pairs(merger: Merger, name: str, made: Mapping[str, Path], strategy: str) -> dict[str, Cell]:
    """Each victim with the benign model."""
    found = {}
    for attack in DATA[name].attacks:
        found[attack] = merger.judge(name, [made[attack], made[BENIGN]], [attack], strategy)
    return found


def crowds(merger: Merger, name: str, made: Mapping[str, Path], strategy: str) -> dict[str, Cell]:
    """All models together: one merge, or one a victim where it matters which of them is the suspect."""
    attacks = list(DATA[name].attacks)
    if not ordered(strategy):
        return dict.fromkeys(attacks, merger.judge(name, list(made.values()), attacks, strategy))
    found = {}
    for attack in attacks:
        members = [made[attack], *(path for other, path in made.items() if other != attack)]
        found[attack] = merger.judge(name, members, [attack], strategy)
    return found


def words(cells: Sequence[Cell], attack: str, reasons: list[str]) -> str:
    """A cell of the table; a refusal's reason is numbered."""
    refused = [c.reason for c in cells if isinstance(c, Refused)]
    if refused:
        if refused[0] not in reasons:
            reasons.append(refused[0])
        return f"refused [{reasons.index(refused[0]) + 1}]"
    judged = [c for c in cells if isinstance(c, Judged)]
    return cell(judged, attack) if judged and len(judged) == len(cells) else "not judged"


def tables(merger: Merger, name: str, strategies: Sequence[str]) -> Iterator[tuple[str, list[list[str]], list[str]]]:
    """Title, lines and numbered reasons of both tables of a data set."""
    bench, attacks = merger.bench, list(DATA[name].attacks)
    zoos = [victims(bench, name, seed) for seed in bench.protocol.seeds]
    reasons: list[str] = []
    alone = [[merger.judge(name, [made[a]], [a], AVERAGE.strategy) for made in zoos] for a in attacks]
    undefended = ["none", *(words(cells, a, reasons) for cells, a in zip(alone, attacks, strict=True))]
    blocks = (("each victim with a benign model", pairs), (f"all {len(attacks) + 1} models together", crowds))
    for title, block in blocks:
        lines = [undefended]
        if block is crowds:
            lines.append(_published("none", UNDEFENDED.get(name, {}), attacks))
        for strategy in strategies:
            found = [block(merger, name, made, strategy) for made in zoos]
            lines.append([strategy, *(words([f[a] for f in found], a, reasons) for a in attacks)])
            if block is crowds and strategy == AVERAGE.strategy:
                lines.append(_published(strategy, AVERAGED.get(name, {}), attacks))
        yield title, lines, reasons
        reasons = []


def _published(what: str, figures: Mapping[str, str], attacks: Sequence[str]) -> list[str]:
    return [f"{what}, as published", *(figures.get(attack, "–") for attack in attacks)]


def report(merger: Merger, names: Sequence[str], strategies: Sequence[str]) -> None:
    for name in names:
        for title, lines, reasons in tables(merger, name, strategies):
            print(f"#### {name}: {title}\n")
            show(["strategy", *DATA[name].attacks], lines)
            print()
            for number, reason in enumerate(reasons, 1):
                print(f"[{number}] {reason}")
            if reasons:
                print()
    changed = [f"{name}.{key}={value}" for name, given in merger.options.items() for key, value in given.items()]
    print(
        "Each cell: ASR / CACC in percent. Published: "
        f"{SOURCE}. Strategies run with {', '.join(changed) or 'their defaults'}; at a scale of 1 the mean of task "
        f"vectors (task_arithmetic) is the weight average. fisher and regmean measure on {TEXTS} unlabelled texts; "
        f"guided_substitution sees {ROWS} clean rows and {ROWS} poisoned training texts of the attack. "
        "None of these are test rows; the clean ones of OLID are training rows, for it has no others."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--strategies", nargs="+", choices=list(STRATEGIES), default=list(STRATEGIES))
    parser.add_argument("--set", nargs="+", dest="sets", metavar="NAME.option=value", help="options of strategies")
    parser.add_argument("--report", action="store_true", help="print stored results; --data is not needed")
    add_protocol(parser)
    options = parser.parse_args(arguments)
    base = base_of(options, parser, stored=options.report)
    try:
        protocol = protocol_of(options)
        sets = read_sets(options.sets)
        if unknown := sets.keys() - set(options.strategies):
            parser.error(f"--set names {', '.join(sorted(unknown))}, which is not merged with")
        for name, given in sets.items():
            STRATEGIES[name].settings(given)
        bench = Bench(base, options.data or Path(), options.work, protocol, stored=options.report)
        merger = Merger(bench, Notes.read(options.work / "strategies.json"), sets)
        print(f"### Strategies\n\n{protocol.line(base)}\n")
        # The average first: the others are read against it.
        strategies = sorted(options.strategies, key=lambda name: (name != AVERAGE.strategy, name))
        report(merger, options.dataset, strategies)
    except CorpusError as error:
        parser.exit(2, f"{error.message}\n{error.hint}\n")
    except AuditorError as error:
        parser.exit(int(error.code), f"{error.message}\n{error.hint}\n")


if __name__ == "__main__":
    main()
