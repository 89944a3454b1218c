"""How long `auditor --help` takes, against an empty Typer program's `--help`, in turn in one run.

python benchmarks/startup.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

EMPTY = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"


def seconds(*words: str) -> float:
    """The wall time of one process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-P", *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    commands = {
        "empty": ("-c", EMPTY),
        "auditor": ("-m", "auditor", "--help"),
        "scan": ("-m", "auditor", "scan", "--help"),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, words in commands.items():
            taken[name].append(seconds(*words))
    for name, found in taken.items():
        ratio = statistics.median(f / e for f, e in zip(found, taken["empty"], strict=True))
        print(f"{name:<8} {statistics.median(found):.2f} s   {ratio:.2f} times the empty program's")


if __name__ == "__main__":
    main()
