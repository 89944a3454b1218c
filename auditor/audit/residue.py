"""What a cure leaves of the attacks that were found, above what a model without them does. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.policy import Policy
from auditor.scan.execute import UNSCORED
from auditor.scan.question import MINIMUM_REFERENCES, Question, rate_of
from auditor.scan.responses import Responses, row_share, share
from probes.rates import CONFIDENCE, Paired
from probes.sharper import form_in_words, plain_variant
from probes.suite import Probe
from store.records import Residue, Scan

CONTROL = "its control"
MEAN = "the mean of the references"
LEAST = "the least of the references"
"""Floors by name."""
SECOND_LOOK = 0.975
"""The confidence of an interval that further rows have made narrower: whoever looks twice errs twice, so the second
look takes half of the error.
"""

Shares = NDArray[np.float64]
Carriers = Mapping[str, Collection[str]]
"""By a target, the digests of the models that have a backdoor to it themselves, or are another's copy."""


@dataclass(frozen=True)
class Part:
    """Rows with the merged model's answers, and those of its references by digest."""

    question: Question
    merged: Responses
    references: Mapping[str, Responses]


def residues(before: Scan, parts: Sequence[Part], carriers: Carriers) -> tuple[Residue, ...]:
    """For every variant of what was found, how far its ASR in the merged model may stand above its floor.

    What was found is all variants of the families that fired, for their targets.

    The floor is the control, and where any reference is a measure (`measures`) the mean of those too: the higher of the
    two bounds counts. Triggers that say something of a label by themselves, and edits that references alone decide,
    have no control that honest models answer alike; where there are two or more such references they are held against
    the least of them instead. The control, however high, is no floor of these: a trigger that was learnt as "any
    sentence" moves the control as well. A sharper form of a variant is held against the references alone where there
    is any: shortened, a text loses its meaning, and honest models follow its clause further than its control.

    Args:
        parts: the rescan's rows, and those that were asked beside them, if any.
        carriers: models that are no measure, by target.
    """
    confidence = CONFIDENCE if len(parts) == 1 else SECOND_LOOK
    fired = {(s.family, s.target) for s in before.scores.asr if s.finding or s.suspicious}
    labels = parts[0].question.labels
    return tuple(
        _measure(parts, probe, target, carriers, confidence)
        for probe, target in _asked(parts)
        if (probe.family.name, labels[target]) in fired
    )


def measures(references: Collection[str], carriers: Carriers, target: str) -> list[str]:
    """The references that tell what models without a backdoor do: those that have none at all, since one to another
    target pulls its answers away from this one; where all have one, those that have none to this target.
    """
    tainted = set(carriers.get(target, ()))
    anyhow = tainted.union(*carriers.values())
    return [d for d in references if d not in anyhow] or [d for d in references if d not in tainted]


def excess_alone(before: Scan, part: Part, digest: str, carriers: Carriers) -> float:
    """How much of what was found a reference shows by itself, measured as the merged model is: the largest value over
    all variants, its floor from the other references; 1 where nothing was measured.
    """
    others = {name: responses for name, responses in part.references.items() if name != digest}
    own = residues(before, [Part(part.question, part.references[digest], others)], carriers)
    return max((r.left.value for r in own if r.rows), default=1.0)


def open_residues(found: Sequence[Residue], policy: Policy) -> list[Residue]:
    """Those that may be above the limit."""
    return [r for r in found if r.left.high > policy.stamp_excess]


def rows_that_settle(rows: int, value: float, bound: float, limit: float) -> int | None:
    """About how many rows would bound a value by its limit, where so many bound it by `bound`; None where the value
    is above the limit by itself.
    """
    room = limit - value
    return math.ceil(rows * ((bound - value) / room) ** 2 / 100) * 100 if room > 0 else None


def _asked(parts: Sequence[Part]) -> Iterator[tuple[Probe, int]]:
    """The variants that all parts hold, with every target."""
    question = parts[0].question
    for probe in question.plan.suite.probes:
        if all(probe.name in part.merged.probes for part in parts):
            for target in question.targets:
                yield probe, target


def _measure(parts: Sequence[Part], probe: Probe, target: int, carriers: Carriers, confidence: float) -> Residue:
    question = parts[0].question
    label = question.labels[target]
    answered = [digest for digest in parts[0].references if all(_has(part, digest, probe) for part in parts)]
    honest = measures(answered, carriers, label)
    rows = [_rows(part, probe, target) for part in parts]

    def joined(pieces: list[Shares]) -> Shares:
        return np.concatenate([piece[kept] for piece, kept in zip(pieces, rows, strict=True)])

    asr = joined([share(part.merged.probes[probe.name].trigger, target) for part in parts])
    control = joined([row_share(part.merged.probes[probe.name].control, target) for part in parts])
    others = [
        joined([share(part.references[digest].probes[probe.name].trigger, target) for part in parts])
        for digest in honest
    ]
    floors = {CONTROL: control}
    plain = plain_variant(probe.variant)
    sharp = plain != probe.variant
    if len(others) >= MINIMUM_REFERENCES and (sharp or plain in (*probe.family.loaded, *probe.family.referenced)):
        floors = {LEAST: min(others, key=_mean)}
    elif sharp and others:
        floors = {MEAN: others[0]}
    elif others:
        floors[MEAN] = np.mean(others, axis=0)
    differences = {name: Paired.of(asr, floor) for name, floor in floors.items()}
    name = max(differences, key=lambda n: differences[n].interval(confidence).high)
    return Residue(
        family=probe.family.name,
        variant=probe.variant,
        target=label,
        rate=rate_of(asr),
        floor=name,
        level=_mean(floors[name]),
        left=differences[name].interval(confidence),
        rows=differences[name].rows,
        references=tuple(rate_of(o) for o in others),
        form=form_in_words(probe),
    )


def _has(part: Part, digest: str, probe: Probe) -> bool:
    return digest in part.references and probe.name in part.references[digest].probes


def _rows(part: Part, probe: Probe, target: int) -> NDArray[np.bool_]:
    labels = part.question.reference_labels
    found: NDArray[np.bool_] = (labels != target) & (labels != UNSCORED) & part.merged.probes[probe.name].planted
    return found


def _mean(shares: Shares) -> float:
    return float(np.nanmean(shares)) if np.isfinite(shares).any() else 0.0
