"""An audit that is cancelled in each of its stages: the same command goes on from what that stage has left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.merge.verify import verify
from screens.audit.compare import CompareScreen
from screens.jobs.job import JobScreen
from screens.merge.search import SearchScreen
from screens.scan.result import ResultScreen
from store.records import Stamp, Verdict
from tests.screens.cancel.conftest import Desk, Story, events, leftovers

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("forked")]


def test_in_the_first_scan_and_then_in_the_merge(
    at_desk: Callable[[Story], None], heavy: dict[str, Path], large: Path, place: Path
) -> None:
    output = place / "merged" / "out"
    words = ["audit", heavy["suspect"], "--with", heavy["partner"], "--strategy", "della", "--base", heavy["base"]]
    words += ["--data", large, "--samples", "320", "--suite", "full", "--family", "badnet", "--merged", output]

    async def story(desk: Desk) -> None:
        first = await desk.follow(*words)
        await desk.happens(first, "batch-answered")
        await desk.cancel(first)
        assert "g resumes from there" in await desk.told()
        assert kinds(first).isdisjoint({"scan-ready", "merge-ready"})
        kept = desk.batches()

        # The first scan goes on where it stopped; then the merge is cancelled while it writes.
        second = await desk.again(first)
        (opened,) = await desk.happens(second, "run-opened", role="suspect")
        assert 0 < opened["resumed"] == len(kept) < opened["batches"]
        await desk.happens(second, "progress", stage="merge")
        assert [name.startswith(".out.partial") for name in leftovers(output.parent)] == [True], "it writes"
        await desk.cancel(second)
        assert "g resumes from there" in await desk.told()
        assert leftovers(output.parent) == []
        assert desk.read(lambda catalog: catalog.audits.merges()) == []
        assert desk.read(lambda catalog: [e for e in catalog.models.list() if e.tags]) == []

        # The scan that was finished stays, and Enter opens it.
        (scan,) = desk.read(lambda catalog: catalog.scans.list())
        assert scan.verdict is Verdict.FOUND
        await desk.pilot.press("enter")
        result = await desk.opened(ResultScreen)
        assert result.scan_id == scan.id
        await desk.pilot.press("escape")

        # A third time nothing is asked again before the merge.
        third = await desk.again(second)
        (opened,) = await desk.happens(third, "run-opened", role="reference")
        assert opened["resumed"] == opened["batches"]
        await desk.happens(third, "stage", name="merge")
        assert "batch-answered" not in kinds(third)
        await desk.cancel(third)
        assert leftovers(output.parent) == []

    at_desk(story)


def test_in_the_rescan(at_desk: Callable[[Story], None], zoo: Any, large: Path, place: Path) -> None:
    output, policy = place / "merged" / "out", place / "few.toml"
    policy.write_text("minimum_rows = 30\n", encoding="utf-8")
    words = ["audit", zoo.planted, "--with", zoo.benign, "--weights", "0.1,0.9", "--data", large, "--samples", "80"]
    words += ["--policy", policy, "--suite", "quick", "--family", "badnet", "--merged", output]

    async def story(desk: Desk) -> None:
        first = await desk.follow(*words)
        (opened,) = await desk.happens(first, "run-opened", role="after")
        await desk.happens(first, "batch-answered", run=opened["run"])
        await desk.cancel(first)
        assert "g resumes from there" in await desk.told()
        # The merged model stands whole, and is known.
        assert leftovers(output.parent) == ["out"]
        assert verify(output) == []
        (merge,) = desk.read(lambda catalog: catalog.audits.merges())
        assert desk.read(lambda catalog: catalog.models.by_digest(merge.digest)).tags == ("merged",)
        assert desk.read(lambda catalog: (catalog.scans.count(), catalog.audits.list())) == (1, [])
        written = (output / "model.safetensors").stat().st_mtime_ns

        # The same command takes it as it is, goes on with the rescan, and ends.
        second = await desk.again(first)
        (opened,) = await desk.happens(second, "run-opened", role="after")
        assert 0 < opened["resumed"] < opened["batches"]
        await desk.until(lambda: second.id not in desk.app.running)
        assert leftovers(output.parent) == ["out"]
        assert (output / "model.safetensors").stat().st_mtime_ns == written
        (audit,) = desk.read(lambda catalog: catalog.audits.list())
        assert audit.stamp in Stamp
        await desk.until(lambda: not desk.app.screen.running and desk.app.screen.progress.audit is not None)
        await desk.pilot.press("enter")
        compare = await desk.opened(CompareScreen)
        await desk.until(lambda: compare.audit is not None)
        assert compare.audit.id == audit.id

    at_desk(story)


def test_in_the_search_from_its_own_screen(
    at_desk: Callable[[Story], None], zoo: Any, large: Path, place: Path
) -> None:
    output = place / "merged" / "out"
    words = ["audit", zoo.planted, "--with", zoo.benign, "--search", "--trials", "5000", "--merged", output]
    words += ["--data", large, "--samples", "220", "--suite", "quick", "--family", "badnet"]

    async def story(desk: Desk) -> None:
        first = await desk.follow(*words)
        await desk.happens(first, "tried", times=3)
        screen = await desk.opened(JobScreen)
        await desk.until(lambda: len(screen.progress.trials) >= 3)
        await desk.pilot.press("f")
        search = await desk.opened(SearchScreen)
        assert search.why_not("again") == "It still runs; cancel it first (x)."
        await desk.cancel(first)
        told = await desk.told()
        assert "cancelled" in told
        assert "recipes tried" in told, "what was tried can still be looked at"
        assert kinds(first).isdisjoint({"merge-ready", "audit-ready"})
        assert events(first)[-2]["kind"] in ("tried", "progress")
        assert leftovers(output.parent) == []

        second = await desk.again(first)
        await desk.happens(second, "started")
        await desk.cancel(second)

    at_desk(story)


def kinds(job: Any) -> set[str]:
    return {event["kind"] for event in events(job)}
