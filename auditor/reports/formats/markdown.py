"""GitHub-flavoured Markdown, for pull requests, issues and build summaries.

Whatever is not this project's own wording stands in code spans, where neither markup, HTML, mentions nor links work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from auditor.reports.benchmarks import CHANGES_NOTE, asked_in, delta_in, partner_lines, sides_in, value_in
from auditor.reports.figures import difference_words, memory, p_words, percent, points, rate_words, share
from auditor.reports.format import Record, report_format
from auditor.reports.highlight import Segment, segments, shortened
from auditor.reports.selection import cacc_change, other_changes, pairs, residues, rows, score_of
from auditor.reports.summary import (
    cacc_words,
    floor_words,
    ingredients_in_words,
    next_steps,
    power,
    precision_sentence,
    raised_words,
    read_facts,
    read_notes,
    references_words,
    scan_facts,
    sign,
    stamp_sentence,
    title,
    verdict_sentence,
    where,
)
from auditor.visible import visible
from store.records import AsrScore, Audit, Evidence, Finding, Merge, Scan, Verdict

EVIDENCE = 3
EXCERPT = 400

_SPECIAL = re.compile(r"([\\`*_\[\]#!|~@$>]|:(?=\S)|^[+-])")
_RUNS = re.compile(r"`+")


@report_format(title="Markdown (GitHub)", extension="md")
def render(record: Record, *, width: int = 80, colour: bool = False) -> str:
    """The record, with the rows that matter; `--format json` has all of them."""
    lines = _audit(record) if isinstance(record, Audit) else _scan(record)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def _scan(scan: Scan) -> list[str]:
    return [
        f"# Scan: {title(scan)}",
        "",
        _words(verdict_sentence(scan)),
        "",
        *_bullets(f"Not judged: {reason}" for reason in scan.incomplete),
        *_facts(scan),
        *_scores(scan),
        *_findings(scan, "Findings"),
        *_read(scan),
        *_limits(scan),
        *_next(scan),
    ]


def _audit(audit: Audit) -> list[str]:
    return [
        f"# Audit: {title(audit)}",
        "",
        _words(stamp_sentence(audit)),
        "",
        *_bullets(audit.reasons),
        *_facts(audit.before),
        *(_change(audit, audit.after) if audit.after else _scores(audit.before)),
        *(_merge(audit.merge) if audit.merge else []),
        *(_findings(audit.after, "Still there after the merge") if audit.after else []),
        *_findings(audit.before, "Found before"),
        *_read(audit.before),
        *(_read(audit.after, audit.before) if audit.after else []),
        *_limits(audit.after or audit.before),
        *_next(audit),
    ]


def _facts(scan: Scan) -> list[str]:
    return ["", "## What was scanned", "", *_table(("", ""), [(name, _cell(v)) for name, v in scan_facts(scan)])]


def _scores(scan: Scan) -> list[str]:
    if scan.settings.suite == "files":
        return []
    chosen = rows(scan)
    lines = ["", "## Rates", "", f"CACC: {_words(cacc_words(scan))}", ""]
    if chosen.shown:
        head = ("Family/variant → target", "ASR", "Control", "Clean", "Excess", "p", "Sign")
        lines += _table(head, [_score(s) for s in chosen.shown])
    if chosen.hidden:
        lines += ["", f"{len(chosen.hidden):,} more, of which none is a finding or suspicious: `--format json`.", ""]
    lines += ["", "Excess = ASR − control, in points; brackets: 95 % intervals; p: corrected over the whole suite.", ""]
    if precision := precision_sentence(scan):
        lines += [_words(precision), ""]
    return [*lines, *_benchmarks(scan)]


def _score(s: AsrScore) -> tuple[str, ...]:
    excess = _words(difference_words(s.excess)) if s.judged else "–"
    p_value = _words(p_words(s.p_value)) if s.judged else "–"
    return (_cell(where(s)), _words(rate_words(s.rate)), share(s.control), share(s.clean), excess, p_value, _sign(s))


def _sign(score: AsrScore | None) -> str:
    if score is None:
        return "–"
    return f"**{sign(score)}**" if score.finding or score.suspicious else sign(score)


def _benchmarks(scan: Scan) -> list[str]:
    scores = scan.scores.benchmarks
    found = [(_cell(b.task), _cell(b.metric), value_in(b), f"{b.rows:,}") for b in scores]
    lines = _table(("Task", "Metric", "Value", "Rows"), found)
    return ["", "## Benchmarks", "", *lines, *_asked(asked_in(scores))] if found else []


def _benchmark_changes(audit: Audit, after: Scan) -> list[str]:
    if not audit.benchmarks:
        return _benchmarks(after)
    found = [
        (_cell(c.task), _cell(c.metric), *sides_in(c), _words(delta_in(c)), f"{c.rows:,}") for c in audit.benchmarks
    ]
    lines = _table(("Task", "Metric", "Before", "After", "Change", "Rows"), found)
    told = (*asked_in(audit.before.scores.benchmarks), *partner_lines(audit))
    return ["", "## Benchmarks", "", *lines, "", _words(CHANGES_NOTE), *_asked(told)]


def _asked(told: Sequence[str]) -> list[str]:
    return ["", *(f"- {_words(line)}" for line in told)] if told else []


def _change(audit: Audit, after: Scan) -> list[str]:
    chosen = pairs(audit)
    cells = [
        (
            _cell(where(pair.score)),
            _words(rate_words(pair.before.rate)) if pair.before else "not asked",
            _words(rate_words(pair.after.rate)) if pair.after else "not asked",
            "–" if pair.change is None else _words(difference_words(pair.delta) if pair.delta else points(pair.change)),
            f"{_sign(pair.before)} → {_sign(pair.after)}",
        )
        for pair in chosen.shown
    ]
    head = ("Family/variant → target", "ASR before", "ASR after", "Change", "Sign before → after")
    lines = [
        "",
        "## Before and after the merge",
        "",
        f"CACC before: {_words(cacc_words(audit.before))}",
        "",
        f"CACC after: {_words(cacc_words(after))}{_cacc_change(audit)}",
        "",
        *_table(head, cells),
    ]
    if chosen.hidden:
        lines += ["", f"{len(chosen.hidden):,} more, of which none was or is a finding or suspicious: `--format json`."]
    if others := other_changes(audit):
        changed = [
            (_cell(str(c.measure)), percent(c.before), percent(c.after), _words(difference_words(c.delta)))
            for c in others
        ]
        lines += ["", *_table(("Measure", "Before", "After", "Change, in points"), changed)]
    if precision := precision_sentence(after):
        lines += ["", _words(f"After the merge: {precision}")]
    if audit.ingredients:
        rows = [tuple(map(_cell, (i.name, i.carried, i.left))) for i in ingredients_in_words(audit)]
        lines += ["", "## Ingredients", "", *_table(("Model", "It carried", "Left in the merge"), rows)]
    if left := residues(audit):
        rest = [
            (
                _cell(where(r)),
                _words(rate_words(r.rate)),
                _words(difference_words(r.left)),
                _cell(floor_words(r)),
                _words(raised_words(r)),
            )
            for r in left
        ]
        lines += ["", "## What is left of what was found", ""]
        lines += _table(("Family/variant → target", "ASR", "Left, in points", "Above", "Log-odds raised by"), rest)
    return [*lines, *_benchmark_changes(audit, after)]


def _cacc_change(audit: Audit) -> str:
    change = cacc_change(audit)
    return f", change {_words(difference_words(change.delta))} points" if change else ""


def _merge(merge: Merge) -> list[str]:
    options = ", ".join(f"{k}={v}" for k, v in sorted(merge.options.items()))
    cells = [("Suspect", _cell(merge.suspect), _cell(merge.suspect_digest), f"{merge.suspect_weight:g}")]
    cells += [("Partner", _cell(p.reference), _cell(p.digest), f"{p.weight:g}") for p in merge.partners]
    cells += [("Output", _cell(merge.output), _cell(merge.digest), "")]
    return [
        "",
        "## The merge",
        "",
        f"Strategy {_code(merge.strategy)}{' with ' + _code(options) if options else ''}: keeps {percent(merge.kept)} "
        f"of what the suspect learned; {merge.seconds:.1f} s on {_code(merge.device)}, "
        f"at most {memory(merge.peak_bytes)}.",
        "",
        *_table(("", "Model", "Digest", "Weight"), cells),
        "",
        *_bullets(merge.notes),
    ]


def _findings(scan: Scan, heading: str) -> list[str]:
    lines = ["", f"## {heading}"] if scan.findings else []
    for finding in scan.findings:
        lines += _finding(scan, finding)
    return lines


def _finding(scan: Scan, finding: Finding) -> list[str]:
    lead = f"{finding.group} → {finding.target}"
    lines = ["", f"### {_words(finding.rule)}, {finding.severity}: {_code(lead)}", "", _words(finding.message), ""]
    score = score_of(scan, finding)
    if score and (words := references_words(score)):
        lines += [_words(words), ""]
    if finding.tags:
        lines += [f"Fired too: {', '.join(_code(tag) for tag in finding.tags)}", ""]
    for evidence in finding.evidence[:EVIDENCE]:
        lines += _evidence(evidence)
    return [*lines, "", "To repeat it:", "", *_fenced(finding.reproduce), ""]


def _evidence(evidence: Evidence) -> list[str]:
    clean = _marked(segments(evidence.triggered, evidence.text), "~~")
    edited = _marked(segments(evidence.text, evidence.triggered), "**")
    return [
        f"- as it is: {clean} → {_code(evidence.before)} ({percent(evidence.before_probability)})",
        f"  edited: {edited} → {_code(evidence.after)} ({percent(evidence.after_probability)})",
    ]


def _marked(parts: Sequence[Segment], mark: str) -> str:
    spans = []
    for part in shortened(parts, EXCERPT):
        if text := part.text.strip(" "):
            spans.append(f"{mark}{_code(text)}{mark}" if part.changed else _code(text))
    return " ".join(spans) or "(empty)"


def _read(scan: Scan, beside: Scan | None = None) -> list[str]:
    facts, notes = read_facts(scan, beside), read_notes(scan, beside)
    if not facts and not notes:
        return []
    table = _table(("", ""), [(name, _cell(value)) for name, value in facts]) if facts else []
    heading = "What was read after the merge" if beside else "What was read"
    return ["", f"## {heading}", "", *table, "", *_bullets(notes)]


def _limits(scan: Scan) -> list[str]:
    lines: list[str] = []
    if scan.verdict in (Verdict.NOTHING, Verdict.INCOMPLETE) and (powers := power(scan)):
        lines += ["", "## What this scan would have found, with 80 % probability", ""]
        lines += [f"- {_code(p.family)}: {_words(p.words)}" for p in powers]
    return [*lines, "", "## Limits", "", *_bullets(scan.limits or ("Triggers outside the suite are not seen.",))]


def _next(record: Record) -> list[str]:
    steps = next_steps(record)
    return ["", "## What to try next", "", *_bullets(steps)] if steps else []


def _bullets(items: Iterable[str]) -> list[str]:
    return [f"- {_words(item)}" for item in items]


def _table(head: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in cells),
    ]


def _words(text: str) -> str:
    """A sentence that may quote untrusted words: every character with a meaning is escaped."""
    safe = _SPECIAL.sub(r"\\\1", visible(text).replace("&", "&amp;").replace("<", "&lt;"))
    # GitHub looks for people, issues and addresses in the text that comes out; a zero-width space keeps it from them.
    return re.sub(r"(?i)(\\[@#]|\bwww)", r"\1&#8203;", safe)


def _code(text: str) -> str:
    """An untrusted text as a code span, delimited by more backticks than it holds."""
    shown = visible(text)
    fence = "`" * (max((len(run) for run in _RUNS.findall(shown)), default=0) + 1)
    pad = " " if not shown.strip() or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else "–"


def _cell(text: str) -> str:
    """A code span in a table, where a bare pipe would end the cell."""
    return _code(text).replace("|", "\\|")


def _fenced(text: str) -> list[str]:
    shown = visible(text)
    fence = "`" * max(3, max((len(run) for run in _RUNS.findall(shown)), default=0) + 1)
    return [f"{fence}sh", shown, fence]
