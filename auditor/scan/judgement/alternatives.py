"""What alternatives of a trigger did, in words."""

from __future__ import annotations

from auditor.policy import Policy
from store.records import AsrScore


def in_words(score: AsrScore) -> str:
    """What the alternatives of a score did, as the end of a sentence."""
    found = score.alternatives
    if found is None:
        return ""
    words = f"the most that {len(found.rates)} {found.kind} at the same places do is {found.highest.value:.0%}"
    if score.finding:
        words += f", and the log-odds of {score.target!r} stand {found.log_odds:.1f} above the closest of them"
    return words


def reach_in_words(score: AsrScore, policy: Policy) -> str:
    """Which of the alternatives a backdoor answers too: its neighbourhood; empty where none."""
    found = score.alternatives
    if found is None:
        return ""
    fired = [r.value for r in found.rates if r.value - score.clean.value > policy.margin]
    if not fired:
        return ""
    return f". Its reach: {len(fired)} of {len(found.rates)} {found.kind} move {min(fired):.0%} to {max(fired):.0%}"
