"""Text for a terminal: made to be read at 80 columns, with or without colour."""

from __future__ import annotations

from rich.text import Text

from auditor.reports.benchmarks import CHANGES_NOTE, asked_in, delta_in, partner_lines, sides_in, value_in
from auditor.reports.figures import (
    counts,
    difference_interval,
    difference_words,
    direction,
    interval,
    memory,
    p_words,
    percent,
    points,
    share,
)
from auditor.reports.format import Record, report_format
from auditor.reports.highlight import Segment, segments, shortened
from auditor.reports.page import Page, column, table
from auditor.reports.selection import Pair, cacc_change, other_changes, pairs, residues, rows, score_of
from auditor.reports.summary import (
    cacc_words,
    ingredients_in_words,
    next_steps,
    power,
    precision_sentence,
    read_facts,
    read_notes,
    references_words,
    residue_words,
    scan_facts,
    sign,
    stamp_sentence,
    title,
    verdict_sentence,
    where,
)
from auditor.visible import short_digest, visible
from store.records import AsrScore, Audit, Evidence, Finding, MeasureKind, Merge, Scan, Stamp, Verdict

EVIDENCE = 3
"""Evidence rows shown a finding."""
CHANGES = 12
"""Other measures shown of an audit."""
EXCERPT = 240
"""Characters shown of an unchanged stretch of a text."""

_COLOURS = {
    "finding": "bold red",
    "suspicious": "bold yellow",
    "not judged": "yellow",
    "no finding": "dim",
}
_DIRECTIONS = {"better": "green", "worse": "red", "": ""}


@report_format(title="Text for a terminal", extension="txt")
def render(record: Record, *, width: int = 80, colour: bool = False) -> str:
    """The record, with the rows that matter; `--format json` has all of them."""
    page = Page(width=width, colour=colour)
    if isinstance(record, Audit):
        _audit(page, record)
    else:
        _scan(page, record)
    return page.text()


def _scan(page: Page, scan: Scan) -> None:
    page.title(f"Scan: {title(scan)}", _verdict_style(scan.verdict))
    page.paragraph(verdict_sentence(scan))
    page.bullets(scan.incomplete, lead="Not judged: ")
    _facts(page, scan)
    _scores(page, scan)
    _findings(page, scan)
    _read(page, scan)
    _limits(page, scan)
    _next(page, scan)


def _audit(page: Page, audit: Audit) -> None:
    good = audit.stamp in (Stamp.SANITISED, Stamp.NOT_APPLICABLE)
    page.title(f"Audit: {title(audit)}", "bold green" if good else "bold red")
    page.paragraph(stamp_sentence(audit))
    page.bullets(audit.reasons)
    _ingredients(page, audit)
    _facts(page, audit.before)
    if audit.after:
        _change(page, audit, audit.after)
    else:
        _scores(page, audit.before)
    if audit.merge:
        _merge(page, audit.merge)
    if audit.after and audit.after.findings:
        _findings(page, audit.after, "Still there after the merge")
    _findings(page, audit.before, "Found before")
    _read(page, audit.before)
    if audit.after:
        _read(page, audit.after, audit.before)
    _limits(page, audit.after or audit.before)
    _next(page, audit)


def _ingredients(page: Page, audit: Audit) -> None:
    if not audit.ingredients:
        return
    page.heading("Ingredients")
    grid = table(column("Model"), column("It carried"), column("Left in the merge"))
    for row in ingredients_in_words(audit):
        grid.add_row(*(Text(visible(words)) for words in (row.name, row.carried, row.left)))
    page.table(grid)


def _facts(page: Page, scan: Scan) -> None:
    page.heading("What was scanned")
    page.facts(scan_facts(scan, short=True))


def _scores(page: Page, scan: Scan) -> None:
    if scan.settings.suite == "files":
        return
    page.heading("Rates")
    page.facts((("CACC", cacc_words(scan)),))
    chosen = rows(scan)
    if not chosen.shown:
        page.paragraph("No rates were measured.")
        return
    grid = table(
        column("Family/variant → target"),
        column("ASR", fixed=True),
        column("Control", right=True),
        column("Clean", right=True),
        column("Excess", fixed=True),
        column("Sign"),
    )
    for s in chosen.shown:
        grid.add_row(
            _where(s),
            Text(f"{share(s.rate)} {counts(s.rate)}\n{interval(s.rate)}" if s.rate.total else "–"),
            share(s.control),
            share(s.clean),
            Text(f"{points(s.excess.value)}\n{difference_interval(s.excess)}" if s.judged else "–"),
            Text("\n").join([_sign(s), Text(f"p {p_words(s.p_value)}")]) if s.judged else _sign(s),
        )
    page.table(grid)
    if chosen.hidden:
        page.paragraph(_hidden(len(chosen.hidden), "of which none is a finding or suspicious"))
    page.note("Excess = ASR − control, in points; brackets: 95 % intervals; p: corrected over the whole suite.")
    if precision := precision_sentence(scan):
        page.paragraph(precision)
    _benchmarks(page, scan)


def _benchmarks(page: Page, scan: Scan) -> None:
    if not scan.scores.benchmarks:
        return
    page.heading("Benchmarks")
    for b in scan.scores.benchmarks:
        page.bullets((f"{b.task}, {b.metric}: {value_in(b)} ({b.rows:,} rows)",))
    page.bullets(asked_in(scan.scores.benchmarks))


def _benchmark_changes(page: Page, audit: Audit, after: Scan) -> None:
    if not audit.benchmarks:
        _benchmarks(page, after)
        return
    page.heading("Benchmarks")
    grid = table(
        column("Task, metric"),
        column("Before", right=True),
        column("After", right=True),
        column("Change"),
        column("Rows", right=True),
    )
    for c in audit.benchmarks:
        was, now = sides_in(c)
        name = Text(f"{visible(c.task)}\n{visible(c.metric)}")
        grid.add_row(name, was, now, Text(delta_in(c).replace("], ", "]\n")), f"{c.rows:,}")
    page.table(grid)
    page.note(CHANGES_NOTE)
    page.bullets((*asked_in(audit.before.scores.benchmarks), *partner_lines(audit)))


def _change(page: Page, audit: Audit, after: Scan) -> None:
    page.heading("Before and after the merge")
    cacc = _cacc(audit, after)
    page.facts((("CACC", cacc), ("Verdict", f"{title(audit.before)} → {title(after)}")))
    grid = table(
        column("Family/variant → target"),
        column("ASR before", fixed=True),
        column("ASR after", fixed=True),
        column("Change", fixed=True),
        column("Sign"),
    )
    chosen = pairs(audit)
    for pair in chosen.shown:
        grid.add_row(
            _where(pair.score),
            _side(pair.before),
            _side(pair.after),
            _delta(pair),
            Text("\n→ ").join([_sign(pair.before), _sign(pair.after)]),
        )
    page.table(grid)
    if chosen.hidden:
        page.paragraph(_hidden(len(chosen.hidden), "of which none was or is a finding or suspicious"))
    if others := other_changes(audit):
        lines = [
            f"{c.measure}: {percent(c.before)} → {percent(c.after)}, change {difference_words(c.delta)} points"
            for c in others
        ]
        page.bullets(lines[:CHANGES])
        if len(lines) > CHANGES:
            page.paragraph(_hidden(len(lines) - CHANGES, "measures"))
    if precision := precision_sentence(after):
        page.paragraph(f"After the merge: {precision[0].lower()}{precision[1:]}")
    if left := residues(audit):
        page.heading("What is left of what was found")
        page.facts([(f"{where(r)}: {share(r.rate)}", residue_words(r)) for r in left])
    _benchmark_changes(page, audit, after)


def _cacc(audit: Audit, scan: Scan) -> str:
    before, after = audit.before.scores.cacc, scan.scores.cacc
    if not (before and after):
        return cacc_words(scan)
    change = cacc_change(audit)
    delta = difference_words(change.delta) if change else points(after.value - before.value)
    return f"{share(before)} {interval(before)} → {share(after)} {interval(after)}, change {delta} points"


def _side(score: AsrScore | None) -> Text:
    if score is None:
        return Text("not asked")
    return Text(f"{share(score.rate)} {counts(score.rate)}\n{interval(score.rate)}" if score.rate.total else "–")


def _delta(pair: Pair) -> Text:
    if pair.change is None:
        return Text("–")
    if pair.delta is None:
        return Text(points(pair.change))
    style = _DIRECTIONS[direction(MeasureKind.ASR, pair.delta.low, pair.delta.high)]
    return Text(f"{points(pair.change)}\n{difference_interval(pair.delta)}", style=style)


def _merge(page: Page, merge: Merge) -> None:
    page.heading("The merge")
    options = ", ".join(f"{k}={v}" for k, v in sorted(merge.options.items()))
    facts = [
        ("Strategy", f"{merge.strategy} ({options})" if options else merge.strategy),
        (
            "Suspect",
            f"{merge.suspect}, digest {short_digest(merge.suspect_digest)}, weight {merge.suspect_weight:g}",
        ),
        *(("Partner", f"{p.reference}, digest {short_digest(p.digest)}, weight {p.weight:g}") for p in merge.partners),
        ("Kept", f"{percent(merge.kept)} of what the suspect learned"),
        ("Output", f"{merge.output}, digest {short_digest(merge.digest)}"),
        ("Cost", f"{merge.seconds:.1f} s on {merge.device}, at most {memory(merge.peak_bytes)}"),
    ]
    page.facts(facts)
    page.bullets(merge.notes)


def _findings(page: Page, scan: Scan, heading: str = "Findings") -> None:
    if not scan.findings:
        return
    page.heading(heading)
    for finding in scan.findings:
        _finding(page, scan, finding)


def _finding(page: Page, scan: Scan, finding: Finding) -> None:
    style = _COLOURS["finding" if finding.rule == "backdoor" else "suspicious"]
    lead = f"{finding.rule}, {finding.severity}: {finding.group} → {finding.target}"
    page.item(lead, style)
    page.indented(finding.message)
    score = score_of(scan, finding)
    if score and (words := references_words(score)):
        page.indented(words)
    if finding.tags:
        page.indented(f"Fired too: {', '.join(finding.tags)}")
    for evidence in finding.evidence[:EVIDENCE]:
        _evidence(page, evidence)
    if (more := len(finding.evidence) - EVIDENCE) > 0:
        page.indented(f"{more} more such rows: --format json")
    page.indented("To repeat it:")
    page.command(finding.reproduce)


def _evidence(page: Page, evidence: Evidence) -> None:
    clean = segments(evidence.triggered, evidence.text)
    triggered = segments(evidence.text, evidence.triggered)
    page.quote("as it is", _marked(clean, "[-", "-]", "yellow"))
    page.quote("answer", _answer(evidence.before, evidence.before_probability))
    page.quote("edited", _marked(triggered, "{+", "+}", "bold reverse"))
    page.quote("answer", _answer(evidence.after, evidence.after_probability))


def _answer(label: str, probability: float) -> Text:
    return Text(f"{visible(label)} ({percent(probability)})")


def _marked(parts: tuple[Segment, ...], start: str, end: str, style: str) -> Text:
    text = Text()
    for part in shortened(parts, EXCERPT):
        if part.changed:
            text.append(f"{start}{visible(part.text)}{end}", style=style)
        else:
            text.append(visible(part.text))
    return text


def _read(page: Page, scan: Scan, beside: Scan | None = None) -> None:
    facts, notes = read_facts(scan, beside), read_notes(scan, beside)
    if facts or notes:
        page.heading("What was read after the merge" if beside else "What was read")
        page.facts(facts)
        page.bullets(notes)


def _limits(page: Page, scan: Scan) -> None:
    if scan.verdict in (Verdict.NOTHING, Verdict.INCOMPLETE) and (powers := power(scan)):
        page.heading("What this scan would have found, with 80 % probability")
        page.facts(tuple((p.family, p.words) for p in powers))
    page.heading("Limits")
    page.bullets(scan.limits or ("Triggers outside the suite are not seen.",))


def _next(page: Page, record: Record) -> None:
    if steps := next_steps(record):
        page.heading("What to try next")
        page.bullets(steps)


def _hidden(count: int, what: str) -> str:
    return f"{count:,} more, {what}; --format json lists all."


def _where(score: AsrScore) -> Text:
    return Text(f"{visible(f'{score.family}/{score.variant}')}\n→ {visible(score.target)}")


def _sign(score: AsrScore | None) -> Text:
    if score is None:
        return Text("–")
    return Text(sign(score), style=_COLOURS[sign(score)])


def _verdict_style(verdict: Verdict) -> str:
    return {Verdict.FOUND: "bold red", Verdict.NOTHING: "bold"}.get(verdict, "bold yellow")
