"""How fast the terminal application is: first paint, keys under load, long catalogs.

    python benchmarks/tui.py [--models 1000] [--verdicts 100000]

First paint is the time from the start of the process to the first frame, for this application and for an empty Textual
one, in turns. A key's answer is the time from the key press to the frame that shows its effect, while a scan runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

PAINT = """
import asyncio, sys, time
began = float(sys.argv[1])
{app}
times = []
def painted():
    times.append(time.time() - began)
app.post_display_hook = painted
async def main():
    async with app.run_test(size=(120, 36)) as pilot:
        while not times:
            await pilot.pause()
        end = time.time() + 60
        while {waits} and time.time() < end:
            await asyncio.sleep(0.01)
        print(times[0], time.time() - began)
asyncio.run(main())
"""
EMPTY = "from textual.app import App\napp = App()"
OURS = """
from pathlib import Path
from screens.app import AuditorApp
from screens.widgets.lazy_table import LazyTable
place = Path(sys.argv[2])
app = AuditorApp(str(place / 'catalog.db'), config=place / 'config', home=place / 'home')
"""
UNLISTED = "app.screen.query_one(LazyTable).row is None and not app.screen.has_class('-empty')"
KEYS = ("down", "down", "pagedown", "up", "end", "up", "pageup", "home")
"""Each moves the cursor: its answer can be seen."""


def first_paint(rounds: int, place: Path) -> dict[str, float]:
    """Median seconds from the start of the process to the first frame; `listed` to the catalog's rows."""
    times: dict[str, list[float]] = {"empty": [], "auditor": [], "listed": []}
    for _ in range(rounds):
        for name, app, waits in (("empty", EMPTY, "False"), ("auditor", OURS, UNLISTED)):
            words = [sys.executable, "-P", "-c", PAINT.format(app=app, waits=waits), str(time.time()), str(place)]
            first, listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
            times[name].append(float(first))
            if name == "auditor":
                times["listed"].append(float(listed))
    found = {name: statistics.median(values) for name, values in times.items()}
    return {**found, "ratio": found["auditor"] / found["empty"]}


def long_catalog(place: Path, models: int, verdicts: int) -> None:
    """A catalog with so many models, and scans with so many scores in all."""
    from screens.gallery.seed import PROBES, _profile, _scan
    from store.engine import open_catalog

    each = 2 * len(PROBES)
    with open_catalog(f"sqlite:///{place / 'catalog.db'}") as catalog:
        profiles = [_profile(f"model-{i:04}", f"{i:04x}") for i in range(models)]
        for i, profile in enumerate(profiles):
            ref = replace(profile.ref, digest=f"{i:064x}")
            profiles[i] = replace(profile, ref=ref)
            catalog.models.add(profiles[i])
        for i in range(verdicts // each):
            hits = {"one": 20 + i % 150, "five": 30}
            scan = _scan(f"{i:012x}", profiles[i % models], i / 500, hits, found=i % 7 == 0)
            catalog.scans.save(scan)


async def keys(place: Path, model: str | None) -> dict[str, float]:
    """Milliseconds from a key press to the frame that shows the cursor moved: median, 95th percentile, worst.

    With a model, only while its scan answers.
    """
    from screens.app import AuditorApp
    from screens.widgets.lazy_table import LazyTable

    app = AuditorApp(str(place / "catalog.db"), config=place / "config", home=place / "home")
    taken: list[float] = []
    async with app.run_test(size=(120, 36)) as pilot:
        while not app.library.ready:
            await pilot.pause(0.05)
        await pilot.pause(1)
        if model is not None:
            await app.start(("scan", model, "--suite", "full", "--fresh"), "bench")
            while not any(p.stage == "probe" for p in app.progress.values()):
                await asyncio.sleep(0.1)
        table = app.screen.query_one(LazyTable)
        drawn = asyncio.Event()
        app.post_display_hook = drawn.set  # type: ignore[method-assign]
        end = time.monotonic() + 25
        count = 0
        while time.monotonic() < end and count < 200 and (model is None or app.running):
            before, began = table.cursor, time.perf_counter()
            app.simulate_key(KEYS[count % len(KEYS)])
            while table.cursor == before or not drawn.is_set():
                drawn.clear()
                await drawn.wait()
            taken.append((time.perf_counter() - began) * 1000)
            count += 1
            await asyncio.sleep(0.05)
        for job in list(app.running.values()):
            await app.cancel(job)
    taken.sort()
    return {
        "keys": float(len(taken)),
        "median_ms": statistics.median(taken),
        "p95_ms": taken[int(len(taken) * 0.95)],
        "worst_ms": taken[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--verdicts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", help="a classifier to scan while keys are pressed; without it that part is left out")
    given = parser.parse_args()
    found: dict[str, object] = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        found["first_paint_s"] = first_paint(given.rounds, Path(small))
        began = time.monotonic()
        long_catalog(Path(large), given.models, given.verdicts)
        found["filled_s"] = time.monotonic() - began
        found["first_paint_long_s"] = first_paint(given.rounds, Path(large))
        found["keys_long_idle"] = asyncio.run(keys(Path(large), None))
        if given.model:
            found["keys_long_scanning"] = asyncio.run(keys(Path(large), given.model))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
