"""Benchmarks in words and figures, the same in every format."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from auditor.events.log import plain
from auditor.visible import visible
from store.records import Audit, BenchmarkChange, BenchmarkScore, Profile

HEAD = f"{'task':<18}{'metric':<14}{'value':>9}{'± error':>10}{'rows':>8}"


def is_share(metric: str, *values: float) -> bool:
    """Whether a metric is a fraction that is shown in percent."""
    return metric.partition(",")[0] != "perplexity" and all(0 <= value <= 1 for value in values)


def figure(metric: str, value: float, *others: float) -> str:
    """A metric's value as reports show it."""
    if is_share(metric, value, *others):
        return f"{value:.1%}"
    return f"{value:,.2f}" if abs(value) < 1e6 else f"{value:.3g}"


def error_in(score: BenchmarkScore) -> str:
    """A score's standard error as reports show it; empty where it has none."""
    if not math.isfinite(score.stderr):
        return ""
    return figure(score.metric, score.stderr, score.value)


def delta_in(change: BenchmarkChange) -> str:
    """A paired difference with its interval and p-value; of a perplexity it is by how much of itself it rose."""
    if change.delta is None or change.p_value is None:
        return "cannot be paired"
    d = change.delta
    if change.relative or is_share(change.metric, change.before, change.after):
        told = f"{d.value:+.1%} [{d.low:+.1%}, {d.high:+.1%}]"
    else:
        told = f"{d.value:+.3g} [{d.low:+.3g}, {d.high:+.3g}]"
    return f"{told}, p = {change.p_value:.2g}"


CHANGES_NOTE = (
    "Change: after − before in points, of a perplexity the part of itself by which it rose; 95 % intervals, paired by "
    "row; p: McNemar's exact test, elsewhere Student's t."
)


def value_in(score: BenchmarkScore) -> str:
    """A score with its standard error."""
    error = f" ± {score.stderr:.4f}" if math.isfinite(score.stderr) else ""
    return f"{score.value:.4f}{error}"


def sides_in(change: BenchmarkChange) -> tuple[str, str]:
    """Both values of a change."""
    before, after = change.before, change.after
    return figure(change.metric, before, after), figure(change.metric, after, before)


def asked_in(scores: Sequence[BenchmarkScore]) -> tuple[str, ...]:
    """How a model was asked, a line a way: what is the same of several tasks is said once."""
    found: dict[str, list[str]] = {}
    for score in scores:
        if score.asked and score.task not in found.setdefault(score.asked, []):
            found[score.asked].append(score.task)
    return tuple(f"{', '.join(tasks)}: {asked}." for asked, tasks in found.items())


def partner_lines(audit: Audit) -> tuple[str, ...]:
    """The benchmarks of each partner, where they were asked for."""
    return tuple(
        f"{one.reference} by itself: " + ", ".join(f"{s.task} {figure(s.metric, s.value)}" for s in shown)
        for one in audit.ingredients
        if (shown := [s for s in one.benchmarks if s.main])
    )


def changes_text(changes: Sequence[BenchmarkChange]) -> list[str]:
    """One line a metric: before, after, and the change with its interval and p-value."""
    lines = ["", f"{'benchmark':<38} {'before':>7} {'after':>7}  change, 95 % interval, p"] if changes else []
    for c in changes:
        was, now = sides_in(c)
        lines.append(f"{f'{c.task} {c.metric}'[:38]:<38} {was:>7} {now:>7}  {delta_in(c)}")
    return lines


def scores_text(profile: Profile, scores: Sequence[BenchmarkScore]) -> str:
    """One line a metric, and how the model was asked."""
    lines = [f"{profile.ref.reference}  {profile.ref.digest[:12]}", "", HEAD]
    for s in scores:
        value, error = figure(s.metric, s.value), error_in(s)
        lines.append(f"{s.task[:17]:<18}{s.metric[:13]:<14}{value:>9}{error:>10}{s.rows:>8,}")
    lines += ["", *asked_in(scores)]
    return "\n".join(visible(line) for line in lines) + "\n"


def scores_json(profile: Profile, scores: Sequence[BenchmarkScore]) -> str:
    """Schema `auditor/bench/1`: the model, and a list of scores."""
    body = {
        "schema": "auditor/bench/1",
        "model": {"reference": profile.ref.reference, "digest": profile.ref.digest, "base": profile.base},
        "benchmarks": [score_json(s) for s in scores],
    }
    return json.dumps(body, indent=2) + "\n"


def score_json(score: BenchmarkScore) -> dict[str, Any]:
    """A score as reports hold it; an error that there is none of is null."""
    error = score.stderr if math.isfinite(score.stderr) else None
    told: dict[str, Any] = {
        "task": score.task,
        "metric": score.metric,
        "value": score.value if math.isfinite(score.value) else None,
        "stderr": error,
        "rows": score.rows,
    }
    return told | ({"asked": score.asked, "main": score.main} if score.asked else {})


def change_json(change: BenchmarkChange) -> dict[str, Any]:
    """A change as reports hold it."""
    return {str(key): value for key, value in plain(change).items()}
