"""What a cure leaves, as the screen lists it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.widgets import Static

from screens.app import AuditorApp
from screens.audit.compare import CompareScreen
from screens.audit.residual import LeftScreen
from screens.gallery.gallery import SCENES, settle
from screens.gallery.seed import CURED_SCAN, SUSPECT_SCAN
from screens.messages import OpenComparison
from screens.widgets.lazy_table import LazyTable

Play = Callable[[Coroutine[Any, Any, None]], None]


def test_the_variant_of_which_most_may_be_left_comes_first(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(160, 24)) as pilot:
            await SCENES["left"](pilot)
            shown = seeded.screen
            assert isinstance(shown, LeftScreen)
            table = shown.query_one(LazyTable)
            lines = [table.render_line(i).text for i in range(1, 4)]
            assert [text.split()[0] for text in lines] == ["badnet/five", "badnet/one", "badnet/neighbours"]
            for cell in ("18.0", "12.5", "[+0.5, +10.5]", "200", "its control"):
                assert cell in lines[0]
            assert "badnet/five → negative: +5.5, at most +10.5" in str(shown.query_one("#head").render())

    play(story())


def test_a_narrow_list_tells_below_what_a_variant_is_held_against(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await SCENES["left"](pilot)
            words = seeded.screen.query_one("#words")
            assert isinstance(words, Static)
            assert "compared with its control, 12.5 %: +5.5 points [+0.5, +10.5]" in str(words.render())
            await pilot.press("down")
            await settle(pilot)
            assert "badnet/one → negative" in str(words.render())
            assert words.region.bottom <= seeded.screen.size.height - 1, "it is on the screen"

    play(story())


def test_two_scans_without_an_audit_have_no_such_list_and_say_so(seeded: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            seeded.post_message(OpenComparison(before=SUSPECT_SCAN, after=CURED_SCAN))
            await settle(pilot)
            await pilot.press("l")
            await pilot.pause()
            assert isinstance(seeded.screen, CompareScreen)
            (notice,) = seeded._notifications
            assert "Only an audit" in notice.message

    play(story())
