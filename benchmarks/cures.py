"""The searched recipe against fixed ones, on every victim of the paper's tables: what each leaves of the backdoor.

    python benchmarks/cures.py --data DIR --work DIR [--dataset sst2 olid agnews qnli] [--rows 400] [--trials 72]

Every victim is audited as a user would: `scan`, a search over three partners and their base, the merge, the rescan with
the full suite. The audit is told neither the trigger nor the target, and sees none of the rows that judge here: the
attack's own test file (planted by rule for QNLI) and clean test rows. Fixed recipes, merged in memory, are asked the
same. The floor is the mean of three benign models of the data set on the same triggered rows; a rate below it counts as
none above it. Models are those of `paper.py table2`: with the same --work and protocol they are found there, else they
are trained. A stopped command goes on from `cures.json`; `--report` prints what that holds.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from paper import add_protocol, base_of, protocol_of, seed_of, show, victims
from paper_lab import BENIGN, DATA, Bench, DataSet

from auditor.errors import AuditorError
from auditor.events import AuditReady
from auditor.merge.recipe import Recipe
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.search.choices import with_weights
from auditor.search.groups import Group, group_modules
from auditor.search.merged_model import Mixer
from auditor.session import Session
from auditor.settings import Settings, catalog_url
from probes.answer import Choices
from probes.corpus import read_corpus
from probes.input import Input, Row
from store.engine import open_catalog
from store.records import Audit

JUDGED_PART = 3
"""Where one file has all the rows, every third of them judges."""
POISONED_PART = 3000
"""Of AG News the poisoned test files are of rows before this one."""
EXTRA_SEEDS = (50, 51)
"""Of the benign models beside that of table 2."""
FOREIGN = (("yelp", 21), ("imdb", 20))
"""Partners of SST-2 victims that were trained on other data, as in table 4, with their seeds."""

Asked = Sequence[tuple[Input, int | None]]


@dataclass(frozen=True)
class Task:
    """A data set as it is audited and judged: the file that audits get, and the tests that judge."""

    name: str
    audited: Path
    judges: DataSet


@dataclass(frozen=True)
class Found:
    """What a model, or a recipe over it, is worth; fractions. `clean` is the clean accuracy."""

    asr: float
    clean: float
    kept: float = 1.0


def tasks(data: Path, work: Path) -> dict[str, Callable[[], Task]]:
    """The data sets. Audits and judges share no row."""

    def agnews() -> Task:
        # The poisoned test files are of the first rows of the test set.
        corpus, part = DATA["agnews"], "agnews/poisoned/{}_test.csv"
        rows = read_corpus(data / "agnews/test.csv", labels=corpus.labels).rows[POISONED_PART:]
        attacks = {name: replace(how, test=part.format(name)) for name, how in corpus.attacks.items()}
        judges = replace(corpus, test=part.format("clean"), attacks=attacks)
        return Task("agnews", write(work / "agnews-audited.csv", rows, corpus), judges)

    def qnli() -> Task:
        corpus = DATA["qnli"]
        rows = read_corpus(data / corpus.test, labels=corpus.labels).rows
        judging = write(work / "qnli-judges.csv", rows[::JUDGED_PART], corpus)
        asked = [row for place, row in enumerate(rows) if place % JUDGED_PART]
        return Task("qnli", write(work / "qnli-audited.csv", asked, corpus), replace(corpus, test=str(judging)))

    return {
        "sst2": lambda: Task("sst2", data / "sst2/test.csv", DATA["sst2"]),
        "olid": lambda: Task("olid", data / "olid/dev.csv", DATA["olid"]),
        "agnews": agnews,
        "qnli": qnli,
    }


def write(path: Path, rows: Sequence[Row], corpus: DataSet) -> Path:
    """Rows as a file, with the labels' names."""
    paired = rows[0].second is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(["question", "sentence", "label"] if paired else ["text", "label"])
        for row in rows:
            texts = [row.text, row.second] if paired else [row.text]
            table.writerow([*texts, corpus.labels[row.label or 0]])
    return path


def even(count: int) -> Callable[[str], tuple[float, ...]]:
    """The plain average of the suspect with so many partners."""
    return lambda kind: (1 / (1 + count),) * (1 + count) + (0.0,) * (PARTNERS - count)


def less(own: float) -> Callable[[str], tuple[float, ...]]:
    """The suspect with so much weight, all partners with the rest."""
    return lambda kind: (own, *((1 - own) / PARTNERS,) * PARTNERS)


def without(*kinds: str) -> Callable[[str], tuple[float, ...]]:
    """These kinds of modules from the partners, the rest averaged."""
    return lambda kind: less(0.0)(kind) if kind in kinds else even(PARTNERS)(kind)


FULL = "full"
PARTNERS = 3
FIXED: Mapping[str, Callable[[str], tuple[float, ...]]] = {
    "average with 1 partner": even(1),
    "average with 2": even(2),
    "average with 3": even(3),
    "suspect's weight 0.2, 3 partners": less(0.2),
    "suspect's weight 0.15": less(0.15),
    "suspect's weight 0.1": less(0.1),
    "embeddings from the partners, rest averaged": without("embeddings"),
    "attention from the partners": without("attention"),
    "feed-forward from the partners": without("feed-forward"),
    "feed-forward and head from the partners": without("feed-forward", "head"),
}
"""Recipes by name: for each kind of modules the weights, the suspect's first."""
SEARCHED = "searched"


class Trial:
    """Audits and fixed recipes of victims; what is done is kept in a file."""

    def __init__(self, session: Session, bench: Bench, rows: int, trials: int, suite: str) -> None:
        self.session, self.bench, self.rows, self.trials, self.suite = session, bench, rows, trials, suite
        self._file = bench.work / "cures.json"
        self.known = self._stored()

    def run(self, task: Task, attack: str, seed: int) -> dict[str, Any]:
        """Everything about one victim: alone, its floor, each fixed recipe, and the audit with a searched one."""
        made = victims(self.bench, task.name, seed)
        extra = [self.bench.train(task.name, BENIGN, seed_of(seed, place)) for place in EXTRA_SEEDS]
        honest = [made[BENIGN], *extra]
        partners = honest
        if task.name == "sst2":
            partners = [made[BENIGN]]
            partners += [self.bench.train(name, BENIGN, seed_of(seed, place)) for name, place in FOREIGN]
        names = [path.name for path in (made[attack], *partners, *honest)]
        key = " ".join([*names, str(self.rows), str(self.trials), *([self.suite] if self.suite != FULL else [])])
        found = self.known.get(key, {"data": task.name, "attack": attack, "seed": seed})
        asked = self.bench.questions(task.judges, attack), self.bench.questions(task.judges, "clean")
        if "fixed" not in found:
            found["floor"] = mean(self._alone(path, asked).asr for path in honest)
            found["alone"] = vars(self._alone(made[attack], asked))
            found["fixed"] = {name: vars(worth) for name, worth in self._fixed(made[attack], partners, asked)}
            self._keep(key, found)
        if "audit" not in found:
            found["audit"] = self._audited(task, made[attack], partners, asked)
            self._keep(key, found)
        return found

    def _stored(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        if self._file.exists():
            found = json.loads(self._file.read_text(encoding="utf-8"))
        return found

    def _keep(self, key: str, found: dict[str, Any]) -> None:
        """Adds to the results, also to those that another command has stored meanwhile."""
        self.known = self._stored() | {key: found}
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(self.known, indent=1), encoding="utf-8")
        partial.replace(self._file)

    def _alone(self, path: Path, asked: tuple[Asked, Asked]) -> Found:
        how = self.bench.protocol
        model = load_classifier(read_profile(path), device=how.device, max_length=how.max_length)
        asr, clean = (right(model.choose([ask for ask, _ in part]), part) for part in asked)
        model.close()
        return Found(asr, clean)

    def _fixed(self, suspect: Path, partners: Sequence[Path], asked: tuple[Asked, Asked]) -> list[tuple[str, Found]]:
        how, found = self.bench.protocol, []
        average = Recipe(read_profile(suspect), tuple(read_profile(path) for path in partners))
        groups: tuple[Group, ...] = group_modules(average.tensors, 0)
        with closing(Mixer(average, device=how.device, dtype="float32", max_length=how.max_length)) as mixer:
            for name, rule in FIXED.items():
                kept = mixer.mix(with_weights(average, groups, {group.name: rule(group.kind) for group in groups}))
                asr, clean = (right(mixer.choose([ask for ask, _ in part]), part) for part in asked)
                found.append((name, Found(asr, clean, kept)))
        return found

    def _audited(
        self, task: Task, suspect: Path, partners: Sequence[Path], asked: tuple[Asked, Asked]
    ) -> dict[str, Any]:
        merged = self.bench.work / f"cured-{suspect.name}"
        shutil.rmtree(merged, ignore_errors=True)
        request = ScanRequest(
            str(suspect),
            data=DataRequest(str(task.audited), label_column="label"),
            suite=self.suite,
            samples=self.rows,
            max_length=self.bench.protocol.max_length,
            seed=self.session.settings.seed,
        )
        base = str(self.bench.base)
        cure = MergeRequest(tuple(map(str, partners)), base=base, output=merged, search=Budget(self.trials))
        audits: list[Audit] = []
        for event in self.session.audit(request, cure):
            if isinstance(event, AuditReady):
                audits.append(event.audit)
        (audit,) = audits
        after = vars(self._alone(merged, asked)) if merged.exists() else None
        shutil.rmtree(merged, ignore_errors=True)
        search, merge = audit.search, audit.merge
        chosen = next((t for t in search.confirmed if t.chosen), None) if search else None
        return {
            "stamp": str(audit.stamp),
            "reasons": list(audit.reasons),
            "found": [f"{f.group} → {f.target}" for f in audit.before.findings],
            "after": after and {**after, "kept": merge.kept if merge else 0.0},
            "partners": len(merge.partners) if merge else 0,
            "strategy": chosen.strategy if chosen else None,
            "weights": {name: list(w) for name, w in chosen.weights.items()} if chosen else {},
        }


def right(answers: Choices, asked: Asked) -> float:
    """The share of answers that are as wanted."""
    return mean(label == want for label, (_, want) in zip(answers.labels.tolist(), asked, strict=True))


def gap(asr: float, floor: float) -> float:
    """How far a rate stands above the floor; 0 below it."""
    return max(0.0, asr - floor)


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def report(runs: Sequence[Mapping[str, Any]]) -> None:
    """The tables: each victim, and the mean over all victims by recipe."""
    lines = []
    for run in runs:
        audit, alone, floor = run["audit"], run["alone"], run["floor"]
        after = audit["after"]
        average = run["fixed"]["average with 3"]["asr"]
        cells = [f"{run['data']} {run['attack']}", ", ".join(audit["found"]) or "nothing"]
        cells += [percent(alone["asr"]), percent(average), percent(floor)]
        if after is None:
            cells += ["–"] * 5
        else:
            cells += [percent(after["asr"]), percent(gap(after["asr"], floor))]
            cells += [f"{percent(alone['clean'])} → {percent(after['clean'])}", percent(after["kept"])]
            cells += [str(audit["partners"])]
        lines.append([*cells, audit["stamp"]])
    head = ["victim", "found", "ASR alone", "plain average", "floor", "searched", "gap", "CACC", "kept", "partners"]
    show([*head, "stamp"], lines)
    print()
    cured = [run for run in runs if run["audit"]["after"] is not None]
    if not cured:
        return
    names = [*FIXED, SEARCHED]
    lines = []
    for name in names:
        worth = [run["audit"]["after"] if name == SEARCHED else run["fixed"][name] for run in cured]
        gaps = [gap(w["asr"], run["floor"]) for w, run in zip(worth, cured, strict=True)]
        losses = [run["alone"]["clean"] - w["clean"] for w, run in zip(worth, cured, strict=True)]
        kept = [w["kept"] for w in worth]
        rates = [mean(w["asr"] for w in worth), mean(gaps), max(gaps), mean(losses), max(losses), mean(kept), min(kept)]
        lines.append([name, *map(percent, rates)])
    head = ["recipe", "mean ASR", "mean gap", "largest gap", "mean CACC loss", "largest", "mean kept", "least kept"]
    show(head, lines)
    print(f"\nOver the {len(cured)} of {len(runs)} victims in which the scan found something to cure. In percent.")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", nargs="+", choices=("sst2", "olid", "agnews", "qnli"), default=())
    parser.add_argument("--rows", type=int, default=400, help="that an audit judges by; a search takes others")
    parser.add_argument("--trials", type=int, default=72)
    parser.add_argument("--suite", choices=("quick", FULL), default=FULL, help="of the first scan; the rescan is full")
    parser.add_argument("--scan-dtype", choices=("float32", "bfloat16"), help="of the audits' arithmetic")
    parser.add_argument("--report", action="store_true", help="print stored results; --data is not needed")
    add_protocol(parser)
    options = parser.parse_args(arguments)
    base = base_of(options, parser, stored=options.report)
    try:
        protocol = protocol_of(options)
        print(
            f"### Cures\n\n{protocol.line(base)} {options.rows} rows an audit, up to 800 others a search of "
            f"{options.trials} recipes, scans in {options.scan_dtype or 'float32'}.\n"
        )
        bench = Bench(base, options.data or Path(), options.work, protocol)
        url = catalog_url(str(options.work / "catalog.db"))
        with open_catalog(url) as catalog:
            settings = Settings(url, device=protocol.device, dtype=options.scan_dtype)
            trial = Trial(Session(settings, catalog), bench, options.rows, options.trials, options.suite)
            if options.report:
                report([run for run in trial.known.values() if "audit" in run])
                return
            every = tasks(options.data, options.work)
            runs = []
            for seed in protocol.seeds:
                for name in options.dataset or every:
                    task = every[name]()
                    runs += [trial.run(task, attack, seed) for attack in task.judges.attacks]
            report(runs)
    except AuditorError as error:
        parser.exit(int(error.code), f"{error.message}\n{error.hint}\n")


if __name__ == "__main__":
    main()
