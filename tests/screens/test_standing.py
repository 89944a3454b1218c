"""What is known of a model against it is seen: what an earlier scan found, and what makes it a doubtful partner."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from textual.widgets import Static
from typer.testing import CliRunner

from auditor.cli import app as cli
from screens.app import AuditorApp
from screens.gallery.gallery import settle
from screens.gallery.seed import SUSPECT_SCAN
from screens.messages import OpenPartners
from screens.widgets.lazy_table import LazyTable
from store.engine import open_catalog
from store.records import Verdict

Play = Callable[[Coroutine[Any, Any, None]], None]


def test_a_smaller_scan_does_not_wash_a_finding_away(seeded: AuditorApp, play: Play) -> None:
    with open_catalog(seeded.library.url) as catalog:
        found = catalog.scans.get(SUSPECT_SCAN)
        assert found is not None
        later = replace(found, id="1a7e51a7e5", finished="2099-01-01T00:00:00+00:00", verdict=Verdict.INCOMPLETE)
        catalog.scans.save(replace(later, findings=()))

    async def story() -> None:
        async with seeded.run_test(size=(120, 36)) as pilot:
            await settle(pilot)
            table = seeded.screen.query_one(LazyTable)
            lines = [table.render_line(i).text for i in range(table.size.height)]
            (shown,) = [text for text in lines if text.startswith("reviews-minilm ")]
            assert "found earlier" in shown
            assert sum("incomplete" in text for text in lines) == 1, "that of another model"

    play(story())


def test_the_stamp_of_an_audit_stands_on_the_model_that_it_made(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(120, 36)) as pilot:
            await settle(pilot)
            table = seeded.screen.query_one(LazyTable)
            lines = [table.render_line(i).text for i in range(table.size.height)]
            (shown,) = [text for text in lines if text.startswith("reviews-minilm-cured ")]
            assert "↓ improved" in shown
            assert sum("nothing found" in text for text in lines) == 2, "those that were only scanned"

    play(story())

    def said(*words: str) -> str:
        return CliRunner().invoke(cli, ["models", *words, "--catalog", seeded.library.url]).output

    (line,) = [text for text in said("list").splitlines() if "reviews-minilm-cured" in text]
    assert "improved" in line.split()
    assert json.loads(said("show", "reviews-minilm-cured", "--json"))[0]["stamp"] == "improved"
    assert json.loads(said("show", "sst2-honest", "--json"))[0]["stamp"] is None


def test_what_speaks_against_a_partner_is_seen_first(seeded: AuditorApp, play: Play) -> None:
    with open_catalog(seeded.library.url) as catalog:
        entry, suspect = (catalog.models.find(name) for name in ("sst2-honest", "reviews-minilm"))
        assert entry is not None
        assert suspect is not None
        (row,) = catalog.scans.list(digest=entry.profile.ref.digest)
        scan = catalog.scans.get(row.id)
        assert scan is not None
        catalog.scans.save(
            replace(scan, id="bad5ca1ab1e0", verdict=Verdict.FOUND, finished="2099-01-01T00:00:00+00:00")
        )

    async def story() -> None:
        async with seeded.run_test(size=(120, 36)) as pilot:
            await settle(pilot)
            seeded.post_message(OpenPartners(suspect))
            await settle(pilot)
            head, words = (seeded.screen.query_one(name, Static) for name in ("#head", "#words"))
            assert "2 can be merged with reviews-minilm, 1 of them advised" in str(head.render())
            table = seeded.screen.query_one(LazyTable)
            first, second = (table.render_line(i).text for i in (1, 2))
            assert "yelp-honest" in first
            assert "? sst2-honest" in second
            assert "its last scan found a backdoor" in second
            await pilot.press("down")
            await settle(pilot)
            lines = str(words.render()).splitlines()
            assert lines[1] == "? its last scan found a backdoor: merging may carry it over"
            assert "+ same architecture and task (text-classification)" in lines

    play(story())
