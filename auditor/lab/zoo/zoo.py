"""Builds a zoo: many models with known backdoors, and benign ones; goes on where it was stopped."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from auditor.errors import UsageError
from auditor.events import Event, Stage
from auditor.lab.plant import plant
from auditor.lab.plant_writer import plant_writer
from auditor.lab.zoo.spec import ModelSpec, recipe_digest
from auditor.models.files.profile import read_profile
from auditor.models.files.untrusted import MAX_JSON
from auditor.requests.plant import BENIGN, PlantRequest, PlantWriterRequest
from auditor.training.train import is_finished, read_record
from auditor.training.trainer import clock
from probes.reading import parse_json, read_bytes

MANIFEST = "zoo.json"
"""In the zoo's directory: on what each model is judged."""
SCHEMA = "auditor/zoo/1"


class Register(Protocol):
    """What a zoo needs of a session."""

    def register(self, path: Path, *, tags: tuple[str, ...] = (), planted: str | None = None) -> object:
        """Adds a model's directory to the catalog."""
        ...


@dataclass(frozen=True)
class Inhabitant:
    """A finished model of a zoo with its record, and the files that it is judged on."""

    name: str
    path: Path
    record: dict[str, Any]
    heldout: Path | None = None
    test: Path | None = None
    rewrites: Path | None = None
    columns: tuple[str | None, str | None, str | None] = (None, None, None)
    """Text, pair and label column of the held-out file, where they are named."""

    @property
    def writes(self) -> bool:
        """Whether it is a model that writes."""
        return "behaviour" in self.record

    @property
    def families(self) -> tuple[str, ...]:
        """What is planted; nothing for a benign model."""
        return tuple(f for f in str(self.record.get("family") or "").split("+") if f not in ("", BENIGN))


def build(
    session: Register, models: Sequence[ModelSpec], directory: Path, *, device: str, dtype: str | None
) -> Generator[Event, None, int]:
    """Trains the models that are not there yet, and adds each to the catalog; returns how many are new.

    Raises:
        UsageError: a directory of a model's name holds something else.
        ModelError: a base is damaged, or a training failed; what was finished before is kept.
        DiskError: a model could not be written.
    """
    bases = {path: read_profile(path).ref.digest for path in {m.request.base for m in models}}
    recipes = {m.name: recipe_digest(m.request, bases[m.request.base]) for m in models}
    missing = [m for m in models if not is_finished(directory / m.name, recipes[m.name])]
    directory.mkdir(parents=True, exist_ok=True)
    for model in models:
        if model not in missing:
            _register(session, directory, model)
    spent: list[float] = []
    for model in missing:
        began = time.monotonic()
        number = len(models) - len(missing) + len(spent) + 1
        left = f", about {clock(sum(spent) / len(spent) * (len(missing) - len(spent)))} left" if spent else ""
        what = planted_in(model.request)
        yield Stage(
            "zoo", f"Model {number} of {len(models)}{left}: {model.name} ({'benign' if what == BENIGN else what})"
        )
        yield from _planted(model, directory / model.name, recipes[model.name], device=device, dtype=dtype)
        _register(session, directory, model)
        spent.append(time.monotonic() - began)
    return len(missing)


def _planted(
    model: ModelSpec, output: Path, recipe: str, *, device: str, dtype: str | None
) -> Generator[Event, None, None]:
    request = model.request
    if isinstance(request, PlantWriterRequest):
        wanted = replace(request, output=output, device=device, dtype=dtype, recipe=recipe)
        yield from plant_writer(wanted)
    else:
        yield from plant(replace(request, output=output, device=device, dtype=dtype, recipe=recipe))


def _register(session: Register, directory: Path, model: ModelSpec) -> None:
    """The manifest is written first: a catalogued model without a place in it could not be judged."""
    entries = _manifest(directory)
    request = model.request
    rewrites = None if isinstance(request, PlantWriterRequest) else request.rewrites
    files = {"heldout": model.heldout, "test": model.test, "rewrites": rewrites}
    entries[model.name] = {
        **{key: str(path.absolute()) for key, path in files.items() if path is not None},
        "columns": [request.text_column, request.pair_column, request.label_column],
    }
    body = {"schema": SCHEMA, "models": dict(sorted(entries.items()))}
    partial = directory / f".{MANIFEST}.{os.getpid()}"
    partial.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(directory / MANIFEST)
    session.register(directory / model.name, tags=("zoo",), planted=planted_in(request))


def planted_in(request: PlantRequest | PlantWriterRequest) -> str:
    """What the catalog says of what is planted: the families, or what a model that writes is made to do."""
    if isinstance(request, PlantWriterRequest):
        return request.behaviour
    return "+".join(request.families) or BENIGN


def _manifest(directory: Path) -> dict[str, dict[str, Any]]:
    try:
        found = parse_json(read_bytes(directory / MANIFEST, MAX_JSON))["models"]
        return {str(name): dict(entry) for name, entry in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{directory / MANIFEST} is damaged", hint="Remove it and run `auditor lab zoo` again; models are kept."
        ) from error


def inhabitants(directory: Path) -> list[Inhabitant]:
    """The finished models of a zoo's directory, by name.

    Raises:
        UsageError: there is none.
    """
    if not directory.is_dir():
        raise UsageError(f"there is no directory {directory}", hint="`auditor lab zoo SPEC.toml -o DIR` builds one.")
    entries, found = _manifest(directory), []
    for path in sorted(directory.iterdir()):
        record = read_record(path) if path.is_dir() and not path.name.startswith(".") else None
        if record is not None:
            found.append(_inhabitant(path, record, entries.get(path.name, {})))
    if not found:
        raise UsageError(f"{directory} holds no model that the lab has made")
    return found


def _inhabitant(path: Path, record: dict[str, Any], entry: dict[str, Any]) -> Inhabitant:
    files = {key: Path(entry[key]) for key in ("heldout", "test", "rewrites") if isinstance(entry.get(key), str)}
    text, pair, label = entry.get("columns") or (None, None, None)
    return Inhabitant(path.name, path, record, columns=(text, pair, label), **files)
