"""Two scans of the same rows side by side: paired changes of every measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from auditor.errors import UsageError
from auditor.scan.judgement.trials import Trials
from probes.answer import Answers, Shares
from probes.inference import Paired
from store.records import AGREEMENT, CACC, LIKELIHOOD, Change, Scan, asr_measure


@dataclass(frozen=True)
class Side:
    """A scan with the answers behind it.

    `likely` is how probable, by row, the model finds each token of the first model's clean answers, where that was
    asked of models that write.
    """

    scan: Scan
    trials: Trials
    likely: Shares | None = None


def check_comparable(before: Scan, after: Scan) -> None:
    """Raises:
    UsageError: the scans are of other rows, or of models with other labels.
    """
    if before.data.digest != after.data.digest or before.settings.seed != after.settings.seed:
        raise UsageError(
            f"the scans {before.id} and {after.id} are not of the same rows and seed, so they cannot be compared",
            hint="Scan both models with the same --data, --samples and --seed.",
        )
    if before.model.labels != after.model.labels:
        raise UsageError(
            f"the models have other labels: {', '.join(before.model.labels)} and {', '.join(after.model.labels)}"
        )


def check_options(before: Scan, after: Scan) -> None:
    """Raises:
    UsageError: a family that both fired had other options.
    """
    first, second = before.settings.families, after.settings.families
    for name in first.keys() & second.keys():
        if _text(first[name]) != _text(second[name]):
            raise UsageError(
                f"the scans {before.id} and {after.id} fired {name} with other options, so they cannot be compared",
                hint="Scan both models with the same --set and --policy.",
            )


def _text(options: Mapping[str, object]) -> dict[str, str]:
    """Options as a stored scan and a fresh one both give them."""
    return {key: "|".join(map(str, v)) if isinstance(v, list | tuple) else str(v) for key, v in options.items()}


def compare(before: Side, after: Side) -> tuple[Change, ...]:
    """Changes (after − before) of the clean accuracy and of every ASR that both have.

    Without gold labels it is the agreement with the first model's clean predictions.

    Rows are those whose reference label, fixed by the first scan, is not the target; differences are paired by row.
    """
    check_comparable(before.scan, after.scan)
    check_options(before.scan, after.scan)
    changes = [clean_change(before, after, before.trials.reference)]
    both = {(s.family, s.variant, s.target) for s in after.scan.scores.asr}
    for score in before.scan.scores.asr:
        if (score.family, score.variant, score.target) not in both:
            continue
        key = f"{score.family}/{score.variant}", score.target
        own = before.trials[key]
        was, is_now = own.trigger[own.rows], after.trials[key].trigger[own.rows]
        changes.append(
            Change(
                measure=asr_measure(score.family, score.variant, score.target),
                before=_mean(was),
                after=_mean(is_now),
                delta=Paired.of(is_now, was).interval(),
            )
        )
    return tuple(changes)


def clean_change(before: Side, after: Side, reference: Answers) -> Change:
    """Clean accuracy where there are gold labels, else agreement with what the first model gives without an edit; of
    models that write, how probable they find the first one's answers.

    Args:
        reference: by row, the answer that is right.
    """
    if before.likely is not None and after.likely is not None:
        delta = Paired.of(after.likely, before.likely).interval()
        return Change(LIKELIHOOD, _mean(before.likely), _mean(after.likely), delta)
    gold = before.scan.scores.cacc is not None
    was, is_now = (side.trials.clean.same(reference)[reference.scored] for side in (before, after))
    return Change(CACC if gold else AGREEMENT, _mean(was), _mean(is_now), Paired.of(is_now, was).interval())


def agreement(first: Trials, second: Trials) -> float:
    """The share of rows on which two models give the same answer without an edit."""
    return _mean(first.clean.same(second.clean))


def _mean(hit: Shares) -> float:
    return float(np.nanmean(hit)) if np.isfinite(hit).any() else 0.0
