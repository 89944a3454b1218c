"""Benchmarks of an audit: a key where there are any, a page of bars behind it, and their choice in the audit form."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from textual.widgets import Input, Static

from screens.app import AuditorApp
from screens.audit.benchmarks import BenchmarksScreen
from screens.audit.compare import CompareScreen
from screens.gallery.gallery import SCENES, settle
from screens.gallery.seed import AUDIT
from screens.gallery.seed_writers import BENCHMARKS
from screens.merge.merge import MergeScreen
from screens.messages import OpenComparison
from store.engine import open_catalog

Play = Callable[[Coroutine[Any, Any, None]], None]


def test_an_audit_with_benchmarks_opens_their_page(seeded: AuditorApp, play: Play) -> None:
    with open_catalog(seeded.library.url) as catalog:
        audit = catalog.audits.get(AUDIT)
        assert audit is not None
        catalog.audits.save(replace(audit, id="be9c4a0d17ab", benchmarks=BENCHMARKS))

    async def story() -> None:
        async with seeded.run_test(size=(120, 36)) as pilot:
            await settle(pilot)
            for wanted, page in ((AUDIT, CompareScreen), ("be9c4a0d17ab", BenchmarksScreen)):
                pilot.app.post_message(OpenComparison(audit=wanted))
                await settle(pilot)
                await pilot.press("b")
                await settle(pilot)
                assert isinstance(pilot.app.screen, page)
            words = str(pilot.app.screen.query_one("#bars Static", Static).render())
            assert "piqa acc" in words
            assert "63.5%" in words
            await pilot.press("escape")
            await settle(pilot)
            assert isinstance(pilot.app.screen, CompareScreen)

    play(story())


def test_the_audit_form_takes_benchmarks(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(120, 36)) as pilot:
            await SCENES["merge"](pilot)
            form = pilot.app.screen
            assert isinstance(form, MergeScreen)
            assert "--bench" not in form.command()
            form.query_one("#bench", Input).value = "'my reviews.csv' other.csv"
            form.query_one("#bench-data", Input).value = "rows"
            await pilot.pause()
            words = form.command()
            at = words.index("--bench")
            assert words[at : at + 6] == ("--bench", "my reviews.csv", "--bench", "other.csv", "--bench-data", "rows")
            form.query_one("#bench", Input).value = "perplexity"
            await pilot.pause()
            assert "needs a text" in (form.wrong() or "")

    play(story())
