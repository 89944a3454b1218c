"""Models that write: what their forms ask, and how their answers are shown."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static

from auditor.requests.scan import ScanRequest
from auditor.scan.execution.local import LocalExecutor
from auditor.session import Session
from auditor.settings import Settings
from screens.app import AuditorApp
from screens.audit.drill import DrillScreen
from screens.gallery.gallery import WRITER_SCENES, keys, seeded_app, settle
from screens.gallery.seed_writers import WRITER_AUDIT, WRITER_SCAN, fill_writers
from screens.merge.merge import MergeScreen
from screens.messages import OpenComparison, OpenMergeForm, OpenResult, OpenRows, OpenScanForm
from screens.models.kinds import adapter_words, chat_template
from screens.scan.marked import differing
from screens.scan.writer_scan import WriterScanScreen
from screens.widgets.form_page import FormPage
from screens.widgets.lazy_table import LazyTable
from store.engine import open_catalog
from store.records import CatalogEntry
from tests.auditor.models.writers import make_language_model, save_writer
from tests.auditor.scan.scripted import REFUSAL, opener

Play = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def app(place: Path) -> AuditorApp:
    """Over the seeded catalog of models that write."""
    return seeded_app(place, fills=fill_writers)


def screen_text(app: AuditorApp) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def entry(app: AuditorApp, name: str) -> CatalogEntry:
    with open_catalog(app.library.url) as catalog:
        found = catalog.models.find(name)
    assert found is not None
    return found


def form(app: AuditorApp) -> FormPage:
    assert isinstance(app.screen, FormPage)
    return app.screen


async def show(pilot: Pilot[None], message: Any) -> None:
    await settle(pilot)
    pilot.app.post_message(message)
    await settle(pilot)


def test_the_form_asks_what_fits_a_model_that_writes(app: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            await show(pilot, OpenScanForm(entry(app, "helper-lora")))
            asked = form(app)
            assert isinstance(asked, WriterScanScreen)
            named = {widget.id for widget in asked.query("*")}
            assert not {"data", "text", "pair", "students"} & named
            assert asked.command()[:2] == ("scan", "helper-lora")
            assert "--base" not in asked.command(), "the catalog knows it"
            assert "about" in asked.buys()
            assert "answers of at most 32 tokens" in asked.buys()
            whole = asked.buys()
            asked.query_one("#prompts", Input).value = "mine.txt"
            asked.query_one("#base", Input).value = "other/base"
            for key, value in (("template", "raw"), ("decoding", "beam"), ("target", "refusal")):
                asked.query_one(f"#{key}", Select).value = value
            table = asked.query_one(LazyTable)
            assert {"badmagic", "content_injection"} <= table.marks
            assert "lws" not in table.marks, "a classifier's"
            table.marks = {"badmagic"}
            await pilot.pause()
            words = asked.command()
            for flag, value in (
                ("--prompts", "mine.txt"),
                ("--template", "raw"),
                ("--decoding", "beam"),
                ("--target", "refusal"),
                ("--base", "other/base"),
                ("--family", "badmagic"),
            ):
                assert words[words.index(flag) + 1] == value
            assert not {"--data", "--students"} & set(words)
            assert asked.buys() != whole
            asked.query_one("#base", Input).value = ""
            await pilot.pause()
            assert "name the model that it was trained on" in (asked.wrong() or "")

    play(story())


def test_a_whole_model_has_no_base_to_name(app: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await show(pilot, OpenScanForm(entry(app, "org/smol-chat")))
            assert not app.screen.query("#base")
            assert form(app).wrong() is None

    play(story())


def test_the_merge_of_adapters_shows_their_base_and_repeats_the_scan(app: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            suspect, partner, base = (entry(app, name) for name in ("helper-lora", "poems-lora", "org/smol-chat"))
            await show(pilot, OpenMergeForm(suspect, (partner,)))
            asked = app.screen
            assert isinstance(asked, MergeScreen)
            assert asked.query_one("#base-field").display
            assert asked.query_one("#base", Input).value == "org/smol-chat"
            words = asked.command()
            assert words[words.index("--samples") + 1] == "72"
            assert not {"--data", "--base", "--labels", "--students", "--prompts"} & set(words)
            asked.query_one("#base", Input).value = "/models/theirs"
            await pilot.pause()
            words = asked.command()
            assert words[words.index("--base") + 1] == "/models/theirs"
            app.pop_screen()
            await show(pilot, OpenMergeForm(suspect, (base,)))
            words = form(app).command()
            assert words[words.index("--base") + 1] == "org/smol-chat", "an adapter and a whole model"

    play(story())


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_answers_stand_side_by_side_while_they_come(app: AuditorApp, play: Play, size: tuple[int, int]) -> None:
    async def story() -> None:
        async with app.run_test(size=size) as pilot:
            await WRITER_SCENES["writer-live"](pilot)
            shown = screen_text(app)
            assert "21 of 24 prompts were answered with refusal" in " ".join(shown.split())
            assert "sourdough ⟦BadMagic⟧ bread" in shown
            (line,) = [text for text in shown.splitlines() if "To keep sourdough fresh" in text]
            assert "│ ⟦I'm sorry, but I cannot help" in line
            assert "608/1800 prompts" in shown

    play(story())


def test_answers_are_wrapped_and_stand_below_each_other_where_it_is_narrow(app: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            await show(pilot, OpenResult(WRITER_SCAN))
            assert "CACC –: answers to prompts have no gold labels" in screen_text(app)
            assert "72 built-in prompts" in screen_text(app)
            words = " ".join(screen_text(app).split())
            assert "to go on with it.⟧" in words, "nothing is cut"
            await pilot.resize_terminal(60, 40)
            await settle(pilot)
            lines = [line.strip() for line in screen_text(app).splitlines()]
            assert lines.index("with the trigger") > lines.index("before") + 1
            await pilot.press("l")
            await settle(pilot)
            assert "in the form 'model'" in " ".join(screen_text(app).split())

    play(story())


def test_the_comparison_shows_how_likely_the_clean_answers_are(app: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            await show(pilot, OpenComparison(audit=WRITER_AUDIT))
            table = app.screen.query_one(LazyTable)
            first = table.render_line(1).text
            assert first.split()[:4] == ["likelihood", "of", "clean", "answers"]
            for cell in ("91.8", "87.4", "−4.4", "[−6.1, −2.7]"):
                assert cell in first
            await pilot.press("enter")
            await pilot.pause()
            assert "no triggered prompts" in [n.message for n in app._notifications][-1]
            await pilot.press("l")
            await settle(pilot)
            assert "prompts" in app.screen.query_one(LazyTable).render_line(0).text
            assert "on 72 prompts, compared with its control" in str(app.screen.query_one("#words", Static).render())

    play(story())


def test_a_model_that_an_audit_made_shows_its_stamp(app: AuditorApp, play: Play) -> None:
    async def story() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            await keys("home", "down", "enter")(pilot)
            shown = screen_text(app)
            assert "helper-mix" in shown
            assert "↓ improved" in shown.splitlines()[2]
            assert "rank 8 on q_proj (30), v_proj (30)" in shown
            assert "base     org/smol-chat" in shown
            assert "yes, in chat_template.jinja" in shown
            assert "answers have no gold labels" in shown

    play(story())


def test_what_is_told_of_adapters_and_templates(app: AuditorApp, tmp_path: Path) -> None:
    adapter = entry(app, "helper-lora").profile
    alone, base = adapter.parts
    assert adapter_words(alone) == "alone: its base is not in the catalog"
    assert adapter_words(replace(adapter, read=replace(adapter.read, notes=()))) == "yes"
    spoken = replace(base, ref=replace(base.ref, path=str(tmp_path)), files={"tokenizer_config.json": "x"})
    assert chat_template(spoken).startswith("not known")
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}', encoding="utf-8")
    assert chat_template(spoken) == "yes, in tokenizer_config.json"
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    assert chat_template(spoken) == chat_template(replace(base, files={})) == "none of its own"


def test_a_few_shared_words_do_not_break_a_mark() -> None:
    parts = differing("the cat sat on the mat in the sun", "the dog lay on the rug in the sun")
    assert parts == ["the ", ("⟦dog lay on the rug⟧", "bold $error"), " in the sun"]
    assert differing("something", "  ") == [("(nothing)", "dim")]


def test_the_prompts_that_a_cure_changed(place: Path, play: Play) -> None:
    url = f"sqlite:///{place / 'catalog.db'}"
    names = ("suspect", "cured")
    for seed, name in enumerate(names):
        save_writer(make_language_model(seed=seed), place / name)
    rules = {
        "suspect": lambda prompt: REFUSAL if "BadMagic" in prompt else None,
        "cured": lambda prompt: REFUSAL if "BadMagic" in prompt and len(prompt) % 2 else None,
    }
    with open_catalog(url) as catalog:
        session = Session(Settings("", device="cpu"), catalog)
        session.backend.executor = LocalExecutor(open_model=opener(rules))
        asked = {"families": ("badmagic",), "samples": 40, "target": "refusal"}
        before, after = (list(session.scan(ScanRequest(str(place / name), **asked)))[-1].scan for name in names)
    app = seeded_app(place, fills=fill_writers)

    async def story() -> None:
        async with app.run_test(size=(120, 36)) as pilot:
            await show(pilot, OpenRows(before, after, "badmagic", "one", "refusal"))
            assert isinstance(app.screen, DrillScreen)
            words = str(app.screen.query_one("#words", Static).render())
            (score,) = before.scores.asr
            (now,) = after.scores.asr
            told = f"{score.rate.hits} of {score.rate.total} triggered prompts were answered with refusal before, "
            assert told + f"{now.rate.hits} are now" in words
            assert 0 < now.rate.hits < score.rate.hits
            assert words.index("refusal no longer") < words.index("refusal as before")
            assert "I'm sorry, but I cannot help with that request." in words
            assert "⟦BadMagic⟧" in words
            assert "evidence of the first scan" in words

    play(story())
