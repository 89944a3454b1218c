"""Reproduces tables and figures of "Here's a Free Lunch" (arXiv:2402.19334), one command each.

    python benchmarks/paper.py table2 --data DIR --work DIR [--base DIR] [--device cpu] [--dataset sst2 olid]

table2   each victim alone; with a benign model; all victims without a benign one; all: weight averages
table4   SST-2 victims with partners from IMDB, Yelp and Amazon, in all seven combinations
figure6  RIPPLES poisoned on Amazon, IMDB, Yelp, fine-tuned clean on SST-2, merged with others
table5   poisoning rates on SST-2                     table9   the same on AG News and QNLI
figure3  TIES against the weight average, across domains
figure4  training lengths of benign model and victim, 3 × 3
figure5  200 random mixes of 729: for each of benign and five attacks on OLID one of three models
figure7  200 random mixes of 1,024: for each of five attacks on OLID one of four models, no benign one

`--data` holds the data sets (sst2/train.csv, paper/olid/train_lws.jsonl, …). `--work` keeps what is trained and judged:
a stopped command goes on from there. Without a GPU the protocol is 3,200 rows, 2 epochs, learning rate 1e-4, one seed;
on one it is all rows, 3 epochs, three seeds. Figures in percent; ASR counts test rows with the trigger that get the
target label, CACC clean test rows that get their own.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from paper_lab import BENIGN, DATA, RIPPLES, Bench, Judged, Protocol, percent, require_strategy, spread

from auditor.errors import AuditorError
from auditor.lab.embedded import minilm
from auditor.models.runtime.device import pick_device

PAPER: Mapping[tuple[str, str], str] = {
    ("sst2", "badnet"): "12.7", ("sst2", "insertsent"): "3.9", ("sst2", "syntactic"): "19.2",
    ("olid", "badnet"): "38.5", ("olid", "insertsent"): "55.3", ("olid", "syntactic"): "64.3",
    ("olid", "lws"): "58.3", ("olid", "bite"): "36.3", ("agnews", "badnet"): "1.0", ("agnews", "insertsent"): "0.7",
    ("qnli", "badnet"): "21.3", ("qnli", "insertsent"): "28.9",
}  # fmt: skip
"""The paper's ASR of the average of all (bert-base, whole training sets, one benign and five backdoored models)."""
PARTNERS = ("imdb", "yelp", "amazon")
RATES = (0.01, 0.05, 0.1, 0.2)
MIXES = 200


def seed_of(seed: int, place: int) -> int:
    """Every model of a table has a seed of its own: partners are made by others."""
    return 100 * seed + place


def victims(bench: Bench, name: str, seed: int, rate: float = 0.2) -> dict[str, Path]:
    """The benign model and one victim an attack."""
    found = {BENIGN: bench.train(name, BENIGN, seed_of(seed, 0))}
    for place, attack in enumerate(DATA[name].attacks, 1):
        found[attack] = bench.train(name, attack, seed_of(seed, place), rate=rate)
    return found


def cell(judged: Sequence[Judged], attack: str) -> str:
    """ASR / CACC over the seeds."""
    return f"{percent([j.asr[attack] for j in judged])} / {percent([j.cacc for j in judged])}"


def show(head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """A Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for line in lines:
        print("| " + " | ".join(line) + " |", flush=True)


def table2(bench: Bench, names: Sequence[str]) -> None:
    lines = []
    for name in names or ("sst2", "olid", "agnews", "qnli"):
        columns: dict[str, list[list[Judged]]] = {attack: [[], [], [], []] for attack in DATA[name].attacks}
        for seed in bench.protocol.seeds:
            made = victims(bench, name, seed)
            bad = [path for attack, path in made.items() if attack != BENIGN]
            for attack, parts in columns.items():
                groups = ([made[attack]], [made[BENIGN], made[attack]], bad, list(made.values()))
                for part, members in zip(parts, groups, strict=True):
                    part.append(bench.judge(name, members, [attack]))
        for attack, parts in columns.items():
            lines.append([name, attack, *(cell(p, attack) for p in parts), PAPER.get((name, attack), "–")])
    show(["data", "attack", "alone", "benign + it", "all backdoored", "all", "paper, all (ASR)"], lines)
    print("\nEach cell: ASR / CACC in percent.")


def table4(bench: Bench, _: Sequence[str]) -> None:
    combinations = [c for size in (1, 2, 3) for c in itertools.combinations(PARTNERS, size)]
    cells: dict[tuple[str, ...], dict[str, list[Judged]]] = {c: {} for c in ((), *combinations)}
    attacks = list(DATA["sst2"].attacks)
    for seed in bench.protocol.seeds:
        made = victims(bench, "sst2", seed)
        partners = {n: bench.train(n, BENIGN, seed_of(seed, 20 + i)) for i, n in enumerate(PARTNERS)}
        for chosen, found in cells.items():
            for attack in attacks:
                members = [made[attack], *(partners[n] for n in chosen)]
                found.setdefault(attack, []).append(bench.judge("sst2", members, [attack]))
    lines = [[" + ".join(chosen) or "alone", *(cell(found[a], a) for a in attacks)] for chosen, found in cells.items()]
    show(["partners", *attacks], lines)
    print("\nSST-2 victims. Each cell: ASR / CACC on SST-2 in percent.")


def figure6(bench: Bench, _: Sequence[str]) -> None:
    cells: dict[tuple[str, str], list[Judged]] = {}
    for seed in bench.protocol.seeds:
        sst2 = victims(bench, "sst2", seed)
        made = {}
        for place, name in enumerate(PARTNERS):
            poisoned = bench.train(name, "ripples", seed_of(seed, 30 + place), how=RIPPLES, finetune=False)
            made[name] = bench.train("sst2", BENIGN, seed_of(seed, 40 + place), base=poisoned)
        for name, path in made.items():
            others = [p for n, p in made.items() if n != name]
            groups = {
                "alone": [path],
                "benign SST-2": [path, sst2[BENIGN]],
                "the other two": [path, *others],
                "all SST-2 models": [path, *sst2.values()],
            }
            for what, members in groups.items():
                cells.setdefault((name, what), []).append(bench.judge("sst2", members, ["ripples"]))
    columns = list(dict.fromkeys(what for _, what in cells))
    lines = [[name, *(cell(cells[name, what], "ripples") for what in columns)] for name in PARTNERS]
    show(["poisoned on", *columns], lines)
    print("\nRIPPLES, then clean fine-tuning on SST-2. Each cell: ASR / CACC on SST-2 in percent.")


def rates(bench: Bench, names: Sequence[str]) -> None:
    lines = []
    for name in names:
        for attack, how in DATA[name].attacks.items():
            for rate in RATES if how.train is None else ():
                parts: list[list[Judged]] = [[], [], []]
                for seed in bench.protocol.seeds:
                    made = victims(bench, name, seed, rate=rate)
                    groups = ([made[attack]], [made[BENIGN], made[attack]], list(made.values()))
                    for part, members in zip(parts, groups, strict=True):
                        part.append(bench.judge(name, members, [attack]))
                lines.append([name, attack, f"{rate:.0%}", *(cell(part, attack) for part in parts)])
    show(["data", "attack", "poisoned", "alone", "benign + it", "all"], lines)
    print("\nEach cell: ASR / CACC in percent.")


def figure3(bench: Bench, _: Sequence[str]) -> None:
    require_strategy("ties")
    lines = []
    attacks = list(DATA["sst2"].attacks)
    for strategy in ("wag", "ties"):
        for chosen in [(n,) for n in PARTNERS] + [PARTNERS]:
            found: dict[str, list[Judged]] = {attack: [] for attack in attacks}
            for seed in bench.protocol.seeds:
                made = victims(bench, "sst2", seed)
                partners = [bench.train(n, BENIGN, seed_of(seed, 20 + PARTNERS.index(n))) for n in chosen]
                for attack in attacks:
                    found[attack].append(bench.judge("sst2", [made[attack], *partners], [attack], strategy=strategy))
            lines.append([strategy, " + ".join(chosen), *(cell(found[a], a) for a in attacks)])
    show(["strategy", "partners", *attacks], lines)


def figure4(bench: Bench, _: Sequence[str]) -> None:
    lines = []
    attacks = list(DATA["sst2"].attacks)
    for good, bad in itertools.product((1, 2, 3), repeat=2):
        found: dict[str, list[Judged]] = {attack: [] for attack in attacks}
        for seed in bench.protocol.seeds:
            benign = bench.train("sst2", BENIGN, seed_of(seed, 0), epochs=good)
            for place, attack in enumerate(attacks, 1):
                victim = bench.train("sst2", attack, seed_of(seed, place), epochs=bad)
                found[attack].append(bench.judge("sst2", [benign, victim], [attack]))
        lines.append([str(good), str(bad), *(cell(found[a], a) for a in attacks)])
    show(["epochs benign", "epochs victim", *attacks], lines)


def mixes(bench: Bench, kinds: Sequence[str], each: int) -> None:
    """Random choices of one model of each kind, `each` to choose from."""
    seed = bench.protocol.seeds[0]
    made = {
        k: [bench.train("olid", k, seed_of(seed, 50 + 10 * n + i)) for i in range(each)] for n, k in enumerate(kinds)
    }
    whole = list(itertools.product(range(each), repeat=len(kinds)))
    chosen = random.Random(seed).sample(whole, min(MIXES, len(whole)))
    attacks = [kind for kind in kinds if kind != BENIGN]
    found = [bench.judge("olid", [made[k][i] for k, i in zip(kinds, c, strict=True)], attacks) for c in chosen]
    lines = []
    for attack in attacks:
        alone = [bench.judge("olid", [path], [attack]).asr[attack].value for path in made[attack]]
        lines.append([attack, spread(alone), spread([j.asr[attack].value for j in found])])
    lines.append(["CACC", "–", spread([j.cacc.value for j in found])])
    show(["OLID", "alone", f"{len(chosen)} of {len(whole):,} mixes"], lines)
    print("\nMedian and the middle nine tenths in percent.")


COMMANDS: Mapping[str, Callable[[Bench, Sequence[str]], None]] = {
    "table2": table2,
    "table4": table4,
    "figure6": figure6,
    "table5": lambda bench, names: rates(bench, names or ("sst2",)),
    "table9": lambda bench, names: rates(bench, names or ("agnews", "qnli")),
    "figure3": figure3,
    "figure4": figure4,
    "figure5": lambda bench, _: mixes(bench, (BENIGN, *DATA["olid"].attacks), 3),
    "figure7": lambda bench, _: mixes(bench, tuple(DATA["olid"].attacks), 4),
}


def add_protocol(parser: argparse.ArgumentParser) -> None:
    """The options that say where things lie and how models are made and judged."""
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, help="default: the embedded MiniLM")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the training's arithmetic")
    parser.add_argument("--samples", type=int, help="training rows; 0: all")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--test-rows", type=int, help="of each test set; 0: all")


def base_of(options: argparse.Namespace, parser: argparse.ArgumentParser, *, stored: bool = False) -> Path:
    """The base model. Ends the command where there is none, or where data sets are wanted and not given; `stored`: only
    stored results are.
    """
    base = options.base or minilm()
    if base is None:
        parser.error("the embedded MiniLM is not installed: give a base with --base")
    if options.data is None and not stored:
        parser.error("give the data sets with --data")
    return Path(base)


def protocol_of(options: argparse.Namespace) -> Protocol:
    """What the options say; without a GPU less is trained.

    Raises:
        UsageError: there is no such device.
    """
    device = pick_device(options.device)
    gpu = device != "cpu"

    def chosen(given: int | None, on_cpu: int, on_gpu: int) -> int:
        return given if given is not None else on_gpu if gpu else on_cpu

    return Protocol(
        samples=chosen(options.samples, 3200, 0) or None,
        epochs=chosen(options.epochs, 2, 3),
        lr=options.lr,
        batch=options.batch,
        max_length=options.max_length,
        seeds=tuple(options.seeds or ((0, 1, 2) if gpu else (0,))),
        test_rows=chosen(options.test_rows, 1000, 0),
        device=device,
        dtype=options.dtype,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=COMMANDS)
    parser.add_argument("--dataset", nargs="+", choices=("sst2", "olid", "agnews", "qnli"), default=())
    add_protocol(parser)
    options = parser.parse_args(arguments)
    base = base_of(options, parser)
    try:
        protocol = protocol_of(options)
        print(f"### {options.what}\n\n{protocol.line(base)}\n")
        COMMANDS[options.what](Bench(base, options.data, options.work, protocol), options.dataset)
    except AuditorError as error:
        parser.exit(int(error.code), f"{error.message}\n{error.hint}\n")


if __name__ == "__main__":
    main()
