"""What a cure leaves of an attack in log-odds: how far its trigger still pushes towards the target. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from auditor.audit.residual import CONTROL, LEAST, Part
from auditor.scan.judgement.compared import mean
from auditor.scan.judgement.ingredients import Measures
from auditor.scan.judgement.raised import control_raised, trigger_raised
from auditor.scan.judgement.trials import Key, Trials
from probes.answer import Shares
from store.records import Finding, Raised, Residue


def with_odds(left: Sequence[Residue], parts: Sequence[Part], measures: Measures) -> tuple[Residue, ...]:
    """The residues with how far their triggers raise the log-odds of the target, above the clean texts.

    The floor is that of the rates: the control, or the references that are a measure. Residues of probes that the
    parts do not hold stay as they are.
    """
    return tuple(replace(r, raised=_raised(r, parts, measures)) if _held(r, parts) else r for r in left)


def with_odds_before(left: Sequence[Residue], suspect: Part | None, findings: Sequence[Finding]) -> tuple[Residue, ...]:
    """The residues with what the suspect's own answers say, of sharper forms as their search found it.

    Args:
        suspect: the first scan's rows, with the suspect in the merged model's place.
    """
    sharp = {(f.family, f.sharp.variant, f.target): f.sharp.raised for f in findings if f.sharp}
    found = []
    for r in left:
        before = sharp.get((r.family, r.variant, r.target))
        if before is None and suspect is not None and _held(r, [suspect]):
            before = mean(trigger_raised(suspect.merged, _key(r))[suspect.merged.eligible(r.target)])
        found.append(replace(r, raised=replace(r.raised, before=before)) if r.raised else r)
    return tuple(found)


def _raised(residue: Residue, parts: Sequence[Part], measures: Measures) -> Raised:
    key = _key(residue)

    def joined(answers: Sequence[Trials], raised: Callable[[Trials, Key], Shares] = trigger_raised) -> float:
        told = zip(parts, answers, strict=True)
        return mean(np.concatenate([raised(own, key)[part.merged.eligible(residue.target)] for part, own in told]))

    answered = [d for d in parts[0].references if all(key in part.references.get(d, ()) for part in parts)]
    honest = measures.of(answered, residue.group, residue.target)
    others = [joined([part.references[d] for part in parts]) for d in honest]
    merged = [part.merged for part in parts]
    if residue.floor == CONTROL or not others:
        floor = joined(merged, control_raised)
    else:
        floor = min(others) if residue.floor == LEAST else float(np.mean(others))
    return Raised(after=joined(merged), floor=floor)


def _key(residue: Residue) -> Key:
    return f"{residue.family}/{residue.variant}", residue.target


def _held(residue: Residue, parts: Sequence[Part]) -> bool:
    return all(_key(residue) in part.merged for part in parts)
