"""From a finding to partners that are made, by keys."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from textual.widgets import Input

from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from screens.app import AuditorApp
from screens.merge.make_partner import MakePartnerScreen
from screens.merge.partners import PartnersScreen
from screens.messages import OpenResult
from screens.widgets.lazy_table import LazyTable

Play = Callable[[Coroutine[Any, Any, None]], None]
Wait = Callable[..., Coroutine[Any, Any, None]]


def test_from_a_finding_to_an_audit_that_makes_its_partners(
    seeded: AuditorApp, play: Play, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, ...]] = []

    async def start(arguments: tuple[str, ...], subject: str) -> None:
        started.append(tuple(arguments))

    monkeypatch.setattr(seeded, "start", start)

    async def story() -> None:
        async with seeded.run_test(size=(80, 24)) as pilot:
            table = seeded.screen.query_one(LazyTable)
            await wait(pilot, lambda: table.count)
            entry = await seeded.library.use(lambda catalog: catalog.models.find("reviews-minilm"))
            assert entry is not None
            assert entry.last_scan is not None
            seeded.post_message(OpenResult(entry.last_scan))
            await wait(pilot, lambda: getattr(seeded.screen, "scan", None))
            await pilot.press("p")
            await wait(pilot, lambda: isinstance(seeded.screen, PartnersScreen))
            await pilot.press("n")
            await wait(pilot, lambda: isinstance(seeded.screen, MakePartnerScreen))
            form = seeded.screen
            assert isinstance(form, MakePartnerScreen)
            await wait(pilot, lambda: form._scan)
            weight = form.query_one("#weight", Input)
            weight.value = "2"
            await pilot.pause()
            await pilot.press("ctrl+s")
            await pilot.pause()
            assert not started, "a weight above 1 is refused"
            weight.value = "0.1"
            form.query_one("#base", Input).value = "minilm"
            await pilot.press("ctrl+s")
            await wait(pilot, lambda: started)
            words = list(started[0])
            assert words[:2] == ["audit", "reviews-minilm"]
            at = words.index("--make-partner")
            assert words[at : at + 6] == ["--make-partner", "2", "--base", "minilm", "--suspect-weight", "0.1"]
            assert "--samples" in words
            assert shlex.join(["auditor", *words[:2]]) in str(form.query_one("#shown").render())

    play(story())


def test_the_commands_of_students() -> None:
    scan = ScanRequest("m", students=2)
    assert scan.arguments()[:6] == ("scan", "m", "--suite", "quick", "--students", "2")
    cure = MergeRequest(("p",), search=Budget(), make_partner=3)
    assert cure.audit(ScanRequest("m", DataRequest("d.csv")))[:7] == (
        "audit",
        "m",
        "--with",
        "p",
        "--make-partner",
        "3",
        "--search",
    )
