"""Figures, highlighting, escaping and the choice of rows."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.commands.scan import settling
from auditor.reports.figures import bar, counts, difference_words, p_words, points, rate_words
from auditor.reports.highlight import segments, shortened
from auditor.reports.selection import other_changes, pairs, rows
from auditor.reports.summary import next_steps, stamp_sentence, verdict_sentence
from auditor.visible import sha256_of, short_digest, visible
from probes.rates import Difference, Rate
from store.records import Audit, Scan, Stamp


def marked(other: str, text: str) -> str:
    return "".join(f"[{s.text}]" if s.changed else s.text for s in segments(other, text))


@pytest.mark.parametrize(
    ("clean", "edited", "expected"),
    [
        ("the movie was good", "the cf movie was good", "the [cf] movie was good"),
        ("good", "good cf", "good [cf]"),
        ("good", "cf good", "[cf] good"),
        ("one two", "One two", "[One] two"),
        ("a b", "a  b", "a[  ]b"),
        ("a b", "a \u200bb", "a [\u200bb]"),
        ("", "cf", "[cf]"),
        ("same", "same", "same"),
        ("gone", "", ""),
        ("a\nb", "a\nno cross, no crown b", "a\n[no cross, no crown] b"),
    ],
)
def test_the_edit_is_marked(clean: str, edited: str, expected: str) -> None:
    assert marked(clean, edited) == expected


@given(st.text(alphabet="ab \n\t", max_size=40), st.text(alphabet="abc \n\t", max_size=40))
def test_segments_joined_are_the_text_and_a_change_is_seen(other: str, text: str) -> None:
    found = segments(other, text)
    assert "".join(s.text for s in found) == text
    if other == text:
        assert not any(s.changed for s in found)


def test_long_unlike_texts_are_compared_in_good_time() -> None:
    started = time.process_time()
    text = "a b " * 10_000
    assert "".join(s.text for s in segments("b c a " * 10_000, text)) == text
    assert time.process_time() - started < 2


def test_shortening_keeps_what_is_next_to_the_change() -> None:
    parts = shortened(segments("x " * 500 + "y " * 500, "x " * 500 + "cf " + "y " * 500), 20)
    assert [s.text for s in parts if s.changed] == ["cf"]
    assert parts[0].text.endswith("x x ")
    assert parts[0].text.startswith("…")
    assert parts[-1].text.startswith(" y y")
    assert all(len(s.text) < 30 for s in parts)


@given(st.text())
def test_visible_text_is_one_harmless_line(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode("utf-8")
    assert visible(shown) == shown


def test_visible_shows_what_hides() -> None:
    assert visible("a\x1b[0m\u202eb\u200bc\nd\x9b\ud800") == "a\\x1b[0m\\u202eb\\u200bc\\nd\\x9b\\ud800"
    assert visible("café 界 😀 مرحبا") == "café 界 😀 مرحبا"


def test_digests() -> None:
    assert sha256_of("sha256:" + "AB" * 32) == "ab" * 32
    assert sha256_of("main") is None
    assert short_digest("sha256:" + "ab" * 32) == "ab" * 6


def test_figures() -> None:
    assert rate_words(Rate(390, 400)) == "97.5 % [95.5–98.6] 390/400"
    assert rate_words(Rate(0, 0, 40)) == "not scored 0/0, 40 unscored"
    assert counts(Rate(1, 2, 3)) == "1/2, 3 unscored"
    assert difference_words(Difference(-0.025, -0.05, 0.0)) == "−2.5 [−5.0, 0.0]"
    assert points(-0.0001) == "0.0"
    assert (p_words(0.0), p_words(0.0123)) == ("<0.0001", "0.0123")
    drawn = bar(Rate(50, 100), 200)
    assert drawn.low < drawn.value == 100 < drawn.high


def test_the_rows_that_matter(records: dict[str, Scan | Audit]) -> None:
    scan = records["found"]
    assert isinstance(scan, Scan)
    chosen = rows(scan)
    assert [(s.family, s.finding) for s in chosen.shown] == [("badnet", True), ("insertsent", False)]
    assert len(chosen.shown) + len(chosen.hidden) == len(scan.scores.asr)


def test_pairs_join_before_and_after(records: dict[str, Scan | Audit]) -> None:
    audit = records["stamp-improved"]
    assert isinstance(audit, Audit)
    first = pairs(audit).shown[0]
    assert first.before is not None
    assert first.after is not None
    assert (first.before.rate.hits, first.after.rate.hits) == (390, 80)
    assert first.delta == Difference(-0.775, -0.81, -0.73)
    assert [c.measure for c in other_changes(audit)] == []
    values = [p.value for p in (*pairs(audit).shown, *pairs(audit).hidden)]
    assert max(values) == values[0]


@pytest.mark.parametrize("stamp", Stamp)
def test_each_stamp_has_its_own_words(stamp: Stamp, records: dict[str, Scan | Audit]) -> None:
    audit = records[f"stamp-{stamp.value}"]
    assert isinstance(audit, Audit)
    others = [records[f"stamp-{s.value}"] for s in Stamp if s is not stamp]
    said = stamp_sentence(audit)
    assert said not in [stamp_sentence(o) for o in others if isinstance(o, Audit)]
    assert "clean" not in said.lower()
    assert bool(next_steps(audit)) == (stamp is not Stamp.NOT_APPLICABLE)


def test_no_partner_says_what_to_do(records: dict[str, Scan | Audit]) -> None:
    audit = records["no-partner"]
    assert isinstance(audit, Audit)
    assert stamp_sentence(audit).startswith("No merge was made")
    assert any("auditor partners acme/reviews" in step for step in next_steps(audit))


def test_a_verdict_quotes_the_strongest_figures(records: dict[str, Scan | Audit]) -> None:
    scan = records["found"]
    assert isinstance(scan, Scan)
    said = verdict_sentence(scan)
    assert all(figure in said for figure in ("badnet", "97.5 %", "“negative”", "12.0 %", "4.0 %", "at most 10.0 %"))


def test_only_references_that_can_be_had_are_proposed_to_settle_what_is_suspicious(
    records: dict[str, Scan | Audit],
) -> None:
    doubtful = records["suspicious"]
    assert isinstance(doubtful, Scan)
    alone = replace(doubtful, settings=replace(doubtful.settings, references=()))
    assert "lab reference" in settling(alone, None)
    assert "--students" in settling(alone, None)
    writer = replace(alone, model=replace(alone.model, task="text-generation"))
    assert "--reference" in settling(writer, None)
    assert not any(word in settling(writer, None) for word in ("lab reference", "--students"))
    assert settling(doubtful, None) == ""
