"""Records in words, signs and tones. A tone names a colour of the theme; it never says something alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual.content import Content

from auditor.visible import visible

if TYPE_CHECKING:
    from store.records import CatalogEntry

TONES = {"bad": "$error", "warn": "$warning", "good": "$success", "dim": "$dim", "accent": "$accent"}
"""Colours of the theme by what they mean."""

VERDICTS = {
    "backdoor-found": ("✖ backdoor", "bad"),
    "suspicious": ("▲ suspicious", "warn"),
    "nothing-found": ("○ nothing found", "good"),
    "incomplete": ("? incomplete", "warn"),
}
STAMPS = {
    "sanitised": ("✔ sanitised", "good"),
    "replaced": ("⇄ replaced", "warn"),
    "improved": ("↓ improved", "warn"),
    "not-sanitised": ("✖ not sanitised", "bad"),
    "worse": ("✖✖ worse", "bad"),
    "not-applicable": ("○ not applicable", "dim"),
    "not-judged": ("? not judged", "warn"),
}
SEVERITIES = {
    "critical": ("‼ critical", "bad"),
    "high": ("! high", "bad"),
    "medium": ("▲ medium", "warn"),
    "low": ("△ low", "warn"),
}
EXIT_WORDS = {
    0: ("✔ done", "good"),
    1: ("✖ found", "bad"),
    2: ("! usage error", "warn"),
    3: ("? incomplete", "warn"),
    70: ("! bug", "bad"),
    130: ("■ cancelled", "dim"),
    137: ("! killed", "bad"),
    143: ("■ stopped", "dim"),
}


def writes(task: object) -> bool:
    """Whether a model of a task is asked to write; else it is asked for labels."""
    return str(task) == "text-generation"


def verdict(value: object) -> tuple[str, str]:
    """A verdict as sign and word, with its tone."""
    return VERDICTS.get(str(value), ("· not scanned", "dim")) if value else ("· not scanned", "dim")


def standing(entry: CatalogEntry) -> tuple[str, str]:
    """What a model's scans and the audit that made it say of it, with its tone: what was found stands, also where the
    last scan has nothing.
    """
    if entry.found_earlier:
        return "✖ found earlier", "bad"
    said = str(entry.standing or "")
    return STAMPS[said] if said in STAMPS else verdict(said)


def stamp(value: object) -> tuple[str, str]:
    """A stamp as sign and word, with its tone."""
    return STAMPS.get(str(value), ("· no stamp", "dim"))


def severity(value: object) -> tuple[str, str]:
    """A severity as sign and word, with its tone."""
    return SEVERITIES.get(str(value), (str(value), "warn"))


def ending(state: object, code: int | None) -> tuple[str, str]:
    """Where a job stands, with its tone."""
    if str(state) == "running":
        return "▶ running", "accent"
    if code is None:
        return "? lost", "warn"
    return EXIT_WORDS.get(code, (f"! ended with {code}", "warn"))


CANCELLED = {
    "merge": "It was cancelled: no half model is left. g runs it again.",
    "models": "It was cancelled: no half model is listed. g runs it again.",
}
"""What a cancelled command leaves, where it is not a part that the same command goes on from."""


def ending_words(state: object, code: int | None, command: str) -> str:
    """Where a job stands, in a sentence that says what to do."""
    match (str(state), code):
        case ("running", _):
            return "It runs. Leaving this screen does not stop it."
        case (_, None):
            return "Its process is gone and left no exit code. Start it again: what was finished is stored."
        case (_, 0):
            return "Ran to the end."
        case (_, 1):
            return "Ran to the end with a finding, or a limit of the policy is broken."
        case (_, 2):
            return "The command was used wrongly; the log says how."
        case (_, 3):
            return "A part could not be loaded, fetched or judged; below it says which."
        case (_, 70):
            return "An internal error; the log says where the trace is."
        case (_, 137):
            return "It was killed, perhaps for memory. Start it again: what was finished is stored."
        case (_, 130 | 143):
            return CANCELLED.get(command, "It was cancelled. What was finished is stored; g resumes from there.")
        case _:
            return f"It ended with exit code {code}; the log says more."


def tone(name: str) -> str:
    """A tone as a style of the theme."""
    return TONES.get(name, "")


def line(*parts: str | tuple[str, str]) -> Content:
    """Text of parts, each plain or with a tone (or a style). Nothing is markup; control characters are shown."""
    pieces = []
    for part in parts:
        text, style = part if isinstance(part, tuple) else (part, "")
        text = "\n".join(visible(piece) for piece in text.split("\n"))
        pieces.append(Content.styled(text, TONES.get(style, style)) if style else Content(text))
    return Content("").join(pieces)


def reflow(text: str) -> str:
    """A docstring's paragraphs, each on one line: the screen breaks them where it ends."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def short(reference: str) -> str:
    """The telling end of a path; other references as they are."""
    return reference.rstrip("/").rpartition("/")[2] if reference.startswith(("/", "~", ".")) else reference


def percent(value: float | None) -> str:
    """`0.975` → `97.5`; a dash where there is none. Tables say "%" in their heads."""
    return "–" if value is None or not math.isfinite(value) else f"{value * 100:.1f}"


def points(value: float) -> str:
    """A signed difference in percentage points."""
    text = f"{value * 100:+.1f}"
    return "0.0" if text in ("-0.0", "+0.0") else text.replace("-", "−")


def bracket(low: float, high: float) -> str:
    """`[94.9–98.9]`."""
    return f"[{percent(low)}–{percent(high)}]"


def count(value: float) -> str:
    """`22713728` → `22.7 M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f}"


def size(value: float | None) -> str:
    """Bytes as people read them."""
    if value is None:
        return "unknown"
    for step, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= step:
            return f"{value / step:.1f} {unit}"
    return f"{value:.0f} B"


def duration(seconds: float) -> str:
    """`3725` → `1 h 02 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def moment(text: str) -> datetime | None:
    """A stored time; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def age(text: str | None, now: datetime) -> str:
    """How long ago a stored time is: `3 d`, `5 h`, `2 min`."""
    then = moment(text or "")
    if then is None:
        return "–"
    seconds = (now - then).total_seconds()
    for length, unit in ((365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "now"


def spark(values: Sequence[float]) -> str:
    """Fractions as a line of blocks, oldest first."""
    blocks = "▁▂▃▄▅▆▇█"
    return "".join(blocks[min(7, max(0, int(value * 8)))] for value in values)


def bar(value: float, low: float, high: float, width: int, control: float | None = None) -> str:
    """A rate as a bar: `█` up to the value, its interval as `▒` within and `─` beyond it, `◆` at the control."""
    if width < 3:
        return ""

    def place(share: float) -> int:
        return min(width - 1, max(0, int(share * width)))

    cells = ["█" if (i + 0.5) / width <= value else "·" for i in range(width)]
    for i in range(place(low), place(high) + 1):
        cells[i] = "▒" if cells[i] == "█" else "─"
    if control is not None:
        cells[place(control)] = "◆"
    return "".join(cells)


def half_width(rows: int) -> float:
    """Half the width of the 95 % Wilson interval of a rate of 1/2, the worst case, over so many rows; a fraction."""
    z = 1.959964
    return z * math.sqrt(0.25 / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows) if rows > 0 else 0.5
