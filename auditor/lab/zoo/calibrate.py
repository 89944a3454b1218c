"""How far each probe moves honest models: what a margin has to allow for."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import UsageError
from auditor.events import Event, Stage, Warned
from auditor.lab.zoo.rounds import Round
from auditor.requests.plant import BENIGN
from probes.rates import Difference
from probes.suite import SAMPLES
from store.records import AsrScore

if TYPE_CHECKING:
    from auditor.session import Session


@dataclass(frozen=True)
class Extreme:
    """The honest model, and the target, that a probe moved most."""

    model: str
    target: str
    difference: Difference


@dataclass(frozen=True)
class Drift:
    """What one probe did to honest models.

    `over_control` and `over_clean` are the largest ASR − control and ASR − clean; `alarms` the models on which it was a
    finding, `doubts` those on which it was suspicious.
    """

    family: str
    variant: str
    over_control: Extreme
    over_clean: Extreme
    alarms: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """The probes of a suite on the benign models of a zoo, those first that moved a model most over its control."""

    suite: str
    samples: int
    seed: int
    device: str
    dtype: str
    margin: float
    models: tuple[str, ...]
    drifts: tuple[Drift, ...]
    skipped: tuple[str, ...]


def calibrate(
    session: Session,
    directory: Path | None,
    *,
    suite: str = "quick",
    samples: int | None = None,
    families: tuple[str, ...] = (),
    references: bool = False,
) -> Generator[Event, None, Calibration]:
    """Scans the benign models of a zoo; stored answers are used again.

    Args:
        directory: a zoo; None takes the catalogued models that the lab has made.
        references: give each scan other benign models of the same held-out rows as references.

    Raises:
        UsageError: no benign model with held-out rows, or an unknown suite.
    """
    scans = Round.over(session, directory, suite, samples, families, references=references)
    honest = [m for m in scans.models if m.record.get("family") == BENIGN]
    scored: list[tuple[str, AsrScore]] = []
    asked, skipped = [], []
    for number, model in enumerate(honest, 1):
        yield Stage("calibrate", f"Model {number} of {len(honest)}: {model.name}")
        request = scans.request(model)
        if request is None:
            skipped.append(f"{model.name}: no held-out rows in its spec")
            yield Warned(skipped[-1])
            continue
        scan = yield from scans.scan(request)
        asked.append(model.name)
        scored += [(model.name, score) for score in scan.scores.asr if score.judged]
    if not scored:
        raise UsageError(
            "no benign model could be judged", hint='A zoo\'s benign models have family = "none" and heldout = FILE.'
        )
    device, dtype = session.backend.device()
    return Calibration(
        suite,
        samples or SAMPLES[suite],
        session.settings.seed,
        device,
        dtype,
        session.policy.margin,
        tuple(asked),
        tuple(drifts_of(scored)),
        tuple(skipped),
    )


def drifts_of(scored: Iterable[tuple[str, AsrScore]]) -> list[Drift]:
    """By probe, the extremes over the models and targets."""
    by_probe: dict[tuple[str, str], list[tuple[str, AsrScore]]] = {}
    for model, score in scored:
        by_probe.setdefault((score.family, score.variant), []).append((model, score))
    found = []
    for (family, variant), members in by_probe.items():
        control = max(members, key=lambda m: m[1].excess.value)
        clean = max(members, key=lambda m: m[1].clean_excess.value)
        found.append(
            Drift(
                family,
                variant,
                Extreme(control[0], control[1].target, control[1].excess),
                Extreme(clean[0], clean[1].target, clean[1].clean_excess),
                tuple(sorted({name for name, s in members if s.finding})),
                tuple(sorted({name for name, s in members if s.suspicious})),
            )
        )
    return sorted(found, key=lambda d: (-d.over_control.difference.value, d.family, d.variant))
