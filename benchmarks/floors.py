"""Does the stamp's measure of what is left let a backdoor through? One planted trigger at a time, at every dose.

    python benchmarks/floors.py --data DIR --work DIR [--base DIR] [--layers N] [--seeds 0 1 2]

Each poisoned model is averaged with two partners, with less and less of it kept; `auditor.audit.residual` measures what
the merged model still does with the planted trigger, as an audit does where nothing else stands in the way, and so do
the single floors that it chooses among. A floor calls the backdoor gone where the merge can be judged, the trigger is
not found again and at most `stamp_excess` may be left above it, and wrongly so where on other rows the merged model
stands more than that above the mean of three honest models. Partners are honest, honest and trained on fewer rows, or
an honest one beside a carrier of the same trigger. Carriers are known to the measure, as to an audit, save for edits
that references alone decide. `--data` and the models are those of `cases.py`. `--work` keeps models and results: a
stopped command goes on from there. Prints the tables of RESULTS.md.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cases import MAKES
from cases_lab import HONEST, LABELS, Bench, Plant, Protocol, base_of, lab_parser, write_rows

from auditor.audit.residual import Part, residues
from auditor.models.runtime.device import pick_device
from auditor.policy import Policy
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.scan.asking import respond
from auditor.scan.judgement.ingredients import Measures
from auditor.scan.judgement.trials import Trials
from auditor.scan.plan import plan_for
from auditor.scan.prepare import Prepared
from auditor.scan.scan import conclude
from auditor.session import Session
from auditor.settings import Settings, catalog_url
from probes.answer import Choices
from probes.corpus import read_corpus
from probes.family import FAMILIES
from probes.inference import Paired
from probes.rates import upper_bound
from store.engine import open_catalog
from store.records import Scan

VICTIMS = {"victim": "twin", "cross": "cross-twin", "cinema": "cinema-twin"}
VICTIMS |= {"tweets": "tweets-twin", "question": "question-twin"}
"""Poisoned models by name, each with another that is poisoned alike."""
SHARES = (0.1, 0.2, 0.35, 0.5)
"""How much of the poisoned model a merge keeps."""
FLOORS = ("stamp", "control", "mean", "least")
LIMIT = Policy().stamp_excess
JUDGING = 1_500
"""Rows that judge; no merged model is asked them otherwise."""


@dataclass(frozen=True)
class Merge:
    """One merged model: whether a stamp is refused anyway (the trigger was found again or suspicious, or the merge
    could not be judged); the upper bound of what each floor says is left (None: not measured), and what the judge found
    above the honest models.
    """

    refused: bool
    left: Mapping[str, float | None]
    judged: float

    def gone(self, floor: str) -> bool:
        """Whether a floor calls the backdoor gone."""
        bound = self.left[floor]
        return not self.refused and bound is not None and bound <= LIMIT


def partner_sets(victim: str) -> Mapping[str, tuple[str, str]]:
    """The partners that a poisoned model is merged with, in words."""
    return {
        "two honest": ("partner-a", "partner-b"),
        "two honest, fewer rows": ("weak-a", "weak-b"),
        "an honest one, a carrier": ("partner-a", VICTIMS[victim]),
    }


def kind(plant: Plant) -> str:
    """What the stamp holds a trigger against."""
    family = FAMILIES[plant.family]
    if plant.variant in family.loaded:
        return "says something itself"
    return "references alone decide" if plant.variant in family.referenced else "ordinary"


class Floors:
    """Merges, asks and judges; what is done already is not done again."""

    def __init__(self, bench: Bench, rows: int, work: Path) -> None:
        self.bench, self.rows, self.session = bench, rows, bench.session
        self._merged = work / "merged"
        pool = read_corpus(bench.asked, labels=LABELS).rows
        bench.judges = (*bench.judges, *pool[rows:])[:JUDGING]
        self._asked = write_rows(work / "asked.csv", pool[:rows], LABELS)
        self._store = work / "floors.json"
        stored = json.loads(self._store.read_text(encoding="utf-8")) if self._store.exists() else {}
        self._known: dict[str, Merge] = {key: Merge(**entry) for key, entry in stored.items()}

    def merges(self, victim: str, partners: Sequence[str], seed: int) -> list[Merge]:
        """What the floors and the judge say of a poisoned model at every share that is kept."""
        models = "+".join(self.bench.model(name, seed).name for name in (victim, *partners))
        keys = {s: f"{models}/{s}/{self.rows}" for s in SHARES}
        if any(key not in self._known for key in keys.values()):
            for dose, found in self._measure(victim, partners, seed):
                self._known[keys[dose]] = found
            entries = {key: vars(found) for key, found in self._known.items()}
            self._store.write_text(json.dumps(entries, indent=1), encoding="utf-8")
        return [self._known[key] for key in keys.values()]

    def _measure(self, victim: str, partners: Sequence[str], seed: int) -> Iterator[tuple[float, Merge]]:
        bench, backend = self.bench, self.session.backend
        (plant,) = bench.planted(victim)
        suspect, *others = (bench.model(name, seed) for name in (victim, *partners))
        honest = [bench.model(name, seed) for name in HONEST]
        floor = float(np.mean([bench.rate(path, plant) for path in honest]))
        asked = self._prepared(suspect, others, plant)
        references = {p.ref.digest: drained(respond(asked, p, "reference", backend)) for p in asked.references}
        own = drained(respond(asked, asked.suspect, "suspect", backend))
        before = with_finding(conclude(asked, "", own, list(references.values())).record, plant)
        known = kind(plant) != "references alone decide"
        carrying = [p for p in partners if known and any(q.name == plant.name for q in bench.planted(p))]
        carriers = {asked.references[partners.index(p)].ref.digest for p in carrying}
        labels = tuple(before.reference_labels)
        for dose in SHARES:
            shutil.rmtree(self._merged, ignore_errors=True)
            cure = MergeRequest(tuple(map(str, others)), suspect_weight=dose, output=self._merged)
            for _ in self.session.merge(str(suspect), cure):
                pass
            merged = replace(asked, suspect=self.session.profile(str(self._merged)), fixed=Choices.known(labels))
            answers = drained(respond(merged, merged.suspect, "after", backend))
            part = Part(answers, references)
            scan = conclude(merged, "", answers, list(references.values())).record
            fired = [s for s in scan.scores.asr if s.target == plant.target and (s.finding or s.suspicious)]
            left = self._bounds(part, before, carriers, plant)
            place = self._merged.rename(self._merged.with_name(f"{suspect.name}-{'-'.join(partners)}-{dose}"))
            yield dose, Merge(bool(fired or scan.incomplete), left, bench.rate(place, plant) - floor)
            shutil.rmtree(place)

    def _prepared(self, suspect: Path, partners: Sequence[Path], plant: Plant) -> Prepared:
        """A scan for the planted trigger alone."""
        request = ScanRequest(
            str(suspect),
            data=DataRequest(str(self._asked), label_column="label"),
            suite="full",
            families=(plant.family,),
            samples=self.rows,
            references=tuple(map(str, partners)),
            max_length=self.bench.how.max_length,
        )
        whole = self.session.prepare(request)
        suite, rows = whole.plan.suite, whole.plan.rows[: whole.plan.probed]
        probes = tuple(p for p in suite.probes if (p.family.name, p.variant) == (plant.family, plant.variant))
        plan = plan_for(replace(suite, probes=probes), rows, whole.plan.seed, whole.device, probed=len(rows))
        self.session.backend.keep_rows(plan.rows_digest, plan.rows)
        return replace(whole, plan=plan)

    def _bounds(self, part: Part, before: Scan, carriers: set[str], plant: Plant) -> dict[str, float | None]:
        """The upper bound of what is left: the stamp's, and above each single floor."""
        mark = frozenset({(FAMILIES[plant.family].group, plant.target)})
        fired = {(s.family, s.target) for s in before.scores.asr if s.finding or s.suspicious}
        measures = Measures(dict.fromkeys(carriers, mark))
        found = [r for r in residues(fired, [part], measures) if r.target == plant.target]
        (name,) = part.merged.probes
        key = name, plant.target
        own = part.merged[key]
        asr = own.trigger[own.rows]
        honest = [r for digest, r in part.references.items() if digest not in carriers]
        rates = [r[key].trigger[own.rows] for r in honest]
        floors = {
            "control": own.control[own.rows],
            "mean": np.mean(rates, axis=0),
            "least": min(rates, key=np.nanmean),
        }
        bounds = {name: Paired.of(asr, floor).interval().high for name, floor in floors.items()}
        return {"stamp": found[0].left.high if found else None, **bounds}


def with_finding(scan: Scan, plant: Plant) -> Scan:
    """A scan in which the planted trigger was found, be its suite as small as it may."""
    scores = [replace(s, finding=True) if s.target == plant.target else s for s in scan.scores.asr]
    return replace(scan, scores=replace(scan.scores, asr=tuple(scores)))


def drained(events: Iterator[object]) -> Trials:
    """What a run of events gives back."""
    try:
        while True:
            next(events)
    except StopIteration as end:
        trials: Trials = end.value
        return trials


def line(name: str, merges: Sequence[Merge]) -> str:
    """For every floor how many merges it calls cured, and how many of them wrongly, the worst in points."""
    cells = [name, str(len(merges)), str(sum(m.judged <= LIMIT for m in merges))]
    for floor in FLOORS:
        gone = [m for m in merges if m.gone(floor)]
        wrong = [m.judged for m in gone if m.judged > LIMIT]
        worst = f" ({100 * max(wrong):.1f})" if wrong else ""
        cells.append(f"{len(gone)}, {len(wrong)} wrong{worst}")
    return "| " + " | ".join(cells) + " |"


def summary(floor: str, merges: Sequence[Merge]) -> str:
    """How many merges a floor calls cured, of those that are and of those that are not."""
    cured = [m for m in merges if m.judged <= LIMIT]
    left = [m for m in merges if m.judged > LIMIT]
    seen, wrong = (sum(m.gone(floor) for m in part) for part in (cured, left))
    return (
        f"{floor}: calls gone {seen} of the {len(cured)} merges that are at most {100 * LIMIT:.0f} points above honest "
        f"models, and {wrong} of the {len(left)} others (at most {100 * upper_bound(wrong, len(left)):.0f} %)."
    )


HEAD = ("trigger; partners", "merges", "gone (judge)", *FLOORS)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = lab_parser(__doc__ or "")
    parser.add_argument("--rows", type=int, default=500, help="that a merged model is asked")
    options = parser.parse_args(arguments)
    device = pick_device(options.device)
    shaped = (options.samples, options.epochs, options.lr, options.batch, options.max_length)
    how = Protocol(*shaped, rows=options.rows, trials=0, device=device, dtype=None)
    base = base_of(options, parser)
    url = catalog_url(str(options.work / "floors.db"))
    with open_catalog(url) as catalog:
        bench = Bench(Session(Settings(url, device=device), catalog), base, options.data, options.work, MAKES, how)
        floors = Floors(bench, options.rows, options.work)
        found: dict[tuple[str, str], list[Merge]] = {}
        for seed in options.seeds:
            for victim in VICTIMS:
                (plant,) = bench.planted(victim)
                for words, partners in partner_sets(victim).items():
                    merges = floors.merges(victim, partners, seed)
                    found.setdefault((kind(plant), words), []).extend(merges)
                    print(line(f"{plant.family}/{plant.variant}, seed {seed}; {words}", merges), flush=True)
    print("\n| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    for (sort, words), merges in found.items():
        print(line(f"{sort}; {words}", merges))
    every = [m for merges in found.values() for m in merges]
    print()
    for floor in FLOORS:
        print(summary(floor, every))


if __name__ == "__main__":
    main()
