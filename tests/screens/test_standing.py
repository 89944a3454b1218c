"""What a scan found stands in the list, whatever later scans say."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from screens.app import AuditorApp
from screens.gallery import settle
from screens.seed import SUSPECT_SCAN
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
