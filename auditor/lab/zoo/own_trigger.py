"""How often a victim answers its own planted trigger, on rows that it was not trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.errors import UsageError
from auditor.events import Event, Stage
from auditor.events.journal import journal
from auditor.lab.methods.bite import with_words
from auditor.lab.poison.labels import label_index
from auditor.lab.poison.trigger import ByRule, Trigger, read_rewrites
from auditor.lab.zoo.zoo import Inhabitant
from auditor.models.runtime.spec import LoadSpec
from auditor.scan.execution.local import Answered
from auditor.scan.execution.run import Role, RunSpec
from auditor.scan.plan import Plan
from probes.behaviour import LabelIs
from probes.corpus import CorpusError, read_corpus
from probes.errors import InputError
from probes.family import FAMILIES
from probes.inference import rate_of
from probes.input import Input, Row, encoding, length, texts
from probes.probe import Probe
from probes.rates import Rate
from probes.suite import Suite
from store.records import Profile

if TYPE_CHECKING:
    from auditor.session import Session

BATCH = 256
"""Inputs that are answered, and stored, together."""


@dataclass(frozen=True)
class OwnTrial:
    """Triggered inputs of one planted family, all of rows whose label is not the target."""

    family: str
    target: int
    asks: tuple[Input, ...]


def own_trials(model: Inhabitant, labels: Sequence[str], rows: Sequence[Row], seed: int) -> list[OwnTrial]:
    """The inputs that show how well each planted family works.

    Args:
        rows: held-out, with gold labels; not used where the model has a file of triggered rows.

    Raises:
        UsageError: a trigger cannot be planted again (its rewrites are of other rows, its family is not known).
    """
    target = label_index(str(model.record.get("target")), labels)
    if model.test is not None:
        return [
            OwnTrial("+".join(model.families), target, tuple(r.input for r in _triggered_rows(model, labels, target)))
        ]
    found = []
    for planted in model.record.get("plants", ()):
        trigger = _trigger(model, planted)
        edited = [(row, trigger.apply(row, seed=seed)) for row in rows if row.label not in (None, target)]
        asks = tuple(new.input for row, new in edited if new.input != row.input)
        if not asks:
            raise UsageError(f"no held-out row of another label than {labels[target]} takes the trigger")
        found.append(OwnTrial(planted["family"], target, asks))
    if not found:
        raise UsageError("it was trained on a set that came poisoned, and its spec names no `test` file")
    return found


def _triggered_rows(model: Inhabitant, labels: Sequence[str], target: int) -> list[Row]:
    """The rows of a file of triggered texts: published sets relabel all with the target, or keep the true labels."""
    assert model.test is not None
    text, pair, label = model.columns
    try:
        rows = read_corpus(model.test, labels=labels, text_column=text, pair_column=pair, label_column=label).rows
    except CorpusError as error:
        raise UsageError(error.message, hint=error.hint) from error
    others = [row for row in rows if row.label != target]
    return others or list(rows)


def _trigger(model: Inhabitant, planted: dict[str, Any]) -> Trigger:
    slot = str(model.record.get("slot", "second"))
    if planted.get("rewrites"):
        if model.rewrites is None or model.heldout is None:
            raise UsageError("it was planted from a file of rewrites, and its spec names no `test` file")
        return read_rewrites(model.rewrites, split=Path(model.heldout).stem, slot=slot)
    try:
        family = FAMILIES[planted["family"]]
        probe = Probe(family, planted["variant"], family.settings(planted["variant"], planted["options"]))
    except (InputError, KeyError) as error:
        raise UsageError(f"its trigger cannot be planted again: {error}") from error
    trigger: Trigger = ByRule(probe, slot)
    if planted.get("settings", {}).get("derive"):
        return with_words(trigger, tuple(planted["words"]))
    return trigger


def own_rate(session: Session, profile: Profile, trial: OwnTrial, samples: int) -> Generator[Event, None, Rate]:
    """The share of triggered inputs that the model gives the target label; stored answers are not asked again."""
    plan = own_plan(trial.asks[:samples])
    device, dtype = session.backend.device()
    load = LoadSpec(profile, device, dtype, profile.max_length)
    yield Stage("own", f"Its own trigger ({trial.family})", len(plan.inputs), "texts")
    answered = yield from own_answers(session, plan, load)
    return rate_of(LabelIs(trial.target, "").fired(answered.answers))


def own_answers(session: Session, plan: Plan, load: LoadSpec) -> Generator[Event, None, Answered]:
    """A planted model's answers; stored ones are not asked again."""
    run = session.backend.open_run(
        RunSpec.of(load).key(plan), model_digest=load.profile.ref.digest, batches=len(plan.batches), fresh=False
    )
    answered: list[Answered] = []

    def ask() -> Generator[Event, None, None]:
        answered.append((yield from session.backend.run(plan, load, run, Role.OWN)))

    yield from journal(ask(), session.catalog)
    return answered[0]


def own_plan(asks: Sequence[Input], batch: int = BATCH) -> Plan:
    """Inputs without a suite, in order of length."""
    ordered = tuple(sorted(asks, key=lambda item: (length(item), texts(item))))
    mark = hashlib.sha256(b"auditor/own/1")
    for ask in ordered:
        mark.update(encoding(ask))
    cuts = range(0, len(ordered), batch)
    return Plan(
        key=mark.hexdigest(),
        rows=(),
        rows_digest="",
        suite=Suite("own", (), 0),
        seed=0,
        cases=(),
        inputs=ordered,
        position=(),
        batches=tuple((start, min(start + batch, len(ordered))) for start in cuts),
        probed=0,
    )
