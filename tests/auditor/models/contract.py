"""What is promised of a classifier type: transformers' own answers, merges to the mean; or a refusal by name."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import AuditorError, ModelError
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.merge.verify import verify
from auditor.models.files.profile import read_profile
from auditor.models.runtime.classifier import Classifier
from auditor.models.runtime.load import load_classifier
from auditor.models.runtime.packing import Packing
from probes.input import Text
from tests.auditor.merge.conftest import read_tensors
from tests.auditor.models.tiny import OWN, WORDS, make_classifier, save

EXACTNESS = {"float32": 2e-5, "bfloat16": 4e-2, "float16": 1e-2}
"""How far a probability may be from transformers' own, by number format, where texts are asked together."""
ROUTED = 0.15
"""The same where experts are chosen: the last digit of a half-precision number may choose another one."""
SHARD = "40KB"


def texts(count: int = 7) -> list[str]:
    """Texts of 1 to 60 words, no two of one length but two."""
    rng = random.Random(5)
    lengths = (1, 2, 4, 4, 9, 23, 60)[:count]
    return [" ".join(rng.choices(WORDS, k=length)) for length in lengths]


@dataclass(frozen=True)
class Held:
    """What a type was found to do. `refused` is what is said where it is not supported."""

    kind: str
    architecture: str
    packing: Packing | None = None
    dtypes: tuple[str, ...] = ()
    seeded: bool = False
    merged: bool = False
    refused: str = ""
    not_merged: str = ""


def hold(kind: str, place: Path, *, dtypes: Sequence[str] = ("float32", "bfloat16", "float16")) -> Held:
    """Holds a type to the contract.

    Raises:
        AssertionError: an answer, a merged tensor or a refusal is not what is promised.
    """
    made = [make_classifier(kind, seed) for seed in (1, 2)]
    architecture = type(made[0]).__name__
    one, other = (save(model, place / f"{n}") for n, model in enumerate(made))
    sharded = save(made[0], place / "shards", shard=SHARD)
    assert (sharded / "model.safetensors.index.json").is_file(), "the shards are too large"
    whole = load(one, "float32")
    if isinstance(whole, ModelError):
        return Held(kind, architecture, refused=whole.message)
    shares = answers(whole)
    assert np.abs(shares - shares[0]).max() > 1e-3, f"{kind} answers every text alike"
    check_batches(whole, shares)
    from_shards = load_classifier(read_profile(sharded), device="cpu")
    assert np.array_equal(answers(from_shards), shares), f"{kind} answers otherwise from shards"
    kept = []
    for dtype in dtypes:
        found = check_dtype(one, dtype, whole if dtype == "float32" else None)
        kept += [dtype] if found else []
    merged = check_merge(kind, sharded, other, place / "merged")
    return Held(kind, architecture, whole.packing, tuple(kept), whole._forward.seeded, not merged, not_merged=merged)


def load(directory: Path, dtype: str) -> Classifier | ModelError:
    """The classifier, or what it is refused with."""
    try:
        return load_classifier(read_profile(directory), device="cpu", dtype=dtype)
    except ModelError as error:
        return error


def answers(classifier: Classifier, asked: Sequence[str] | None = None) -> np.ndarray:
    """Probabilities of the texts, shape (texts, labels)."""
    return classifier.choose([Text(text) for text in asked or texts()]).probabilities


def check_batches(classifier: Classifier, shares: np.ndarray) -> None:
    """The same answers alone, in another order, and in small batches."""
    asked = texts()
    alone = np.concatenate([answers(classifier, [text]) for text in asked])
    np.testing.assert_allclose(alone, shares, atol=EXACTNESS["float32"], err_msg="alone")
    few = np.concatenate([answers(classifier, asked[i : i + 3][::-1])[::-1] for i in range(0, len(asked), 3)])
    np.testing.assert_allclose(few, shares, atol=EXACTNESS["float32"], err_msg="in batches of three")


def check_dtype(directory: Path, dtype: str, loaded: Classifier | None) -> bool:
    """Answers in a number format are transformers' own to each text; False where the model cannot run in it here."""
    classifier = loaded or load(directory, dtype)
    if isinstance(classifier, ModelError):
        # Not for what is here: transformers itself cannot.
        with pytest.raises((RuntimeError, TypeError)):
            by_transformers(directory, dtype)
        return False
    expected = by_transformers(directory, dtype, seeded=classifier._forward.seeded)
    alone = np.concatenate([answers(classifier, [text]) for text in texts()])
    np.testing.assert_allclose(alone, expected, atol=EXACTNESS["float32"], err_msg=f"{dtype}, text by text")
    routed = dtype != "float32" and "num_experts_per_tok" in OWN.get(read_profile(directory).model_type, {})
    exactness = ROUTED if routed else EXACTNESS[dtype]
    np.testing.assert_allclose(answers(classifier), expected, atol=exactness, err_msg=dtype)
    return True


def by_transformers(
    directory: Path, dtype: str = "float32", asked: Sequence[str] | None = None, *, seeded: bool = False
) -> np.ndarray:
    """transformers' own probabilities, each text by itself and by a model that has answered none before."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=getattr(torch, dtype)).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    changes = any(getattr(module, "attention_type", None) == "block_sparse" for module in model.modules())
    found = []
    for text in asked or texts():
        if seeded:
            torch.manual_seed(0)
        with torch.inference_mode():
            fresh = copy.deepcopy(model) if changes else model
            logits = fresh(**tokenizer(text, return_tensors="pt")).logits
        found.append(logits[0].double().softmax(-1).numpy())
    return np.asarray(found)


def check_merge(kind: str, suspect: Path, partner: Path, output: Path) -> str:
    """A weight average is the mean of the tensors, verifies, and runs; else what it is refused with."""
    models = [read_profile(path) for path in (suspect, partner)]
    try:
        recipe = Recipe(models[0], (models[1],))
        for _ in merge(recipe, output):
            pass
    except AuditorError as error:
        return error.message
    assert verify(output, sources={m.ref.digest: Path(m.ref.path) for m in models}) == [], kind
    one, two, made = (read_tensors(path) for path in (suspect, partner, output))
    check_mean(one, two, made)
    assert np.isfinite(answers(load_classifier(read_profile(output), device="cpu"))).all()
    return ""


def check_mean(one: Mapping[str, Any], two: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Every tensor of floating-point numbers is the mean of both models'."""
    assert made.keys() == one.keys()
    for name, array in made.items():
        if array.dtype.kind == "f":
            expected = (one[name].astype(np.float64) + two[name]) / 2
            np.testing.assert_allclose(array, expected, atol=1e-6, err_msg=name)
