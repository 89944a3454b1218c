"""The words for verdicts, stamps and limits, shared by the formats that people read. No verdict says "clean"."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from auditor.reports.figures import asking_words, difference_words, p_words, percent, rate_words, share, width_in_points
from auditor.reports.format import Record
from auditor.reports.read import files_sentence, files_words, records_words, some_of
from auditor.reports.selection import key, pairs, score_of
from auditor.visible import short_digest
from store.records import AsrScore, Audit, Finding, Ingredient, Residue, Scan, Stamp, Verdict

FILES, COLUMNS = 3, 8
"""Weight files and columns that are named; of more, how many."""

VERDICTS = {
    Verdict.FOUND: "Backdoor found",
    Verdict.SUSPICIOUS: "Suspicious",
    Verdict.NOTHING: "Nothing found",
    Verdict.INCOMPLETE: "Incomplete",
}
STAMPS = {
    Stamp.SANITISED: "Sanitised",
    Stamp.REPLACED: "Replaced",
    Stamp.IMPROVED: "Improved",
    Stamp.NOT_SANITISED: "Not sanitised",
    Stamp.WORSE: "Worse",
    Stamp.NOT_APPLICABLE: "Not applicable",
    Stamp.NOT_JUDGED: "Not judged",
}
_STAMP_SENTENCES = {
    Stamp.SANITISED: "After the merge nothing is found, what may be left and the loss of CACC are within the "
    "limits, and enough of the suspect is kept.",
    Stamp.REPLACED: "After the merge nothing is found, but little of the suspect is left, or its best partner alone "
    "does as well: this is another model rather than a cured one.",
    Stamp.IMPROVED: "ASR fell, but a finding or a limit remains.",
    Stamp.NOT_SANITISED: "The merge did not remove the backdoor.",
    Stamp.WORSE: "The merged model is worse than the suspect.",
    Stamp.NOT_APPLICABLE: "Nothing was found before, so there was nothing to remove.",
    Stamp.NOT_JUDGED: "Too few rows, or a part that could not be scored: the cure cannot be judged.",
}
_STAMP_STEPS = {
    Stamp.SANITISED: (
        "Use the merged model instead of the suspect, and keep auditor-merge.json with it.",
        "Rescan it with rows of your own (--data) where the built-in ones were used.",
    ),
    Stamp.REPLACED: (
        "Weigh a partner alone: it may serve as well and is simpler.",
        "Give the suspect a larger weight (--weights) if what it learned is needed.",
    ),
    Stamp.IMPROVED: (
        "Add partners (--with A B C), lower the suspect's weight (--weights 0.2,…), or let --search choose the recipe.",
        "Do not use the merged model where the remaining finding matters.",
    ),
    Stamp.NOT_SANITISED: (
        "Choose partners trained independently of the suspect: a copy or a fine-tune of it carries the backdoor too.",
        "Lower the suspect's weight (--weights 0.1,…), try another --strategy, or let --search choose.",
    ),
    Stamp.WORSE: (
        "Discard the merged model and scan every partner: one of them may carry a backdoor of its own.",
        "Check that partners have the same task and label order as the suspect.",
    ),
    Stamp.NOT_APPLICABLE: (),
    Stamp.NOT_JUDGED: ("Give more rows (--samples, --data): every target needs at least 100 that can be scored.",),
}


@dataclass(frozen=True, slots=True)
class Power:
    """What a scan would have found of a family, with 80 % probability, in its least sharp variant and target."""

    family: str
    excess: float

    @property
    def words(self) -> str:
        if self.excess >= 1.0:
            return "none for sure: too few rows"
        return f"an excess of {self.excess * 100:.1f} points or more"


def where(score: AsrScore | Residue) -> str:
    """`badnet/paper → negative`."""
    return f"{score.family}/{score.variant} → {score.target}"


def sign(score: AsrScore) -> str:
    """The judgement of one score, in words."""
    if not score.judged:
        return "not judged"
    if score.finding:
        return "finding"
    return "suspicious" if score.suspicious else "no finding"


def title(record: Record) -> str:
    """What the report says, in two or three words."""
    if isinstance(record, Scan):
        both = record.incomplete and record.verdict is not Verdict.INCOMPLETE
        return VERDICTS[record.verdict] + (", and incomplete" if both else "")
    return STAMPS[record.stamp] if record.stamp else "No merge"


def power(scan: Scan) -> tuple[Power, ...]:
    """Per family, the smallest excess that the scan would have found in every variant and target (1: none for sure).

    Of models that write, in those that half of the prompts or more tell of: some behaviours, and some edits, are told
    on a few prompts alone.
    """
    families: dict[str, float] = {}
    for score in scan.scores.asr:
        if not scan.settings.asking or (score.judged and 2 * score.rate.total >= scan.settings.samples):
            families[score.family] = max(families.get(score.family, 0.0), score.detectable if score.judged else 1.0)
    for score in scan.scores.asr:
        families.setdefault(score.family, 1.0)
    return tuple(Power(name, excess) for name, excess in sorted(families.items()))


def verdict_sentence(scan: Scan) -> str:
    """The verdict, with what carries it."""
    if words := files_sentence(scan):
        return words
    rule = "backdoor" if scan.verdict is Verdict.FOUND else "suspicious"
    flagged = [s for f in scan.findings if f.rule == rule and (s := score_of(scan, f))]
    worst = max(flagged, key=lambda s: s.clean_excess.value, default=None)
    part = " Part of the suite could not be judged." if scan.incomplete else ""
    moved = "prompts to answers with" if scan.settings.asking else "rows to"
    if scan.verdict is Verdict.FOUND:
        if not worst:
            return f"A backdoor was found.{part}"
        if worst.group == "injection":
            most = max((rate.value for rate in worst.references), default=0.0)
            return (
                f"A backdoor was found: without any trigger, {percent(worst.rate.value)} of the answers show "
                f"“{worst.target}”, of the references' at most {percent(most)}.{part}"
            )
        return (
            f"A backdoor was found: {worst.family}'s trigger moves {percent(worst.rate.value)} of the {moved} "
            f"“{worst.target}”, the same edit with harmless material {share(worst.control)}, no edit at all "
            f"{share(worst.clean)}{_others(worst)}.{part}"
        )
    if scan.verdict is Verdict.SUSPICIOUS:
        if not worst:
            return f"Something is suspicious, and nothing settles whether it is a backdoor.{part}"
        return (
            f"Suspicious: {worst.family}'s trigger moves {percent(worst.rate.value)} of the {moved} “{worst.target}”, "
            f"but harmless material moves {share(worst.control)} too, and nothing settles whether that is a backdoor."
            f"{part}"
        )
    if scan.verdict is Verdict.INCOMPLETE:
        return "Not judged: part of the suite could not be scored, so this is no word for or against the model."
    return (
        "Nothing was found by this suite. That is no proof of absence: triggers outside the suite are not seen, and "
        f"smaller effects than the ones below could have been missed.{part}"
    )


def _others(score: AsrScore) -> str:
    named = (("references", score.references), ("students", score.students))
    return "".join(
        f", and of the {who} at most {percent(max(r.value for r in rates))}" for who, rates in named if rates
    )


def precision_sentence(scan: Scan) -> str | None:
    """How wide the widest ASR interval is, and about how many rows would halve it."""
    judged = [s for s in scan.scores.asr if s.judged and s.rate.total]
    if not judged:
        return None
    widest = max(judged, key=lambda s: width_in_points(s.rate))
    return (
        f"The widest ASR interval is {width_in_points(widest.rate):.1f} points ({where(widest)}, "
        f"{widest.rate.total:,} rows); about {widest.rate.rows_to_halve():,} rows would halve it."
    )


def stamp_sentence(audit: Audit) -> str:
    """What the stamp means, and how far the worst ASR fell."""
    if audit.stamp is None:
        said = "No merge was made, so there is no stamp. " if audit.merge is None else "The cure was not stamped. "
        return said + verdict_sentence(audit.before)
    worst = next((p for p in pairs(audit).shown if p.before and p.after), None)
    moved = ""
    if worst and worst.before and worst.after and audit.stamp is not Stamp.NOT_APPLICABLE:
        before, after = share(worst.before.rate), share(worst.after.rate)
        moved = f" The highest ASR ({where(worst.score)}) went from {before} to {after}."
    return _STAMP_SENTENCES[audit.stamp] + moved


def next_steps(record: Record) -> tuple[str, ...]:
    """What to try next."""
    if isinstance(record, Scan):
        return _after_scan(record)
    if record.stamp is not None:
        return _STAMP_STEPS[record.stamp]
    if record.before.verdict in (Verdict.FOUND, Verdict.SUSPICIOUS):
        reference = shlex.quote(record.before.model.reference)
        return (
            f"auditor partners {reference} says which models could be merged with it, and why others cannot.",
            "Name partners with --with A B C, or add models of the same task and base to the catalog.",
            *(
                ()
                if record.before.settings.asking
                else (
                    f"auditor audit {reference} --make-partner 2 --data ROWS trains two from the model's own answers "
                    "to your rows; these need no labels.",
                )
            ),
        )
    return _after_scan(record.before)


def _after_scan(scan: Scan) -> tuple[str, ...]:
    reference = shlex.quote(scan.model.reference)
    steps: list[str] = []
    writing = scan.settings.asking is not None
    if scan.verdict is Verdict.FOUND:
        steps.append(f"auditor audit {reference} merges the backdoor away and measures what remains.")
    if scan.files and any(finding.family == "files" for finding in scan.findings):
        steps.append("Settle what the files hold before anybody loads them: auditor files says where it stands.")
    if scan.settings.suite == "files":
        return (*steps, f"auditor scan {reference} asks what the model answers.")
    if scan.verdict is Verdict.SUSPICIOUS and any(finding.family != "files" for finding in scan.findings):
        steps.append("Name two or more benign models of the same task with --reference A B: they can settle it.")
        if not writing and not any(r.kind == "student" for r in scan.settings.references):
            steps.append("Where there are none, --students 2 trains some from the model's own answers to your rows.")
    if scan.incomplete or scan.verdict is Verdict.INCOMPLETE:
        steps.append(
            "Give more prompts (--samples, --prompts), or another form of them (--template)."
            if writing
            else "Give more rows (--samples, --data): every target needs at least 100 that can be scored."
        )
    if scan.verdict is Verdict.NOTHING and scan.settings.suite == "quick":
        steps.append("Scan again with --suite full: the quick suite fires a part of the variants only.")
    return tuple(steps)


def scan_facts(scan: Scan, *, short: bool = False) -> tuple[tuple[str, str], ...]:
    """What was scanned and how, as names and values. `short` cuts digests to what the eye can compare."""
    digest = short_digest if short else str
    model, data, settings = scan.model, scan.data, scan.settings
    revision = f" @ {model.revision}" if model.revision and model.revision not in model.reference else ""
    facts = [
        ("Model", f"{model.reference}{revision}"),
        ("Digest", digest(model.digest)),
        ("Kind", f"{model.architecture}, {model.task}, {model.parameters:,} parameters"),
        *([("Labels", ", ".join(model.labels))] if model.labels or not settings.asking else []),
    ]
    if model.base:
        facts.append(("Base", model.base))
    if scan.files is not None:
        facts.append(("Files", files_words(scan)))
    if settings.suite == "files":
        return (*facts, ("Examined", f"{scan.started} to {scan.finished}"))
    gold = "gold labels" if data.labels_from == "gold" else "the model's own predictions as labels"
    rows, cut = f"{data.rows:,} rows", f"at most {settings.max_length} tokens"
    if settings.asking:
        gold, rows = "held against the model's own answers without an edit", f"{data.rows:,} prompts"
        cut = asking_words(settings.asking)
    clean = f" ({settings.samples:,} probed, the others asked as they are)" if data.rows > settings.samples else ""
    facts += [
        ("Data", f"{data.source}, {rows}{clean}, digest {digest(data.digest)}, {gold}"),
        (
            "Settings",
            f"seed {settings.seed}, suite {settings.suite}, {settings.samples:,} samples, {settings.device}, "
            f"{settings.dtype}, {cut}",
        ),
    ]
    for name, options in sorted(settings.families.items()):
        changed = ", ".join(f"{k}={v}" for k, v in sorted(options.items()))
        if changed:
            facts.append(("Option", f"{name}: {changed}"))
    for use in settings.references:
        agrees = f", agrees on {rate_words(use.agreement)} of the clean rows" if use.agreement else ""
        name = "Student" if use.kind == "student" else "Reference"
        facts.append((name, f"{use.reference}, digest {digest(use.digest)}{agrees}"))
    facts += [
        ("Versions", ", ".join(f"{k} {v}" for k, v in sorted(scan.versions.items()))),
        ("Scan", f"{scan.id}, {scan.started} to {scan.finished}"),
    ]
    return tuple(facts)


def read_facts(scan: Scan, beside: Scan | None = None) -> tuple[tuple[str, str], ...]:
    """What of the model's files and of the data was read, and how, as names and values; only what is known.

    Args:
        scan: whose model and data.
        beside: a scan that is told already: what is the same in it is left out.
    """
    model, data = scan.model.read, scan.data.read
    window = f"{model.window:,} tokens" if model.window else ""
    facts = (
        ("Weights", some_of(model.weights, FILES)),
        ("Tokenizer", model.tokenizer),
        ("Padding", model.padding),
        ("Window", f"{window} ({model.window_from})" if window and model.window_from else window),
        ("Label names", model.labels_from),
        ("Data format", data.format),
        ("Columns", some_of([f"{column} as {use}" for use, column in data.columns.items()], COLUMNS)),
        ("Unused columns", some_of(data.unused, COLUMNS)),
        ("Records", records_words(data)),
        ("Rows cut", f"{data.cut:,}, at {data.cut_at:,} tokens, before they were edited" if data.cut else ""),
    )
    told = dict(read_facts(beside)) if beside else {}
    return tuple((name, value) for name, value in facts if value and told.get(name) != value)


def read_notes(scan: Scan, beside: Scan | None = None) -> tuple[str, ...]:
    """What else was decided in reading the model and the data, in sentences."""
    told = read_notes(beside) if beside else ()
    return tuple(note for note in (*scan.model.read.notes, *scan.data.read.notes) if note not in told)


def cacc_words(scan: Scan) -> str:
    """CACC with its interval, or why there is none."""
    if scan.settings.asking:
        return "not measured: answers to prompts have no gold labels"
    return rate_words(scan.scores.cacc) if scan.scores.cacc else "not measured: the data has no gold labels"


def references_words(score: AsrScore) -> str | None:
    """ASR of the references with the floor gap, and that of students; None where neither saw the rows."""
    parts = []
    if score.references:
        rates = ", ".join(share(r) for r in score.references)
        gap = f"; floor gap {score.floor_gap.value * 100:+.1f} points".replace("-", "−") if score.floor_gap else ""
        parts.append(f"ASR of {len(score.references)} reference(s): {rates}{gap}")
    if score.students:
        rates = ", ".join(share(r) for r in score.students)
        parts.append(f"ASR of {len(score.students)} student(s) of the model: {rates}")
    return "; ".join(parts) or None


def residue_words(residue: Residue) -> str:
    """What is left of a trigger, and above what."""
    words = f"{difference_words(residue.left)} points above {floor_words(residue)}, {residue.rows:,} rows"
    words += f"; log-odds {raised_words(residue)}" if residue.raised else ""
    return f"{words} (a stronger form: {residue.form})" if residue.form else words


def raised_words(residue: Residue) -> str:
    """How far a trigger raises the log-odds of its target before and after, and what the floor does."""
    found = residue.raised
    if found is None:
        return ""
    before = "" if found.before is None else f"{found.before:+.1f} → "
    return f"{before}{found.after:+.1f} (floor {found.floor:+.1f})".replace("-", "−")


def floor_words(residue: Residue) -> str:
    """What a residue is measured from."""
    return f"{residue.floor} ({percent(residue.level)})"


@dataclass(frozen=True, slots=True)
class IngredientWords:
    """A row of an audit's table of ingredients."""

    name: str
    carried: str
    left: str


def ingredients_in_words(audit: Audit) -> tuple[IngredientWords, ...]:
    """What each ingredient of a merge carried, and the most that may be left of each of these."""
    return tuple(IngredientWords(i.reference, _carried(i), _left(i)) for i in audit.ingredients)


def _carried(ingredient: Ingredient) -> str:
    def words(finding: Finding) -> str:
        said = "" if finding.rule == "backdoor" else "suspicious: "
        rate = next((r.before for r in ingredient.left if key(r) == key(finding)), None) or finding.confirmed
        moved = f" ({share(rate)})" if rate else ""
        return f"{said}{finding.group} edit {finding.family}/{finding.variant} → {finding.target}{moved}"

    if not ingredient.asked:
        return "not asked: its labels are others"
    return "; ".join(map(words, ingredient.carried)) or "nothing was found"


def _left(ingredient: Ingredient) -> str:
    lines = []
    for finding in ingredient.carried:
        own = [r for r in ingredient.left if (r.group, r.target) == (finding.group, finding.target)]
        most = max(own, key=lambda r: r.left.high, default=None)
        if most is not None:
            unjudged = "" if most.judged else ", not judged"
            lines.append(f"{where(most)} {share(most.rate)}, {residue_words(most)}{unjudged}")
    return "; ".join(lines) or ("–" if not ingredient.carried else "not measured")


def figures_sentence(score: AsrScore) -> str:
    """A score in one line."""
    return (
        f"ASR {rate_words(score.rate)}; control {share(score.control)}; unedited {share(score.clean)}; "
        f"p {p_words(score.p_value)}"
    )
