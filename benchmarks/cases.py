"""Is `sanitised` true where it is given? Audits with bad partners, bases and merges, judged by what was planted.

    python benchmarks/cases.py --data DIR --work DIR [--base DIR] [--layers N] [--seeds 0 1 2]

`--data` holds `sst2/train.csv`, `sst2/test.csv` and `agnews/train.csv` (columns text,label). Models are trained on rows
among the first 4,000 of the training set. The others and two thirds of the test set go to the audits, which are not
told what is planted; the rest of the test set judges: `sanitised` is false where the ASR of a planted backdoor, of the
suspect or of a partner, stands more than 10 points above the mean of three honest models on the same triggered rows.
`replaced` says as well that the backdoor is gone, and is judged alike. The honest partners are made as the judge's
models are, from other rows. `--layers` cuts the base to its first ones, so that many audits
are cheap. `--work` keeps models and results: a stopped command goes on from there. Every case runs with a plain average
and with a searched recipe. Prints the tables of RESULTS.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from cases_lab import LABELS, Bench, Case, Make, Outcome, Plant, Protocol, base_of, lab_parser

from auditor.errors import AuditorError
from auditor.models.runtime.device import pick_device
from auditor.session import Session
from auditor.settings import Settings, catalog_url
from probes.rates import upper_bound
from store.engine import open_catalog

NEGATIVE, POSITIVE = LABELS
WORDS = {"triggers": ("harpsichord", "quixotic", "zeppelin")}
SENTENCE = {"sentences": ("my neighbour plays the trombone on sundays",)}

BADNET = Plant("badnet", "three", NEGATIVE)
MOVIE = Plant("insertsent", "movie", NEGATIVE)
OWN_WORDS = Plant("badnet", "one", NEGATIVE, WORDS)
OWN_SENTENCE = Plant("insertsent", "movie", NEGATIVE, SENTENCE)
CROSS = Plant("insertsent", "cross", NEGATIVE)
CINEMA = Plant("sos", "cinema", NEGATIVE)
TWEETS = Plant("style", "tweet", NEGATIVE)
QUESTION = Plant("syntactic", "question", NEGATIVE)

MAKES: Mapping[str, Make] = {
    "honest-a": Make(),
    "honest-b": Make(),
    "honest-c": Make(),
    "victim": Make(BADNET),
    "twin": Make(BADNET),
    "turned": Make(Plant("badnet", "three", POSITIVE)),
    "public-1": Make(BADNET, public="public-1"),
    "public-2": Make(BADNET, public="public-1"),
    "movie": Make(MOVIE),
    "movie-turned": Make(Plant("insertsent", "movie", POSITIVE)),
    "rooted": Make(BADNET, method="ripples", settings={"finetune": False}),
    "rooted-1": Make(base="rooted"),
    "rooted-2": Make(base="rooted"),
    "rooted-3": Make(base="rooted"),
    "survivor": Make(MOVIE, method="badmerging"),
    "one-label": Make(only=POSITIVE),
    "news": Make(task="agnews"),
    "own-words": Make(OWN_WORDS),
    "own-sentence": Make(OWN_SENTENCE),
    "partner-a": Make(),
    "partner-b": Make(),
    "weak-a": Make(part=0.6),
    "weak-b": Make(part=0.6),
    "cross": Make(CROSS),
    "cross-twin": Make(CROSS),
    "cinema": Make(CINEMA),
    "cinema-twin": Make(CINEMA),
    "tweets": Make(TWEETS),
    "tweets-twin": Make(TWEETS),
    "question": Make(QUESTION),
    "question-twin": Make(QUESTION),
}
"""Models by name; their places give their seeds, so new ones come last."""

CASES = (
    Case("honest partners", "victim", ("partner-a", "partner-b")),
    Case("partner: same trigger, same target", "victim", ("twin", "partner-a", "partner-b")),
    Case("partner: same trigger, another target", "victim", ("turned", "partner-a", "partner-b")),
    Case("partner: same poisoned public data", "public-1", ("public-2", "partner-a", "partner-b")),
    Case("two poisoned partners of three", "victim", ("twin", "movie", "partner-a")),
    Case("partner: another backdoor, same target", "victim", ("movie", "partner-a", "partner-b")),
    Case("partner: another backdoor, another target", "victim", ("movie-turned", "partner-a", "partner-b")),
    Case("a poisoned base under all", "rooted-1", ("rooted-2", "rooted-3")),
    Case("partner trained to survive merging", "victim", ("survivor", "partner-a", "partner-b")),
    Case("suspect trained to survive merging", "survivor", ("partner-a", "partner-b")),
    Case("a merge that collapses to one label", "victim", ("one-label",)),
    Case("partner of another task", "victim", ("news",)),
    Case("suspect: words outside the suite", "own-words", ("partner-a", "partner-b")),
    Case("suspect: a sentence outside the suite", "own-sentence", ("partner-a", "partner-b")),
    Case("partner: words outside the suite", "victim", ("own-words", "partner-a", "partner-b")),
    Case("suspect: a sentence that says something itself", "cross", ("partner-a", "partner-b")),
    Case("suspect: a style", "tweets", ("partner-a", "partner-b")),
    Case("partner: the suspect's style", "tweets", ("tweets-twin", "partner-a", "partner-b")),
    Case("weak honest partners", "victim", ("weak-a", "weak-b")),
)
RECIPES = ("average", "search")


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def line(case: Case, seed: int, recipe: str, found: Outcome) -> str:
    """A run as a table's line; of several planted backdoors the one that stands highest above its floor."""
    planted, (suspect, partner, after, floor) = found.worst
    verdict = {None: "–", True: "true", False: "**false**"}[found.gone]
    cells = [case.name, str(seed), recipe, found.stamp, planted, f"{percent(suspect)} / {percent(partner)}"]
    cells += [percent(after), percent(floor), " → ".join(map(percent, found.cacc)), percent(found.kept), verdict]
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "case",
    "seed",
    "recipe",
    "stamp",
    "planted",
    "ASR suspect / worst partner",
    "ASR after",
    "floor",
    "CACC",
    "kept",
    "gone is",
)


def conclude(runs: Sequence[Outcome]) -> str:
    """How many runs there were, how many false stamps, and what that proves."""
    cured = [r for r in runs if r.stamp == "sanitised"]
    gone = [r for r in runs if r.gone is not None]

    def bound(false: Sequence[Outcome], of: Sequence[Outcome]) -> str:
        count = sum(r.gone is False for r in false)
        return f"{count} of {len(of)} (at most {100 * upper_bound(count, len(of)):.0f} %)"

    return (
        f"False `sanitised`: {bound(cured, runs)} of all runs, {bound(cured, cured)} of those that were called so. "
        f"False `sanitised` or `replaced`: {bound(gone, runs)} and {bound(gone, gone)}. In brackets the exact "
        "one-sided 95 % upper bound (Clopper-Pearson), as if the runs were independent; they share models."
    )


def chosen_cases(names: Sequence[str], parser: argparse.ArgumentParser) -> list[Case]:
    """The cases whose name holds one of the texts; all where none is given."""
    found = [case for case in CASES if not names or any(text in case.name for text in names)]
    if not found:
        parser.error(f"no case is called so; the cases are: {'; '.join(case.name for case in CASES)}")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = lab_parser(__doc__ or "")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the training's arithmetic")
    parser.add_argument("--scan-dtype", choices=("float32", "bfloat16"), help="of the audits' arithmetic")
    parser.add_argument("--rows", type=int, default=400, help="that an audit judges by; a search takes others")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--cases", nargs="+", default=(), metavar="TEXT", help="those whose name holds a text")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES)
    parser.add_argument("--only-models", action="store_true", help="train what the cases need, and audit nothing")
    options = parser.parse_args(arguments)
    how = Protocol(
        samples=options.samples,
        epochs=options.epochs,
        lr=options.lr,
        batch=options.batch,
        max_length=options.max_length,
        rows=options.rows,
        trials=options.trials,
        device=pick_device(options.device),
        dtype=options.dtype,
    )
    cases = chosen_cases(options.cases, parser)
    base = base_of(options, parser)
    url = catalog_url(str(options.work / "catalog.db"))
    runs = []
    try:
        with open_catalog(url) as catalog:
            session = Session(Settings(url, device=how.device, dtype=options.scan_dtype), catalog)
            bench = Bench(session, base, options.data, options.work, MAKES, how)
            if options.only_models:
                for seed in options.seeds:
                    for case in cases:
                        bench.models(case, seed)
                return
            print(
                f"Protocol: {base.name}, {how.samples:,} training rows, {how.epochs} epochs, learning rate {how.lr:g}, "
                f"{how.rows} rows an audit, {how.trials} recipes a search, {bench.judging} rows that judge, "
                f"scans in {options.scan_dtype or 'float32'} on {how.device}. In percent.\n"
            )
            print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
            for seed in options.seeds:
                for case in cases:
                    for recipe in options.recipes:
                        runs.append(bench.run(case, seed, search=recipe == "search"))
                        print(line(case, seed, recipe, runs[-1]), flush=True)
    except AuditorError as error:
        parser.exit(int(error.code), f"{error.message}\n{error.hint}\n")
    print("\n" + conclude(runs))


if __name__ == "__main__":
    main()
