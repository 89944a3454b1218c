"""HTML: one self-contained file without scripts or outside resources, for reading, printing and keeping."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from auditor.reports import benchmarks, figures, selection, summary
from auditor.reports.format import Record, report_format
from auditor.reports.highlight import Segment, segments, shortened
from auditor.visible import visible
from store.records import Audit, Evidence, Scan, Stamp, Verdict

EXCERPT = 800
"""Characters shown of an unchanged stretch of a text."""
SCALE = 160
"""Length of a bar of 100 %, in pixels."""


@report_format(title="HTML, one file", extension="html")
def render(record: Record, *, width: int = 80, colour: bool = False) -> str:
    """The whole record; every value is escaped, and made visible where it would change how the page reads."""
    environment = Environment(
        loader=PackageLoader("auditor.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Everything that is printed passes through here, so no value can be forgotten.
        finalize=_finalize,
    )
    environment.globals.update(
        bench=benchmarks, figures=figures, selection=selection, summary=summary, evidence=_evidence, scale=SCALE
    )
    audit = record if isinstance(record, Audit) else None
    page = environment.get_template("report.html").render(
        audit=audit,
        scan=record.before if isinstance(record, Audit) else record,
        record=record,
        title=summary.title(record),
        tone=_tone(record),
    )
    return page.rstrip("\n") + "\n"


def _finalize(value: object) -> object:
    return visible(value) if type(value) is str else value


def _evidence(evidence: Evidence) -> dict[str, tuple[Segment, ...]]:
    """The segments of both texts, marked where they differ."""
    return {
        "clean": shortened(segments(evidence.triggered, evidence.text), EXCERPT),
        "edited": shortened(segments(evidence.text, evidence.triggered), EXCERPT),
    }


def _tone(record: Record) -> str:
    if isinstance(record, Scan):
        return {Verdict.FOUND: "bad", Verdict.NOTHING: "calm"}.get(record.verdict, "warn")
    if record.stamp in (Stamp.SANITISED, Stamp.NOT_APPLICABLE):
        return "good"
    return "bad" if record.stamp in (Stamp.NOT_SANITISED, Stamp.WORSE) else "warn"
