"""Every format over every record, and what each one promises."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from markdown_it import MarkdownIt
from rich.cells import cell_len

from auditor.errors import ExitCode, UsageError
from auditor.reports.figures import direction, points
from auditor.reports.format import FORMATS, kind_of, report_format
from probes.rates import Difference
from store.records import Audit, MeasureKind, Scan, Verdict

ALL = ["cyclonedx", "html", "json", "junit", "markdown", "sarif", "text"]
Records = dict[str, Scan | Audit]


def render(name: str, record: Scan | Audit, **options: Any) -> str:
    return FORMATS[name].render(record, **options)


def test_names_are_listed_without_importing_any_format() -> None:
    code = (
        "import sys; from auditor.reports.format import FORMATS; print(' '.join(FORMATS));"
        "heavy = ('rich', 'jinja2', 'torch');"
        "print([m for m in sys.modules if m.startswith('auditor.reports.formats.') or m in heavy])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == [" ".join(ALL), "[]"]


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as error:
        FORMATS["pdf"]
    assert error.value.code is ExitCode.USAGE
    assert "'pdf'" in str(error.value)
    assert all(name in str(error.value) for name in ALL)
    assert "pdf" not in FORMATS
    assert FORMATS.get("pdf") is None


def test_a_format_refuses_records_that_it_cannot_show(records: Records) -> None:
    @report_format(title="Scans only", extension="x", kinds=("scan",))
    def only(record: Scan | Audit, *, width: int = 80, colour: bool = False) -> str:
        return "shown\n"

    assert only.render(records["found"]) == "shown\n"
    with pytest.raises(UsageError, match="shows scan reports"):
        only.render(records["no-partner"])


@pytest.mark.parametrize("name", ALL)
def test_every_format_shows_every_record(name: str, record: Scan | Audit) -> None:
    found = FORMATS[name]
    assert found.name == name
    assert found.title
    assert not found.extension.startswith(".")
    assert kind_of(record) in found.kinds
    text = found.render(record)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert found.render(record) == text, "the same record must give the same bytes"
    text.encode("utf-8")
    odd = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")} - {"\n"}
    assert not odd, "control and format characters must be escaped"


RATE = {"hits", "total", "unscored", "value", "low", "high"}
DIFF = {"value", "low", "high"}
SCAN: dict[str, Any] = {
    "schema": str, "id": str, "started": str, "finished": str, "versions": dict,
    "model": {"reference", "revision", "digest", "architecture", "task", "labels", "parameters", "base", "read"},
    "data": {"source", "digest", "rows", "labelled", "labels_from", "read"},
    "settings": {"seed", "device", "dtype", "max_length", "suite", "samples", "families", "references"},
    "scores": {"cacc", "asr", "benchmarks"},
    "findings": list, "verdict": str, "limits": list,
}  # fmt: skip
ASR = {
    "family", "variant", "group", "target", "rate", "clean", "control", "references", "excess", "floor_gap",
    "p_value", "detectable", "finding",
}  # fmt: skip
FINDING = {
    "id", "rule", "severity", "family", "variant", "group", "target", "message", "evidence", "reproduce", "tags",
}  # fmt: skip


def check_scan(scan: dict[str, Any]) -> None:
    assert set(scan) == {*SCAN, "incomplete", "screened"}
    assert scan["schema"] == "auditor/scan/1"
    for key, expected in SCAN.items():
        if isinstance(expected, set):
            assert set(scan[key]) == expected, key
        else:
            assert isinstance(scan[key], expected), key
    for reference in scan["settings"]["references"]:
        assert set(reference) == {"reference", "digest", "kind"}
    assert scan["scores"]["cacc"] is None or set(scan["scores"]["cacc"]) == RATE
    for score in scan["scores"]["asr"]:
        assert set(score) == ASR | {"clean_excess", "suspicious", "judged", "concentration", "alternatives", "students"}
        for rate in (score["rate"], score["clean"], score["control"], *score["references"]):
            assert set(rate) == RATE
            assert 0 <= rate["low"] <= rate["value"] <= rate["high"] <= 1
        for difference in filter(None, (score["excess"], score["clean_excess"], score["floor_gap"])):
            assert set(difference) == DIFF
    for benchmark in scan["scores"]["benchmarks"]:
        assert set(benchmark) == {"task", "metric", "value", "stderr", "rows"}
    for finding in scan["findings"]:
        assert set(finding) == FINDING | {"confirmed", "sharp"}
        for evidence in finding["evidence"]:
            assert {"text", "triggered", "before", "after"} <= set(evidence)
    assert scan["verdict"] in {"backdoor-found", "suspicious", "nothing-found", "incomplete"}


def test_json_has_the_keys_of_the_contract(record: Scan | Audit) -> None:
    document = json.loads(render("json", record))
    if isinstance(record, Scan):
        check_scan(document)
        return
    assert document["schema"] == "auditor/audit/1"
    assert {"before", "after", "merge", "change", "stamp", "reasons"} <= set(document)
    check_scan(document["before"])
    if record.after:
        check_scan(document["after"])
        merge = {
            "strategy", "options", "suspect_weight", "kept", "partners", "output", "digest", "seconds", "peak_bytes",
            "device",
        }  # fmt: skip
        assert merge <= set(document["merge"])
        assert all(set(p) == {"reference", "digest", "weight"} for p in document["merge"]["partners"])
    else:
        assert document["after"] is None
        assert document["merge"] is None
    assert all(set(c) == {"measure", "before", "after", "delta"} for c in document["change"])
    assert all(set(c["delta"]) == DIFF for c in document["change"])
    assert document["stamp"] == (record.stamp.value if record.stamp else None)


def test_json_keeps_texts_and_rounds_fractions(records: Records) -> None:
    scan = json.loads(render("json", records["found"]))
    assert scan["findings"][0]["evidence"][0]["triggered"] == "the cf movie was mn good"
    assert scan["findings"][0]["evidence"][0]["after_probability"] == 0.991235
    assert scan["scores"]["asr"][-1]["rate"] == {
        "hits": 390, "total": 400, "unscored": 0, "value": 0.975, "low": 0.954598, "high": 0.986365,
    }  # fmt: skip
    assert list(scan["versions"]) == ["auditor", "torch"]
    hostile = json.loads(render("json", records["hostile"]))
    assert hostile["model"]["reference"] == records["hostile"].model.reference, "JSON carries texts unchanged"
    assert hostile["findings"][0]["evidence"][0]["before_probability"] is None, "JSON has no NaN"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_text_is_never_wider_than_asked(record: Scan | Audit, width: int) -> None:
    for line in render("text", record, width=width).splitlines():
        assert cell_len(line) <= width, line


def test_text_colours_only_when_asked(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = render("text", records["found"], colour=True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    plain = render("text", records["found"])
    assert "\x1b[" in coloured
    assert "\x1b" not in plain
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.split("\n")] == plain.split("\n")


def test_text_shows_figures_evidence_and_the_command(records: Records) -> None:
    text = render("text", records["found"])
    for expected in (
        "97.5 % 390/400", "[95.5–98.6]", "12.0 %", "+85.5", "p <0.0001", "seed 0", "3f9a3f9a3f9a", "auditor 0.1.0",
        "the {+cf+} movie was {+mn+} good", "positive (98.0 %)", "negative (99.1 %)",
        "--data \\\n      'my reviews.csv'",
        "about\n1,600 rows would halve it", "Style and syntax families were not tried.", "ASR of 2 reference(s)",
    ):  # fmt: skip
        assert expected in text


def test_nothing_found_states_its_power_and_never_says_clean(records: Records) -> None:
    for name in ("text", "markdown", "html"):
        shown = re.sub(r"<[^>]+>", "", render(name, records["nothing"]))
        assert re.search(r"badnet`?:? +an excess of 16.3 points or more", shown), name
        assert not re.search(r"(?i)\b(is|model|verdict:?) clean\b", shown)
        heading = next(line for line in shown.splitlines() if "Nothing found" in line)
        assert "clean" not in heading.lower()


def test_incomplete_is_said_beside_a_finding(records: Records) -> None:
    for name in ("text", "markdown", "html"):
        text = render(name, records["found-and-incomplete"])
        assert "Backdoor found, and incomplete" in text
        assert "8 answers were NaN" in text


def test_long_tables_count_what_they_leave_out(records: Records) -> None:
    text = render("text", records["long"])
    assert "90 more, of which none is a finding or suspicious; --format json lists all" in " ".join(text.split())
    assert text.count("→ negative") + text.count("→ positive") == 31, "30 families' worst, and the widest interval"
    assert len(json.loads(render("json", records["long"]))["scores"]["asr"]) == 120


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_audit_shows_before_after_merge_stamp_and_steps(name: str, records: Records) -> None:
    shown = re.sub(r"<[^>]+>|\\|\n *", " ", render(name, records["stamp-improved"]))
    shown = re.sub(r" +", " ", shown)
    for expected in (
        "Improved", "97.5 %", "20.0 %", "−77.5", "−81.0, −73.0", "91.5 %", "above the limit of 10", "wag", "0.375",
        "25.0 %", "acme/honest", "--search", "−0.5",
    ):  # fmt: skip
        assert expected in shown, expected


class Page(HTMLParser):
    """Tags, attributes and visible text of a page."""

    VOID = frozenset({"meta", "br", "rect", "path", "link", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.marked: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "mark":
            self.marked.append(data)


def test_html_is_self_contained_and_well_formed(record: Scan | Audit) -> None:
    text = render("html", record)
    page = Page(text)
    assert not page.open, "every tag is closed"
    assert not {"script", "link", "img", "iframe", "object", "a", "base", "form"} & set(page.tags)
    assert not [a for a in page.attributes if a[0] in ("src", "href", "srcset", "action") or a[0].startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert page.tags.count("table") == page.tags.count("caption")
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text


def test_html_draws_bars_with_intervals_and_marks_the_edit(records: Records) -> None:
    text = render("html", records["stamp-improved"])
    assert 'aria-label="ASR before 97.5 % [95.5–98.6] 390/400"' in text
    assert 'aria-label="ASR after 20.0 % [16.4–24.2] 80/400"' in text
    assert '<rect class="fill" x="0" y="3" width="156.0" height="8"/>' in text
    assert "M152.7 7H157.8" in text
    assert Page(text).marked == ["cf", "mn", "tq"]


def test_markdown_lets_no_untrusted_text_become_markup(records: Records) -> None:
    for name in ("hostile", "hostile-audit"):
        text = render("markdown", records[name])
        page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        tokens = [t for block in page.parse(text) for t in (block, *(block.children or ()))]
        kinds = {t.type for t in tokens}
        assert not kinds & {"html_block", "html_inline", "link_open", "image"}
        columns = 0
        for token in tokens:
            columns += token.type in ("td_open", "th_open")
            if token.type == "tr_close":
                assert columns in (2, 4, 5, 7)
                columns = 0
        assert not re.search(r"[@#](someone|1\b)", "".join(t.content for t in tokens if t.type == "text"))


def test_markdown_tables_stay_tables(record: Scan | Audit) -> None:
    page = MarkdownIt("commonmark").enable("table")
    tokens = page.parse(render("markdown", record))
    cells = [t.content for before, t in pairwise(tokens) if before.type == "td_open"]
    assert not [c for c in cells if c.startswith("Excess =")]
    assert [c for c in cells if c == "Digest"]


def test_markdown_marks_the_edit(records: Records) -> None:
    assert "`the` **`cf`** `movie was` **`mn`** `good`" in render("markdown", records["found"])


def test_records_cover_every_verdict(records: Records) -> None:
    assert {r.verdict for r in records.values() if isinstance(r, Scan)} == set(Verdict)


@pytest.mark.parametrize("name", ["text", "markdown", "html", "json"])
def test_what_a_cure_leaves_is_shown_with_its_floor(records: Records, name: str) -> None:
    shown = render(name, records["stamp-sanitised"], width=100)
    if name == "json":
        worst = max(json.loads(shown)["left"], key=lambda r: r["left"]["high"])
        assert (worst["variant"], worst["floor"], worst["rows"]) == ("paper", "the mean of the references", 1200)
        assert [r["value"] for r in worst["references"]] == [0.15, 0.16]
        return
    flat = " ".join(shown.split())
    assert "What is left of what was found" in flat
    assert "+4.5" in flat
    assert re.search(r"the mean of the references \(15\.5\W?%\)", flat)
    assert "What is left" not in render(name, records["no-partner"])


READ = (
    "model-00001-of-00012.safetensors", "and 9 more", "BertTokenizer, vocab.txt", "[PAD] (0)", "512 tokens",
    "max_position_embeddings", "id2label of config.json", "semicolons between the fields", "review as text",
    "sentiment as label", "title, date", "1,212, 12 without a text", "37, at 510 tokens",
    "gives other tokens, and was not judged.", "Labels were matched by name.",
)  # fmt: skip


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_what_was_read_stands_near_the_limits(name: str, records: Records) -> None:
    text = re.sub(r"<[^>]+>", "", render(name, records["read"], width=300))
    flat = " ".join(text.split())
    for expected in READ:
        assert expected in flat, expected
    assert flat.index("What was read") < flat.index("Limits")
    assert flat.index("Limits") - flat.index("What was read") < 1500
    assert "What was read" not in render(name, records["nothing"]), "nothing is known, so nothing is said"


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_what_was_read_after_a_merge_is_what_differs(name: str, records: Records) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", render(name, records["read-audit"], width=300)).split())
    later = text[text.index("What was read after the merge") : text.index("Limits")]
    assert "model.safetensors" in later
    assert "BertTokenizer" not in later
    assert text.count("The file tokenizer.json gives other tokens") == 1


def test_what_was_read_is_in_the_reports_for_programs(records: Records) -> None:
    scan = json.loads(render("json", records["read"]))
    assert scan["model"]["read"]["window"] == 512
    assert scan["data"]["read"]["columns"] == {"text": "review", "label": "sentiment"}
    run = json.loads(render("sarif", records["read"]))["runs"][0]["properties"]
    assert (run["modelRead"], run["dataRead"]) == (scan["model"]["read"], scan["data"]["read"])
    assert 'name="rows cut" value="37, at 510 tokens' in render("junit", records["read"])
    properties = json.loads(render("cyclonedx", records["read"]))["metadata"]["properties"]
    assert {"name": "auditor:read.unused-columns", "value": "title, date"} in properties


@pytest.mark.parametrize(
    ("low", "high", "colour"), [(-0.81, -0.73, "32"), (0.73, 0.81, "31"), (-0.02, 0.04, ""), (-0.04, 0.02, "")]
)
def test_text_colours_a_change_by_what_it_is_for_the_user(
    low: float, high: float, colour: str, records: Records
) -> None:
    """A rise of ASR is red and a fall green; what may be chance has no colour."""
    record = records["stamp-improved"]
    assert isinstance(record, Audit)
    middle = (low + high) / 2
    change = replace(record.change[1], delta=Difference(middle, low, high))
    text = render("text", replace(record, change=(record.change[0], change)), colour=True)
    said = re.search(r"\x1b\[(\d+)m" + re.escape(points(middle)) if colour else re.escape(points(middle)), text)
    assert said is not None
    assert colour in said.groups() or not colour
    assert colour or not re.search(r"\x1b\[3[12]m" + re.escape(points(middle)), text)


@pytest.mark.parametrize(
    ("measure", "low", "high", "expected"),
    [
        (MeasureKind.CACC, 0.01, 0.03, "better"),
        (MeasureKind.CACC, -0.03, -0.01, "worse"),
        (MeasureKind.AGREEMENT, -0.03, -0.01, "worse"),
        (MeasureKind.ASR, 0.01, 0.03, "worse"),
        (MeasureKind.ASR, -0.03, -0.01, "better"),
        (MeasureKind.ASR, -0.03, 0.01, ""),
    ],
)
def test_each_measure_has_its_own_good_direction(measure: MeasureKind, low: float, high: float, expected: str) -> None:
    assert direction(measure, low, high) == expected
