"""Adapters merged into an adapter: the weighted mean of low-rank changes, exact or reduced to a given rank.

The mean of Bᵢ Aᵢ scaled by sᵢ is one product of concatenated factors, [w₁ s₁ B₁ | w₂ s₂ B₂ | …] · [A₁; A₂; …]: its rank
is the sum of the ranks, and nothing is lost. `rank` reduces it by singular values (the best approximation of that rank:
Eckart and Young, Psychometrika 1936); the error is stated. Adapters are small: they are merged in memory.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auditor.errors import IncompatibleError, ModelError, UsageError
from auditor.events import Event, Progress, Stage, Warned
from auditor.merge.compatibility.adapter_match import match_adapters
from auditor.merge.compatibility.compatibility import FLOATS
from auditor.merge.engine.files import InputFile, Turns
from auditor.merge.numerics.arithmetic import NumpyArithmetic
from auditor.merge.recipe import WAG, Recipe, normalise
from auditor.merge.strategy import PLACES
from auditor.merge.tensors.header import item_size, write_header
from auditor.merge.tensors.modules import module_of, weights_of
from auditor.merge.tensors.tables import changed
from auditor.merge.tensors.vocabulary import Vocabularies
from auditor.models.files.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, Adapter, Factors, is_adapter, read_adapter
from auditor.models.files.names import place_of
from auditor.models.files.safetensors import StoredTensor
from auditor.models.runtime.verified import MOST
from probes.reading import read_bytes
from store.records import Profile, TensorInfo

Matrix = npt.NDArray[np.float64]
PREFIX = "base_model.model."
HALF = frozenset({"F16", "BF16"})


@dataclass(frozen=True)
class MadeAdapter:
    """The bytes of a merged adapter, what is to be said of it, and how much of the suspect it keeps, 0 to 1."""

    files: dict[str, bytes]
    notes: tuple[str, ...]
    kept: float


def merge_adapters(recipe: Recipe) -> Generator[Event, None, MadeAdapter]:
    """The files of the merged adapter.

    Raises:
        UsageError: the strategy cannot merge adapters without their base.
        IncompatibleError: the adapters are for other bases or tasks, or a tensor has another shape.
        ModelError: a file is damaged, has changed, or holds NaN or infinite values.
    """
    told = _check(recipe)
    adapters = [_read(model) for model in recipe.models]
    opened = [_Opened(model) for model in recipe.models]
    try:
        yield Stage("merge", f"merging {len(adapters)} adapters ({recipe.plugin.title})", _count(adapters), "tensors")
        made = yield from _merge(recipe, adapters, opened, told)
        for file in opened:
            file.finish()
    finally:
        for file in opened:
            file.close()
    for note in made.notes:
        yield Warned(note)
    return made


def _check(recipe: Recipe) -> list[str]:
    """Refuses what cannot be merged; returns what is to be said of the rest."""
    notes: list[str] = []
    if recipe.strategy != WAG:
        raise UsageError(
            f"strategy {recipe.strategy} merges adapters only together with their base",
            hint="Name the base with --base, or use --strategy wag.",
        )
    vocabularies = Vocabularies()
    for partner in recipe.partners:
        if not is_adapter(partner):
            _refuse_stored(recipe.suspect, partner)
            notes.append(f"{partner.ref.reference} is the adapters' base: its part of the weight takes changes back")
            continue
        found = match_adapters(recipe.suspect, partner, vocabularies)
        if found.blockers:
            raise IncompatibleError(
                f"{partner.ref.reference} cannot be merged with {recipe.suspect.ref.reference}: "
                + "; ".join(found.blockers),
                hint="`auditor partners` lists the models that can.",
            )
        notes += found.notes
    return notes


def _refuse_stored(suspect: Profile, base: Profile) -> None:
    """Refuses what is stored whole and would have to be averaged with the base's own."""
    found, names = read_adapter(Path(suspect.ref.path)), {t.name for t in base.tensors}
    if stored := sorted(key for key in (*found.saved, *found.tokens) if place_of(key, names) is not None):
        raise IncompatibleError(
            f"{suspect.ref.reference} holds {stored[0]} whole, and so does its base: an adapter cannot hold their mean",
            hint="Name the base with --base: then the whole model is made.",
        )


def _read(model: Profile) -> Adapter:
    """An adapter; of the base, one that changes nothing."""
    if is_adapter(model):
        return read_adapter(Path(model.ref.path))
    return Adapter(None, model.task, {}, {}, {})


def _count(adapters: Sequence[Adapter]) -> int:
    return len({target for adapter in adapters for target in adapter.factors})


class _Opened:
    """An adapter's files, whose bytes are checked against the profile."""

    def __init__(self, model: Profile) -> None:
        self.model = model
        self._files = {
            name: InputFile(model.ref.reference, Path(model.ref.path) / name, digest, Turns())
            for name, digest in model.files.items()
            if is_adapter(model)
        }
        self._arithmetic = NumpyArithmetic()

    def matrix(self, stored: StoredTensor) -> Matrix:
        """A tensor in double precision."""
        info = stored.info
        if info.dtype not in FLOATS:
            raise ModelError(f"{self.model.ref.reference}: tensor {info.name} has dtype {info.dtype}")
        raw = np.empty(stored.end - stored.begin, np.uint8)
        self._files[ADAPTER_WEIGHTS].peek(stored.begin, raw)
        array: Matrix = np.array(self._arithmetic.decode(raw, info.dtype, True, "0")).reshape(info.shape)
        if not np.isfinite(array).all():
            raise ModelError(
                f"{self.model.ref.reference}: tensor {info.name} in {ADAPTER_WEIGHTS} holds NaN or infinite values",
                hint="Leave the adapter out, or take a sound copy of it.",
            )
        return array

    def finish(self) -> None:
        for file in self._files.values():
            file.finish()

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _merge(
    recipe: Recipe, adapters: Sequence[Adapter], opened: Sequence[_Opened], told: Sequence[str]
) -> Generator[Event, None, MadeAdapter]:
    rank, plan = int(recipe.settings["rank"]), recipe.module_plan
    targets = sorted({target for adapter in adapters for target in adapter.factors})
    tensors: dict[str, tuple[Matrix, str]] = {}
    pairs: dict[str, tuple[Matrix, Matrix, str]] = {}
    errors: list[float] = []
    halves: set[str] = set()
    moved: list[tuple[float, float]] = []
    for done, target in enumerate(targets, 1):
        weights = _weights(recipe, target)
        stored = {half.info.dtype for a in adapters if (f := a.factors.get(target)) for half in (f.down, f.up)}
        halves |= stored & HALF
        # Rounded to half precision, the scaled and concatenated factors would no longer be those that were merged.
        dtype = "F64" if "F64" in stored else "F32"
        pairs_of = [_pair(a, file, target) for a, file in zip(adapters, opened, strict=True)]
        if plan is not None:
            moved.append((_squared_length(pairs_of), weights[0]))
        chosen = [
            (down, up * weight) for (down, up), weight in zip(pairs_of, weights, strict=True) if weight and up.size
        ]
        if not chosen:
            continue
        down, up = np.concatenate([d for d, _ in chosen], axis=0), np.concatenate([u for _, u in chosen], axis=1)
        if 0 < rank < down.shape[0]:
            down, up, error = reduce(down, up, rank)
            errors.append(error)
        pairs[target] = down, up, dtype
        yield Progress("merge", done, len(targets), "tensors", target)
    widest = max((down.shape[0] for down, _, _ in pairs.values()), default=1)
    for target, (down, up, dtype) in pairs.items():
        lacking = widest - down.shape[0]
        module = PREFIX + target.removesuffix(".weight")
        tensors[f"{module}.lora_A.weight"] = np.pad(down, ((0, lacking), (0, 0))), dtype
        tensors[f"{module}.lora_B.weight"] = np.pad(up, ((0, 0), (0, lacking))), dtype
    whole = [{**adapter.saved, **{k: rows.stored for k, rows in adapter.tokens.items()}} for adapter in adapters]
    for name, tensor in whole[0].items():
        weights = _weights(recipe, name, [name in own for own in whole])
        held = [file.matrix(own[name]) if name in own else None for own, file in zip(whole, opened, strict=True)]
        parts = [weight * array for array, weight in zip(held, weights, strict=True) if array is not None]
        tensors[tensor.info.name] = np.sum(parts, axis=0), tensor.info.dtype
        others = [array for array in held[1:] if array is not None]
        if plan is not None and held[0] is not None and others:
            moved.append((float(((held[0] - np.mean(others, axis=0)) ** 2).sum()), weights[0]))
    ranks = [
        max((f.rank for f in adapter.factors.values()), default=0)
        for adapter, model in zip(adapters, recipe.models, strict=True)
        if is_adapter(model)
    ]
    notes = [*told, f"the merged adapter has rank {widest}; those merged have {', '.join(map(str, ranks))}"]
    if halves:
        notes.append(
            f"factors stored as {', '.join(sorted(halves))} are summed and written as F32: nothing is rounded off"
        )
    if errors:
        notes.append(
            f"reduced to rank {rank}: the changes of weights differ from the exact mean by {max(errors):.2%} at most "
            f"({math.fsum(errors) / len(errors):.2%} on average, of the Frobenius norm)"
        )
    if whole[0]:
        notes.append(f"{len(whole[0])} tensors that were trained whole are merged by plain weighted average")
    files = {ADAPTER_CONFIG: _config(adapters[0], list(pairs), widest), ADAPTER_WEIGHTS: _encode(tensors)}
    for name, digest in recipe.suspect.files.items():
        if name not in files:
            files[name] = _other(recipe.suspect, name, digest)
    length = math.fsum(squared for squared, _ in moved)
    kept = math.fsum(squared * weight for squared, weight in moved) / length if length else recipe.kept
    return MadeAdapter(files, tuple(notes), round(kept, PLACES))


def _pair(adapter: Adapter, file: _Opened, target: str) -> tuple[Matrix, Matrix]:
    """An adapter's factors of a tensor, down and scaled up; of rank 0 where it leaves the tensor alone."""
    factors: Factors | None = adapter.factors.get(target)
    if factors is None:
        return np.empty((0, 0)), np.empty((0, 0))
    return file.matrix(factors.down), file.matrix(factors.up) * factors.scale


def _squared_length(pairs: Sequence[tuple[Matrix, Matrix]]) -> float:
    """The squared length of the difference of the first change from the mean of the others: how far the suspect moved.

    Of a product of factors it is the sum over (UᵀU) ∘ (DDᵀ), so that the product itself is not made.
    """
    shares = [1.0, *[-1 / max(1, len(pairs) - 1)] * (len(pairs) - 1)]
    used = [(down, up * share) for (down, up), share in zip(pairs, shares, strict=True) if up.size]
    if not used:
        return 0.0
    down, up = np.concatenate([d for d, _ in used], axis=0), np.concatenate([u for _, u in used], axis=1)
    return float(((down @ down.T) * (up.T @ up)).sum())


def _weights(recipe: Recipe, tensor: str, have: Sequence[bool] | None = None) -> tuple[float, ...]:
    """The models' shares in a tensor of the base, by the recipe's plan; of those that have it, where some have not."""
    given, plan = recipe.given, recipe.module_plan
    chosen = given if plan is None else weights_of(module_of(tensor), plan, given)
    if have is not None and not all(have):
        chosen = tuple(weight * held for weight, held in zip(chosen, have, strict=True))
        # Where the others have all the weight, there is nothing else to take.
        chosen = chosen if sum(chosen) else tuple(map(float, have))
    return normalise(chosen)


def reduce(down: Matrix, up: Matrix, rank: int) -> tuple[Matrix, Matrix, float]:
    """The nearest product of factors of a lower rank, and its error relative to the Frobenius norm.

    The singular values of up · down come from the small matrix between the factors' orthogonal bases.
    """
    left, upper = np.linalg.qr(up)
    right, lower = np.linalg.qr(down.T)
    inner, values, outer = np.linalg.svd(upper @ lower.T)
    whole = math.sqrt(float((values**2).sum()))
    lost = math.sqrt(float((values[rank:] ** 2).sum()))
    root = np.sqrt(values[:rank])
    return (root[:, None] * outer[:rank]) @ right.T, (left @ inner[:, :rank]) * root, lost / whole if whole else 0.0


KEPT = frozenset({
    "auto_mapping", "base_model_name_or_path", "bias", "ensure_weight_tying", "fan_in_fan_out", "inference_mode",
    "lora_dropout", "modules_to_save", "peft_type", "peft_version", "revision", "task_type", "trainable_token_indices",
})  # fmt: skip
"""Fields of the suspect's config that hold for the merged adapter. How the factors once began, and how modules and
ranks were chosen, does not: PEFT would begin anew by it, and refuse some ranks."""


def _config(suspect: Adapter, targets: Sequence[str], rank: int) -> bytes:
    """The suspect's config with the merged rank, and the scale folded into the factors."""
    config: dict[str, Any] = {key: value for key, value in suspect.config.items() if key in KEPT}
    config |= {"r": rank, "lora_alpha": rank, "rank_pattern": {}, "alpha_pattern": {}, "use_rslora": False}
    # Named in full, so that every module that any of the adapters changes is among them and no other.
    config |= {"target_modules": [target.removesuffix(".weight") for target in targets], "init_lora_weights": True}
    return (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()


def _encode(tensors: dict[str, tuple[Matrix, str]]) -> bytes:
    arithmetic = NumpyArithmetic()
    ordered = sorted(tensors.items())
    parts = [write_header(TensorInfo(name, array.shape, dtype) for name, (array, dtype) in ordered)]
    for name, (array, dtype) in ordered:
        raw = arithmetic.encode(array, dtype, "out").tobytes()
        if len(raw) != array.size * item_size(dtype) or not np.isfinite(array).all():
            raise ModelError(f"tensor {name}: the merged values do not fit {dtype}")
        parts.append(raw)
    return b"".join(parts)


def _other(suspect: Profile, name: str, digest: str) -> bytes:
    content = read_bytes(Path(suspect.ref.path) / name, MOST)
    if hashlib.sha256(content).hexdigest() != digest:
        raise changed(suspect, f"{name} is another")
    return content
