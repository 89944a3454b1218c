"""What a cure leaves of an attack in log-odds: how far its trigger still pushes towards the target. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from auditor.audit.residual import CONTROL, LEAST, Part
from auditor.scan.execution.local import UNSCORED
from auditor.scan.judgement.compared import mean
from auditor.scan.judgement.ingredients import Measures
from auditor.scan.judgement.raised import Shares, control_raised, trigger_raised
from auditor.scan.judgement.trials import Responses
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
            target = suspect.question.labels.index(r.target)
            name = f"{r.family}/{r.variant}"
            before = mean(trigger_raised(suspect.merged, name, target)[_counted(suspect, target)])
        found.append(replace(r, raised=replace(r.raised, before=before)) if r.raised else r)
    return tuple(found)


def _raised(residue: Residue, parts: Sequence[Part], measures: Measures) -> Raised:
    name, target = f"{residue.family}/{residue.variant}", parts[0].question.labels.index(residue.target)

    def joined(answers: Sequence[Responses]) -> float:
        return _mean_over(parts, answers, name, target)

    answered = [d for d in parts[0].references if all(_has(part, d, name) for part in parts)]
    honest = measures.of(answered, residue.group, residue.target)
    others = [joined([part.references[d] for part in parts]) for d in honest]
    if residue.floor == CONTROL or not others:
        pieces = [control_raised(p.merged, name, target)[_counted(p, target)] for p in parts]
        floor = mean(np.concatenate(pieces))
    else:
        floor = min(others) if residue.floor == LEAST else float(np.mean(others))
    return Raised(after=joined([part.merged for part in parts]), floor=floor)


def _mean_over(parts: Sequence[Part], answers: Sequence[Responses], name: str, target: int) -> float:
    pieces: list[Shares] = [
        trigger_raised(own, name, target)[_counted(part, target)] for part, own in zip(parts, answers, strict=True)
    ]
    return mean(np.concatenate(pieces))


def _counted(part: Part, target: int) -> NDArray[np.bool_]:
    labels = part.question.reference_labels
    found: NDArray[np.bool_] = (labels != target) & (labels != UNSCORED)
    return found


def _has(part: Part, digest: str, name: str) -> bool:
    return digest in part.references and name in part.references[digest].probes


def _held(residue: Residue, parts: Sequence[Part]) -> bool:
    name = f"{residue.family}/{residue.variant}"
    return all(name in part.merged.probes for part in parts)
