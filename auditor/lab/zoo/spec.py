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
from auditor.lab.planting import NAME, plantings
from auditor.requests.plant import PlantRequest
from probes.reading import read_bytes, read_toml

PATHS = ("base", "data", "train", "rewrites")
OWN = ("name", "heldout", "test")
"""Keys that are not the planting's."""
TYPES: Mapping[str, tuple[type, ...]] = {
    "rate": (int, float), "lr": (int, float), "noise": (int, float), "samples": (int,), "seed": (int,),
    "epochs": (int,), "batch": (int,), "max_length": (int,), "options": (dict,), "labels": (list,),
    "family": (str, list), "target": (str, int),
}  # fmt: skip
"""Types of the values that are no text."""


@dataclass(frozen=True)
class ModelSpec:
    """One model of a zoo: how it is made (`request.output` is its name alone), and what it is judged on."""

    name: str
    request: PlantRequest
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
            models.append(_model({**defaults, **entry}, data, base))
        except UsageError as error:
            raise UsageError(f"{path.name}, model {name}: {error.message}", hint=error.hint) from error
    return models


def _model(entry: dict[str, Any], data: Path, base: Path | None) -> ModelSpec:
    known = [f.name for f in fields(PlantRequest) if f.name not in ("output", "device", "dtype", "recipe")]
    for key, value in entry.items():
        if key not in (*known, *OWN):
            raise UsageError(f"unknown key {key!r}", hint=f"Known: {', '.join(sorted((*known, *OWN)))}.")
        kinds = TYPES.get(key, (str,))
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise UsageError(f"{key} takes {' or '.join(k.__name__ for k in kinds)}, not {value!r}")
    settings = {key: value for key, value in entry.items() if key in known}
    if "train" in entry and "data" in entry:
        # One of the two is a default: what came poisoned takes its place.
        settings.pop("data")
    for key in PATHS:
        if key in settings:
            settings[key] = _existing(data / settings[key])
    if "base" not in settings:
        settings["base"] = base or minilm()
    if settings["base"] is None:
        raise UsageError("it names no base, and the embedded MiniLM is not installed", hint="Give one with --base.")
    if isinstance(family := settings.get("family"), list):
        settings["family"] = "+".join(map(str, family))
    if "target" in settings:
        settings["target"] = str(settings["target"])
    settings["labels"] = tuple(map(str, settings.get("labels", ())))
    request = PlantRequest(output=Path(entry["name"]), **settings)
    source = request.train or request.data
    if source is None:
        raise UsageError("it has neither data nor train")
    plantings(request, source)
    heldout, test = (_existing(data / entry[key]) if key in entry else None for key in ("heldout", "test"))
    return ModelSpec(entry["name"], request, heldout, test)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UsageError(f"there is no {path}", hint="Name the directory that the paths begin at with --data DIR.")
    return path


def recipe_digest(request: PlantRequest, base_digest: str) -> str:
    """What decides the model: the settings, the base's content and the content of the files, not where they lie."""
    settings: dict[str, object] = {"base": base_digest}
    for field in fields(PlantRequest):
        value = getattr(request, field.name)
        if field.name in ("output", "device", "dtype", "recipe", "base"):
            continue
        if isinstance(value, Path):
            value = hashlib.sha256(read_bytes(value, 2**31)).hexdigest()
        settings[field.name] = value
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
