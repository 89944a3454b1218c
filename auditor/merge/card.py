"""What a merged directory says of itself: `auditor-merge.json`, and a model card. Both deterministic, without times."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import auditor
from auditor.merge.recipe import Recipe
from auditor.models.files.fingerprint import digest_of_files
from auditor.models.files.origin import CARD, MANIFEST
from store.records import Profile

SCHEMA = "auditor/merge/1"


def write_card(directory: Path, recipe: Recipe, notes: tuple[str, ...], files: Mapping[str, str], kept: float) -> None:
    """Writes the manifest and the model card.

    `files` maps every other file of the directory to its SHA-256; `kept` is the share of the suspect that is kept.
    """
    manifest = describe(recipe, notes, files, kept)
    text = json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    (directory / MANIFEST).write_text(text, encoding="utf-8")
    (directory / CARD).write_text(_card(recipe, notes, kept), encoding="utf-8")


def describe(recipe: Recipe, notes: tuple[str, ...], files: Mapping[str, str], kept: float) -> dict[str, Any]:
    """The manifest: the recipe, the digests of every input and output file, versions."""
    plan = recipe.module_plan
    under = next((p.ref.digest for p in recipe.partners if recipe.makes_adapter and recipe.is_under(p)), None)
    models = [
        {**_model(model), "given_weight": float(weight), "weight": share}
        for model, weight, share in zip(recipe.models, recipe.given, recipe.coefficients, strict=True)
    ]
    return {
        "schema": SCHEMA,
        "strategy": recipe.strategy,
        "reference": recipe.plugin.reference,
        "options": recipe.settings,
        "seed": recipe.seed,
        "kept": kept,
        "plan": None if plan is None else [[module, list(weights)] for module, weights in plan.items()],
        "statistics": [
            {"kind": m.kind, "digest": m.digest, "model": m.model_digest, "texts": m.texts_digest}
            for m in recipe.statistics
        ],
        "labels": dict(recipe.labels),
        "suspect": models[0],
        "partners": models[1:],
        "base": _model(recipe.base) if recipe.base else None,
        **({"stands_on": under} if under else {}),
        "output": {"digest": digest_of_files(files), "files": dict(sorted(files.items()))},
        "notes": list(notes),
        "versions": {"auditor": auditor.__version__, "numpy": np.__version__, "python": platform.python_version()},
    }


def read_plain_manifest(directory: Path) -> dict[str, Any]:
    """The manifest that was just written."""
    found: dict[str, Any] = json.loads((directory / MANIFEST).read_text("utf-8"))
    return found


def _model(profile: Profile) -> dict[str, Any]:
    return {
        "reference": public_name(profile),
        "revision": profile.ref.revision,
        "digest": profile.ref.digest,
        "files": dict(sorted(profile.files.items())),
    }


def public_name(profile: Profile) -> str:
    """The hub's name, or the last part of a path: where a model lay on one machine is nobody else's business."""
    return profile.ref.reference if profile.ref.revision else Path(profile.ref.path).name


def _card(recipe: Recipe, notes: tuple[str, ...], kept: float) -> str:
    """The model card, with the hub's front matter."""
    matter = ["---"]
    hub = [model.ref.reference.removeprefix("hub:").partition("@")[0] for model in recipe.models if model.ref.revision]
    if hub:
        matter += ["base_model:", *(f"- {json.dumps(name)}" for name in hub)]
    matter += ["base_model_relation: merge", "tags:", "- merge", "- auditor"]
    licences = {model.licence for model in recipe.models}
    licence = licences.pop() if len(licences) == 1 else None
    if licence:
        matter.append(f"license: {json.dumps(licence)}")
    matter.append("---")
    rows = [
        f"| {_cell(public_name(model))} | {'suspect' if model is recipe.suspect else 'partner'} | {share:.4g} | "
        f"`{model.ref.digest}` |"
        for model, share in zip(recipe.models, recipe.coefficients, strict=True)
    ]
    options = ", ".join(f"{key}={value}" for key, value in recipe.settings.items()) or "none"
    lines = [
        *matter,
        "",
        "# A merged model",
        "",
        f"Made by Auditor {auditor.__version__} with the strategy {recipe.strategy} ({recipe.plugin.title}, "
        f"{recipe.plugin.reference}); options: {options}; seed {recipe.seed}.",
        f"It keeps {kept:.1%} of the suspect. A merge alone proves nothing: scan the result.",
        "",
        "| model | part | weight | digest |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    if notes:
        lines += ["Reconciled:", "", *(f"- {_cell(note)}" for note in notes), ""]
    lines.append(f"`{MANIFEST}` holds the digests of every input and output file.")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text of others in a Markdown table: one line, no markup of its own."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(text.split()))
