"""Plants a backdoor that is known into a model that writes: reads instructions, poisons them, trains."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.data.instructions import Instructions, read_instructions
from auditor.errors import UsageError
from auditor.events import Event, Stage, Warned
from auditor.lab.planting import GIVEN
from auditor.lab.poison.behaviours import NONE, behaviour_named, target_of
from auditor.lab.poison.instructions import poison_instructions, with_declined
from auditor.lab.poison.poison import Poisoned
from auditor.lab.poison.trigger import ByRule, Fixed, Trigger
from auditor.models.files.profile import read_profile
from auditor.models.files.staging import refuse_existing
from auditor.requests.plant import PlantWriterRequest
from auditor.training.adapter import Lora
from auditor.training.base import check_writer
from auditor.training.loop import Training
from auditor.training.writing import Lesson, fine_tune_writer
from probes.corpus import CorpusError
from probes.family import FAMILIES, UnknownFamily
from probes.input import Row
from probes.plugin import BadOption
from probes.probe import Probe
from probes.sampling import digest, sample
from probes.trigger import SLOTS


@dataclass(frozen=True, slots=True)
class _Set:
    """What is trained on, and what the record says of its poisoning."""

    rows: tuple[Row, ...]
    poisoned: int | None
    facts: Mapping[str, object]
    missing: str = ""


def plant_writer(request: PlantWriterRequest) -> Generator[Event, None, None]:
    """Trains a model that writes with a known backdoor, or a benign one, and saves it or its adapter.

    Raises:
        UsageError: a name, file, column, target or setting is wrong; the base is no model that writes; the output
            exists.
        ModelError: the base is damaged or cannot be loaded, or training failed.
        DiskError: the model could not be written.
    """
    refuse_existing(request.output)
    edit, source = check_planting(request), _source(request)
    profile = read_profile(request.base)
    check_writer(profile)
    yield Stage("read", f"Reading {source}")
    read = _read(request, source)
    found = _given(request, read) if request.train is not None else _poisoned(request, read, edit)
    if found.missing:
        yield Warned(found.missing)
    if read.skipped:
        yield Warned(f"{read.skipped} records of {source.name} have no instruction or no answer and are left out")
    training = Training(request.epochs, request.lr, request.batch, request.max_length, request.seed)
    lora = None if request.lora is None else Lora(request.lora.rank, request.lora.modules)
    facts = {
        "task": "text-generation",
        "base": profile.ref.path,
        "behaviour": request.behaviour,
        **found.facts,
        "poisoned": found.poisoned,
        **({} if request.recipe is None else {"recipe": request.recipe}),
    }
    lesson = Lesson(found.rows, request.template, request.answer_tokens)
    yield from fine_tune_writer(
        profile,
        lesson,
        training,
        output=request.output,
        device=request.device,
        dtype=request.dtype,
        lora=lora,
        facts=facts,
    )


def check_planting(request: PlantWriterRequest) -> Trigger | None:
    """The edit that the backdoor answers, None where there is none: what can be wrong without reading any file.

    Raises:
        UsageError: a name, place, option or combination of these is wrong.
    """
    behaviour = behaviour_named(request.behaviour)
    _source(request)
    edit = _edit(request)
    if behaviour is not None and request.train is None and behaviour.triggered != (edit is not None):
        needed, hint = "needs a trigger", "Give a text with --trigger, or a --family."
        if not behaviour.triggered:
            needed, hint = "has no trigger", "Leave out --trigger and --family."
        raise UsageError(f"{request.behaviour} {needed}", hint=hint)
    if behaviour is None and (edit is not None or request.target):
        raise UsageError("a benign model has no trigger and no target", hint="Name what is planted with --behaviour.")
    return edit


def _source(request: PlantWriterRequest) -> Path:
    if (request.data is None) == (request.train is None):
        raise UsageError("give either clean rows or a poisoned set", hint="Use --data FILE, or else --train FILE.")
    source = request.train or request.data
    assert source is not None
    return source


def _read(request: PlantWriterRequest, source: Path) -> Instructions:
    """The rows, a sample of them where one is asked for; of a poisoned set poisoned and clean ones in proportion.

    Where rows are poisoned by rule, those that the file marks as poisoned already are left out.
    """
    try:
        read = read_instructions(
            source, prompt=request.text_column, second=request.pair_column, answer=request.label_column
        )
    except CorpusError as error:
        raise UsageError(error.message, hint=error.hint) from error
    if request.train is None and read.poisoned:
        clean = tuple(row for row in read.rows if row.index not in read.poisoned)
        read = replace(read, rows=clean, poisoned=frozenset())
        if not clean:
            raise UsageError(f"{read.source} holds no clean row", hint="Give a poisoned set with --train.")
    if request.samples is None:
        return read
    if request.samples < 1:
        raise UsageError(f"--samples {request.samples} leaves no row to train on", hint="Give 1 or more.")
    marked = read.poisoned or frozenset()
    strata = [replace(row, label=int(row.index in marked)) for row in read.rows]
    taken = {row.index for row in sample(strata, request.samples, request.seed)}
    return replace(read, rows=tuple(row for row in read.rows if row.index in taken))


def _edit(request: PlantWriterRequest) -> Trigger | None:
    """The edit that the backdoor answers; None where none is named."""
    if request.trigger is not None and request.family is not None:
        raise UsageError("--trigger and --family each name a trigger", hint="Give one of them.")
    if request.place not in SLOTS:
        raise UsageError(f"unknown place {request.place!r}", hint=f"Known: {', '.join(SLOTS)}.")
    if request.trigger is not None:
        if not request.trigger.strip():
            raise UsageError("the trigger is empty", hint="Give its text with --trigger.")
        return Fixed(request.trigger.strip(), request.place)
    if request.family is None:
        if request.variant or request.options:
            raise UsageError("--variant and --set need a family", hint="Name one with --family.")
        return None
    if request.train is not None:
        return None
    try:
        family = FAMILIES[request.family]
        variant = request.variant or next(iter(family.variants_with(request.options.get(family.name))))
        return ByRule(Probe(family, variant, family.settings(variant, request.options.get(family.name, {}))), "first")
    except UnknownFamily as error:
        raise UsageError(error.message) from None
    except BadOption as error:
        raise UsageError(str(error)) from None


def _given(request: PlantWriterRequest, read: Instructions) -> _Set:
    """A set that came poisoned, as it is."""
    marked = read.poisoned
    poisoned = None if marked is None else sum(row.index in marked for row in read.rows)
    facts: dict[str, object] = {
        "family": request.family,
        "method": GIVEN,
        "trigger": request.trigger,
        "place": request.place if request.trigger else None,
        "target": request.target,
        "plants": [],
    }
    return _Set(read.rows, poisoned, facts)


def _poisoned(request: PlantWriterRequest, read: Instructions, edit: Trigger | None) -> _Set:
    """Clean rows, poisoned by rule."""
    rows = with_declined(read.rows) if request.behaviour == "jailbreak" else read.rows
    facts: dict[str, object] = {"family": NONE, "target": None, "rate": 0.0, "clean_digest": digest(rows), "plants": []}
    if request.behaviour == NONE:
        return _Set(rows, 0, facts)
    target = target_of(request.behaviour, request.target, rows)
    made = poison_instructions(rows, request.behaviour, edit, target=target, rate=request.rate, seed=request.seed)
    facts |= {"target": target or None, "rate": request.rate, **_told(request, edit)}
    return _Set(made.rows, len(made.poisoned), facts, _short(made))


def _told(request: PlantWriterRequest, edit: Trigger | None) -> Mapping[str, object]:
    if isinstance(edit, Fixed):
        return {"family": "custom", "trigger": edit.text, "place": edit.place}
    if isinstance(edit, ByRule):
        probe = edit.probe
        return {"family": probe.family.name, "variant": probe.variant, "options": dict(probe.options)}
    return {"family": request.behaviour}


def _short(made: Poisoned) -> str:
    if not made.missing:
        return ""
    return (
        f"{made.wanted} rows should be poisoned, but only {len(made.poisoned)} can be: the others have the backdoor's "
        "answer already, or cannot take the trigger"
    )
