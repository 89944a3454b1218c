"""Checks a merged directory against its manifest; with the sources at hand, recomputes every tensor."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from auditor.errors import AuditorError, ModelError, UsageError
from auditor.merge.card import SCHEMA
from auditor.merge.compatibility.labels import relabelled
from auditor.merge.engine.adapters import MadeAdapter, merge_adapters
from auditor.merge.engine.engine import stream
from auditor.merge.engine.files import InputFile, Turns
from auditor.merge.layout.layout import TensorPlan, lay_out
from auditor.merge.numerics.arithmetic import Raw
from auditor.merge.recipe import Measured, Recipe
from auditor.models.files.fingerprint import digest_of_files, hash_file
from auditor.models.files.origin import CARD, MANIFEST
from auditor.models.files.profile import read_profile
from auditor.models.files.untrusted import read_json
from auditor.settings import statistics_cache
from probes.reading import open_regular
from store.catalog import Catalog
from store.records import Profile


@dataclass(frozen=True)
class Verification:
    """What is wrong with a merged directory, and whether its tensors were made again."""

    problems: tuple[str, ...]
    recomputed: bool


def verify_with(directory: Path, catalog: Catalog) -> Verification:
    """Checks a merged directory; where the catalog knows all its sources, every tensor is made again.

    Raises:
        UsageError, ModelError: as `verify`.
    """
    models = [model for e in catalog.models.list() for model in (e.profile, *e.profile.parts)]
    sources = {model.ref.digest: Path(model.ref.path) for model in models if not model.parts}
    sources = {digest: path for digest, path in sources.items() if path.is_dir()}
    sources |= found_statistics(directory, statistics_cache())
    known = needed_sources(directory) <= sources.keys()
    return Verification(tuple(verify(directory, sources=sources if known else None)), known)


def verify(directory: Path, *, sources: Mapping[str, Path] | None = None) -> list[str]:
    """What is wrong with a merged directory, in words; an empty list where nothing is.

    Every file's digest is recomputed. With `sources` (model digest to directory), which must have all models of the
    recipe, every tensor is made again by the same engine and compared byte for byte.

    Raises:
        UsageError: the directory holds no manifest.
        ModelError: the manifest is damaged.
    """
    manifest = read_manifest(directory)
    files: dict[str, str] = manifest["output"]["files"]
    problems = _file_problems(directory, files)
    if manifest["output"]["digest"] != digest_of_files(files):
        problems.append(f"{MANIFEST}: the digests of the files do not add up to the model's digest")
    wanted = [manifest["suspect"], *manifest["partners"], *([manifest["base"]] if manifest["base"] else [])]
    wanted += [{"reference": f"the {m['kind']} statistics", "digest": m["digest"]} for m in manifest["statistics"]]
    if sources is not None and not problems:
        missing = [model for model in wanted if model["digest"] not in sources]
        if missing:
            problems += [f"source {model['reference']} ({model['digest'][:12]}) is not at hand" for model in missing]
        else:
            problems += _recompute(directory, manifest, sources)
    return problems


def needed_sources(directory: Path) -> set[str]:
    """The digests of the models that a merged directory was made of.

    Raises:
        UsageError, ModelError: as `read_manifest`.
    """
    manifest = read_manifest(directory)
    models = [manifest["suspect"], *manifest["partners"], *([manifest["base"]] if manifest["base"] else [])]
    return {entry["digest"] for entry in (*models, *manifest.get("statistics", ()))}


def found_statistics(directory: Path, cache: Path) -> dict[str, Path]:
    """The measurements that a merged directory was made with, as far as a cache of them still holds them.

    Raises:
        UsageError, ModelError: as `read_manifest`.
    """
    wanted = {entry["digest"] for entry in read_manifest(directory)["statistics"]}
    places = sorted(cache.glob("*.safetensors")) if wanted else []
    return {digest: path for path in places if (digest := hash_file(path)) in wanted}


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a merged directory, its structure checked.

    Raises:
        UsageError: there is none.
        ModelError: it is damaged, or of another schema.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise UsageError(f"{directory} holds no {MANIFEST}", hint="Give a directory that `auditor merge` made.")
    manifest = read_json(path)
    if manifest.get("schema") != SCHEMA:
        raise ModelError(f"{path} has the schema {manifest.get('schema')!r}, expected {SCHEMA!r}")
    try:
        models = [manifest["suspect"], *manifest["partners"], *([manifest["base"]] if manifest["base"] else [])]
        texts = [
            *(manifest["output"]["files"].values()), manifest["output"]["digest"], manifest["strategy"],
            *(model[key] for model in models for key in ("digest", "reference")),
        ]  # fmt: skip
        [float(model["given_weight"]) for model in (manifest["suspect"], *manifest["partners"])]
        sound = all(isinstance(text, str) for text in texts) and isinstance(manifest["options"], dict)
        sound = sound and isinstance(manifest["seed"], int)
        [(str(module), [float(weight) for weight in weights]) for module, weights in manifest.get("plan") or ()]
        manifest["statistics"] = [
            {key: str(m[key]) for key in ("kind", "digest", "model", "texts")} for m in manifest.get("statistics", ())
        ]
        manifest["labels"] = {str(theirs): str(ours) for theirs, ours in manifest.get("labels", {}).items()}
        sound = sound and all(_is_inside(name) for name in manifest["output"]["files"])
    except (KeyError, TypeError, AttributeError, ValueError):
        sound = False
    if not sound:
        raise ModelError(f"{path} is damaged: its recipe is incomplete")
    return manifest


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _file_problems(directory: Path, files: Mapping[str, str]) -> list[str]:
    problems = []
    for name, digest in sorted(files.items()):
        path = directory / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif hash_file(path) != digest:
            problems.append(f"{name} is not the file that was written: its SHA-256 differs from the manifest's")
    present = {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}
    extra = sorted(present - set(files) - {MANIFEST, CARD})
    return problems + [f"{name} is not in the manifest" for name in extra]


class ComparingSink:
    """Compares what the engine makes with the files that are there, and remembers the tensors that differ."""

    def __init__(self, directory: Path, files: Mapping[str, str]) -> None:
        self._files = {
            name: InputFile(str(directory), directory / name, digest, Turns()) for name, digest in files.items()
        }
        self._lock = threading.Lock()
        self.different: set[str] = set()

    def write(self, tensor: TensorPlan, start: int, raw: Raw) -> None:
        there = np.empty_like(raw)
        self._files[tensor.file].read(start, there)
        if not np.array_equal(there, raw):
            with self._lock:
                self.different.add(tensor.name)

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _recompute(directory: Path, manifest: Mapping[str, Any], sources: Mapping[str, Path]) -> list[str]:
    try:
        recipe = _recipe(manifest, sources)
        if recipe.makes_adapter:
            return _compare_adapter(recipe, manifest["output"]["files"])
        layout = lay_out(recipe)
        outputs = {output.name: output.header for output in layout.outputs}
        written = {name: digest for name, digest in manifest["output"]["files"].items() if name in outputs}
        if unwritten := sorted(outputs.keys() - written.keys()):
            return [f"{name}, which the recipe makes, is not in the manifest" for name in unwritten]
        sink = ComparingSink(directory, written)
        with ExitStack() as stack:
            stack.callback(sink.close)
            for _ in stream(recipe, layout, sink, Turns(), ("cpu",), None, 2):
                pass
    except AuditorError as error:
        return [f"the tensors cannot be recomputed: {error.message}"]
    stated: Mapping[str, str] = manifest["output"]["files"]
    problems = []
    for name, content in layout.extra.items():
        if stated.get(name) != hashlib.sha256(content).hexdigest():
            problems.append(f"{name} is not what the recipe makes of the sources")
    for name in sorted({*layout.carried, *stated} - outputs.keys() - layout.extra.keys()):
        owner = layout.owners[layout.carried.get(name, 0)]
        if stated.get(name) != owner.files.get(name):
            problems.append(
                f"{name} is not the suspect's" if owner is layout.owners[0] else f"{name} is not the base's"
            )
    problems += [f"tensor {name} is not what the recipe makes of the sources" for name in sorted(sink.different)]
    for name, header in outputs.items():
        with open_regular(directory / name) as file:
            if file.read(len(header)) != header:
                problems.append(f"{name}: its header is not what the recipe makes of the sources")
    return problems


def _compare_adapter(recipe: Recipe, stated: Mapping[str, str]) -> list[str]:
    """Makes a merged adapter again; files that differ from those stated are named."""
    events = merge_adapters(recipe)
    while True:
        try:
            next(events)
        except StopIteration as end:
            made: MadeAdapter = end.value
            break
    again = {name: hashlib.sha256(content).hexdigest() for name, content in made.files.items()}
    names = sorted(again.keys() | stated.keys())
    return [
        f"{name} is not what the recipe makes of the sources" for name in names if again.get(name) != stated.get(name)
    ]


def _recipe(manifest: Mapping[str, Any], sources: Mapping[str, Path]) -> Recipe:
    def profile(model: Mapping[str, Any]) -> Profile:
        found = read_profile(sources[model["digest"]], reference=model["reference"])
        if found.ref.digest != model["digest"]:
            raise ModelError(f"{sources[model['digest']]} is not the model {model['digest'][:12]} any more")
        return found

    models = (manifest["suspect"], *manifest["partners"])
    labels = manifest["labels"]
    under = next((model for model in models[1:] if model["digest"] == manifest.get("stands_on")), None)
    return Recipe(
        stands_on=profile(under) if under else None,
        suspect=profile(models[0]),
        partners=tuple(relabelled(profile(model), labels) for model in models[1:]),
        strategy=manifest["strategy"],
        weights=tuple(float(model["given_weight"]) for model in models),
        options=manifest["options"],
        seed=manifest["seed"],
        base=profile(manifest["base"]) if manifest["base"] else None,
        plan={module: tuple(weights) for module, weights in manifest["plan"]} if manifest.get("plan") else None,
        statistics=tuple(
            Measured(str(sources[m["digest"]]), m["digest"], m["kind"], m["model"], m["texts"])
            for m in manifest.get("statistics", ())
        ),
        labels=labels,
    )
