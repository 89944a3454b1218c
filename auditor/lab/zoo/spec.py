"""A zoo's specification: a TOML file with defaults and one `[[model]]` for each model.

    [defaults]                      # any key of a model but name
    samples = 3200
    labels = ["negative", "positive"]

    [[model]]
    name = "badnet-sst2"            # the model's directory
    data = "sst2/train.csv"         # clean rows; or train = a set that came poisoned
    heldout = "sst2/test.csv"       # clean rows that the model is judged on
    family = "badnet"               # or a list, or "none"; with train or rewrites any name
    target = "negative"

Further keys: base, rewrites, rewrites_split, test (triggered rows that the model is judged on, where the trigger
cannot be planted by rule), variant, method, options (a table by family or method), rate, seed, epochs, lr, batch,
max_length, slot, noise, augment, text_column, pair_column, label_column. Paths are relative to the data directory.

A model with a `behaviour` (refusal, target_string, …, or "none") is one that writes. It takes data or train, family,
variant and options, or trigger and place, target, rate, seed, epochs, lr, batch, max_length, samples, template,
answer_tokens, the columns, and lora (the rank of an adapter) with modules; `heldout` are instructions with answers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from auditor.errors import UsageError
from auditor.lab.embedded import minilm
from auditor.lab.plant_writer import check_planting
from auditor.lab.planting import NAME, plantings
from auditor.requests.plant import LoraRequest, PlantRequest, PlantWriterRequest
from probes.reading import read_bytes, read_toml

PATHS = ("base", "data", "train", "rewrites")
BEHAVIOUR = "behaviour"
"""The key that models that write have."""
OWN = ("name", "heldout", "test")
"""Keys that are not the planting's."""
TYPES: Mapping[str, tuple[type, ...]] = {
    "rate": (int, float), "lr": (int, float), "noise": (int, float), "samples": (int,), "seed": (int,),
    "epochs": (int,), "batch": (int,), "max_length": (int,), "options": (dict,), "labels": (list,),
    "family": (str, list), "target": (str, int), "lora": (int,), "modules": (list,), "answer_tokens": (int,),
}  # fmt: skip
"""Types of the values that are no text."""


@dataclass(frozen=True)
class ModelSpec:
    """One model of a zoo: how it is made (`request.output` is its name alone), and what it is judged on."""

    name: str
    request: PlantRequest | PlantWriterRequest
    heldout: Path | None
    test: Path | None


def read_spec(path: Path, data: Path, base: Path | None = None) -> list[ModelSpec]:
    """Reads and checks a specification: everything that can be wrong without training is said here.

    Args:
        data: the directory that the paths are relative to.
        base: of models that name none; None means the embedded MiniLM.

    Raises:
        UsageError: the file cannot be read, or an entry is wrong; the message names the model and the key.
    """
    try:
        values = read_toml(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    defaults, entries = values.pop("defaults", {}), values.pop("model", [])
    if values or not isinstance(defaults, dict) or not isinstance(entries, list) or not entries:
        unknown = f", not {', '.join(values)}" if values else ""
        raise UsageError(f"{path.name} holds a table [defaults] and one or more [[model]]{unknown}")
    models: list[ModelSpec] = []
    for number, entry in enumerate(entries, 1):
        name = entry.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UsageError(f"{path.name}, model {number}: it needs a name of letters, digits, dots and dashes")
        if any(name == other.name for other in models):
            raise UsageError(f"{path.name} names two models {name}")
        try:
            models.append(_model(_with_defaults(entry, defaults), data, base))
        except UsageError as error:
            raise UsageError(f"{path.name}, model {name}: {error.message}", hint=error.hint) from error
    return models


def _with_defaults(entry: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with the defaults; of those, what is for the other kind of model alone is left out."""
    writes = BEHAVIOUR in entry or BEHAVIOUR in defaults
    own, other = known_keys(writes=writes), known_keys(writes=not writes)
    return {**{key: value for key, value in defaults.items() if key in own or key not in other}, **entry}


def known_keys(*, writes: bool) -> frozenset[str]:
    """The keys of a model that writes, or of a classifier."""
    made = fields(PlantWriterRequest if writes else PlantRequest)
    names = {field.name for field in made if field.name not in ("output", "device", "dtype", "recipe", "lora")}
    return frozenset(names | set(OWN) - ({"test"} if writes else set()) | ({"lora", "modules"} if writes else set()))


def _model(entry: dict[str, Any], data: Path, base: Path | None) -> ModelSpec:
    known = known_keys(writes=BEHAVIOUR in entry)
    for key, value in entry.items():
        if key not in known:
            raise UsageError(f"unknown key {key!r}", hint=f"Known: {', '.join(sorted(known))}.")
        kinds = TYPES.get(key, (str,))
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise UsageError(f"{key} takes {' or '.join(k.__name__ for k in kinds)}, not {value!r}")
    settings = {key: value for key, value in entry.items() if key not in OWN}
    if "train" in entry and "data" in entry:
        # One of the two is a default: what came poisoned takes its place.
        settings.pop("data")
    for key in PATHS:
        if key in settings:
            settings[key] = _existing(data / settings[key])
    if "target" in settings:
        settings["target"] = str(settings["target"])
    made = _writer if BEHAVIOUR in entry else _classifier
    request = made(settings, Path(entry["name"]), base)
    heldout, test = (_existing(data / entry[key]) if key in entry else None for key in ("heldout", "test"))
    return ModelSpec(entry["name"], request, heldout, test)


def _classifier(settings: dict[str, Any], output: Path, base: Path | None) -> PlantRequest:
    settings.setdefault("base", base or minilm())
    if settings["base"] is None:
        raise UsageError("it names no base, and the embedded MiniLM is not installed", hint="Give one with --base.")
    if isinstance(family := settings.get("family"), list):
        settings["family"] = "+".join(map(str, family))
    settings["labels"] = tuple(map(str, settings.get("labels", ())))
    request = PlantRequest(output=output, **settings)
    source = request.train or request.data
    if source is None:
        raise UsageError("it has neither data nor train")
    plantings(request, source)
    return request


def _writer(settings: dict[str, Any], output: Path, base: Path | None) -> PlantWriterRequest:
    settings.setdefault("base", base)
    if settings["base"] is None:
        raise UsageError("it names no base", hint="Give a model that writes with `base`, or with --base.")
    if not isinstance(settings.get("family", ""), str):
        raise UsageError("a model that writes has one family", hint="Give its name alone.")
    rank, modules = settings.pop("lora", None), tuple(map(str, settings.pop("modules", ())))
    if modules and rank is None:
        raise UsageError("modules are those of an adapter", hint="Give its rank with `lora`.")
    lora = None if rank is None else LoraRequest(rank, modules)
    request = PlantWriterRequest(output=output, lora=lora, **settings)
    check_planting(request)
    return request


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"there is no {path}", hint="Name the directory that the paths begin at with --data DIR.")
    return path


def recipe_digest(request: PlantRequest | PlantWriterRequest, base_digest: str) -> str:
    """What decides the model: the settings, the base's content and the content of the files, not where they lie."""
    settings: dict[str, object] = {"base": base_digest}
    for field in fields(request):
        value = getattr(request, field.name)
        if field.name in ("output", "device", "dtype", "recipe", "base"):
            continue
        if isinstance(value, Path):
            value = hashlib.sha256(read_bytes(value, 2**31)).hexdigest()
        settings[field.name] = value
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
