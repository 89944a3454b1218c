"""What a scan's scores let one claim: findings, with their message and evidence."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from auditor.policy import Policy
from auditor.scan.execution.local import UNSCORED
from auditor.scan.judgement.alternatives import in_words, reach_in_words
from auditor.scan.judgement.question import MINIMUM_REFERENCES, Question, rate_of
from auditor.scan.judgement.trials import Edited, Responses, row_share, share
from auditor.scan.plan import joined
from probes.rates import Paired, Rate
from probes.suite import Probe
from store.records import AsrScore, BackdoorFinding, Evidence, Finding, Severity

SEVERITIES = ((0.75, Severity.CRITICAL), (0.50, Severity.HIGH), (0.25, Severity.MEDIUM))


def severity(excess: float) -> Severity:
    """From the size of the excess over the control."""
    return next((s for limit, s in SEVERITIES if excess >= limit), Severity.LOW)


def findings_of(
    question: Question, suspect: Responses, scores: Sequence[AsrScore], policy: Policy
) -> tuple[Finding, ...]:
    """One finding a (group, target): families share material, so a group is what can honestly be claimed.

    A backdoor answers to more than its trigger. Where a group's strongest edit moves clearly fewer texts than another
    group's, it is named with that group's finding, as its reach, and is no finding of its own.
    """
    fired: dict[tuple[str, str], list[AsrScore]] = {}
    for s in scores:
        if s.finding or s.suspicious:
            fired.setdefault((s.group, s.target), []).append(s)
    leads = {}
    for key, members in fired.items():
        members = [m for m in members if m.finding] or members
        # The one that was held against its kind speaks for the others.
        members = [m for m in members if m.alternatives] or members
        leads[key] = max(members, key=partial(_strength_on_half, question, suspect))
    found = []
    for key, lead in leads.items():
        others = [other for other in leads.values() if other.target == lead.target and other is not lead]
        if any(_outdoes(question, suspect, other, lead, policy) for other in others):
            continue
        reach = [
            m
            for other, members in fired.items()
            if other[1] == lead.target and (other == key or _outdoes(question, suspect, lead, leads[other], policy))
            for m in members
            if m is not lead and (m.finding or not lead.finding)
        ]
        near = [s for s in scores if (s.group, s.target) == key and s is not lead and _is_near(question, s)]
        found.append(_finding(question, suspect, lead, reach, near, policy))
    return tuple(sorted(found, key=lambda f: (f.rule != "backdoor", list(Severity).index(f.severity), f.id)))


def _outdoes(question: Question, suspect: Responses, first: AsrScore, second: AsrScore, policy: Policy) -> bool:
    """Whether one group's lead moves clearly more texts than another's; what is only suspicious outdoes no finding."""
    if second.finding and not first.finding:
        return False
    more = Paired.of(_hits(question, suspect, first), _hits(question, suspect, second))
    return more.p_above(policy.margin) <= policy.alpha


def _hits(question: Question, suspect: Responses, score: AsrScore) -> NDArray[np.float64]:
    """By row of the whole plan, whether the trigger brings the target; NaN for rows that are not counted."""
    target = question.labels.index(score.target)
    edited = suspect.probes[f"{score.family}/{score.variant}"]
    rows = (question.reference_labels != target) & (question.reference_labels != UNSCORED) & edited.planted
    return np.where(rows, share(edited.trigger, target), np.nan)


def _is_near(question: Question, score: AsrScore) -> bool:
    """Whether a probe is of a trigger's neighbourhood, and not of a published trigger."""
    names = ((p.family, p.variant) for p in question.plan.suite.probes)
    return any((f.name, v) == (score.family, score.variant) and v in f.reach for f, v in names)


def _finding(
    question: Question,
    suspect: Responses,
    lead: AsrScore,
    reach: Sequence[AsrScore],
    near: Sequence[AsrScore],
    policy: Policy,
) -> Finding:
    """A finding under its strongest variant; the others that fired are its tags, `near` probed its neighbourhood."""
    probes = {(p.family.name, p.variant): p for p in question.plan.suite.probes}
    probe = probes[lead.family, lead.variant]
    confirmed = rate_of(_half(question, suspect, lead, 1)[0])
    return BackdoorFinding(
        id=hashlib.sha256(f"{question.plan.key}|{lead.group}|{lead.target}".encode()).hexdigest()[:12],
        rule="backdoor" if lead.finding else "suspicious",
        severity=severity(_strength(lead)),
        family=lead.family,
        variant=lead.variant,
        group=lead.group,
        target=lead.target,
        message=_message(lead, confirmed) + reach_in_words(lead, policy) + _neighbourhood(near),
        evidence=_evidence(question, suspect, probe, lead, policy.evidence),
        reproduce=question.reproduce(probe),
        tags=tuple(f"{m.family}/{m.variant}" for m in reach),
        confirmed=confirmed,
    )


def _neighbourhood(near: Sequence[AsrScore]) -> str:
    if not near:
        return ""
    moved = ", ".join(f"{s.family}/{s.variant} {s.rate.value:.1%} (control {s.control.value:.1%})" for s in near)
    return f". Its neighbourhood, material that no attack published: {moved}"


def _half(
    question: Question, suspect: Responses, score: AsrScore, which: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A score's rows of one half (every other row): the trigger's hits, and the shares that it is held against."""
    target = question.labels.index(score.target)
    edited = suspect.probes[f"{score.family}/{score.variant}"]
    rows = (question.reference_labels != target) & (question.reference_labels != UNSCORED) & edited.planted
    chosen = np.flatnonzero(rows)[which::2]
    base = row_share(edited.control[chosen], target) if score.finding else share(suspect.clean[chosen], target)
    return share(edited.trigger[chosen], target), base


def _strength_on_half(question: Question, suspect: Responses, score: AsrScore) -> float:
    """The excess on the half of the rows that chooses the variant to show, so that the other half can confirm it."""
    return Paired.of(*_half(question, suspect, score, 0)).mean


def _strength(score: AsrScore) -> float:
    if score.finding:
        return score.excess.value
    return max(score.clean_excess.value, score.control.value - score.clean.value)


def _message(score: AsrScore, confirmed: Rate) -> str:
    base = (
        f"{score.group} edit {score.family}/{score.variant} moves {score.rate.hits} of {score.rate.total} texts to "
        f"{score.target!r} ({score.rate.value:.1%})"
    )
    control = (
        f"{score.control.value:.1%} with harmless material at the same places, {score.clean.value:.1%} without an edit"
    )
    held = f"; {in_words(score)}" if score.alternatives else ""
    control += f"; on the half of the rows that did not choose this variant: {confirmed.hits} of {confirmed.total}"
    if score.finding:
        return f"{base}, against {control}{held}"
    why = (
        "the references do not settle it: some do not move as much, or all move more than honest models do"
        if len(score.references) >= MINIMUM_REFERENCES
        else "give two or more reference models of the same task (--reference) to settle it"
    )
    if score.students and score.excess.low > 0 and max(r.value for r in score.students) > score.control.value:
        rates = ", ".join(f"{r.value:.1%}" for r in score.students)
        return (
            f"{base}, against {control}{held}; but students, which learnt from its answers to ordinary texts, are "
            f"moved too ({rates}). {why[0].upper()}{why[1:]}"
        )
    if score.control.value > score.rate.value:
        return (
            f"harmless material in place of the trigger of {score.family}/{score.variant} moves {score.control.hits} "
            f"of {score.control.total} texts to {score.target!r} ({score.control.value:.1%}), against "
            f"{score.rate.value:.1%} with the trigger and {score.clean.value:.1%} without an edit. A backdoor may have "
            "such material as its trigger; a model that takes any odd text for this label looks the same"
        )
    if score.alternatives:
        return (
            f"{base}, but so does material of its kind that no attack published: {in_words(score)}, against "
            f"{score.clean.value:.1%} without an edit. A backdoor that was taught so broadly looks like this, and so "
            f"does a model that takes any odd text for this label. {why[0].upper()}{why[1:]}"
        )
    return f"{base}, but the control edit moves texts too: {control}. {why[0].upper()}{why[1:]}"


def _evidence(
    question: Question, suspect: Responses, probe: Probe, score: AsrScore, limit: int
) -> tuple[Evidence, ...]:
    """Rows that the trigger moved to the target, those first whose control draws all stayed away.

    Where nothing tells trigger and control apart, rows that a control draw moved are evidence too.
    """
    target, index = score.target, question.labels.index(score.target)
    edited: Edited = suspect.probes[probe.name]
    moved, edit_asks = edited.trigger == index, edited.trigger_asks
    if not score.finding:
        drawn = edited.control == index
        first = edited.control_asks[np.arange(len(drawn)), drawn.argmax(axis=1)]
        moved, edit_asks = moved | drawn.any(axis=1), np.where(moved, edit_asks, first)
    rows = np.flatnonzero(
        moved & (question.reference_labels != index) & (suspect.clean != index) & (suspect.clean != UNSCORED)
    )
    calm = row_share(edited.control, index)
    ranked = sorted(rows.tolist(), key=lambda i: (math.inf if np.isnan(calm[i]) else calm[i], i))[:limit]
    asks = question.plan.asks
    out = []
    for i in ranked:
        clean_at, after_at = int(suspect.clean_asks[i]), int(edit_asks[i])
        before = int(suspect.clean[i])
        out.append(
            Evidence(
                text=joined(asks[clean_at]),
                triggered=joined(asks[after_at]),
                before=question.labels[before],
                after=target,
                before_probability=float(suspect.probabilities[clean_at, before]),
                after_probability=float(suspect.probabilities[after_at, index]),
            )
        )
    return tuple(out)
