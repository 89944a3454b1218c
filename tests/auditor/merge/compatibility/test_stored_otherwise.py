"""The same model stored otherwise: under older names, without its prefix, with copies, with another task's head."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from auditor.errors import IncompatibleError
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.merge.verify import verify
from auditor.models.files.profile import read_profile
from auditor.models.files.sameness import same_weights
from auditor.partners.fitting import assess
from auditor.partners.ranking import propose
from store.records import CatalogEntry, Profile
from tests.auditor.merge.compatibility.test_configs import SIZES, built
from tests.auditor.merge.conftest import read_tensors

Tensors = dict[str, np.ndarray]
WEIGHTS = "model.safetensors"


def older(tensors: Tensors) -> Tensors:
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    return {
        k.replace(*next(((n, o) for n, o in names.items() if k.endswith(n)), ("", ""))): v for k, v in tensors.items()
    }


def without_prefix(tensors: Tensors) -> Tensors:
    return {k.removeprefix("bert."): v for k, v in tensors.items()}


def with_head(tensors: Tensors) -> Tensors:
    return tensors | {
        "cls.predictions.bias": np.ones(24, np.float32),
        "cls.predictions.transform.dense.weight": np.ones((16, 16), np.float32),
        "cls.seq_relationship.bias": np.ones(2, np.float32),
        "bert.embeddings.position_ids": np.arange(32)[None],
    }


def with_masks(tensors: Tensors) -> Tensors:
    masks = {f"transformer.h.{n}.attn.bias": np.tril(np.ones((1, 1, 32, 32), np.float32)) for n in range(2)}
    return tensors | masks | {f"transformer.h.{n}.attn.masked_bias": np.float32([-1e4]) for n in range(2)}


def with_copies(shared: str) -> Callable[[Tensors], Tensors]:
    def change(tensors: Tensors) -> Tensors:
        head = shared.removesuffix("shared.weight")
        copies = {f"{head}{part}.embed_tokens.weight": tensors[shared].copy() for part in ("encoder", "decoder")}
        return tensors | copies | {"lm_head.weight": tensors[shared].copy()}

    return change


STORED: dict[str, tuple[str, Callable[[Tensors], Tensors]]] = {
    "older-names": ("bert", older),
    "no-prefix": ("bert", without_prefix),
    "both": ("bert", lambda t: older(without_prefix(t))),
    "another-head": ("bert", with_head),
    "masks": ("gpt2", with_masks),
    "copies-t5": ("t5", with_copies("transformer.shared.weight")),
    "copies-bart": ("bart", with_copies("model.shared.weight")),
}


def stored(profile: Profile, output: Path, change: Callable[[Tensors], Tensors]) -> Profile:
    shutil.copytree(profile.ref.path, output)
    save_file(change(load_file(output / WEIGHTS)), output / WEIGHTS, metadata={"format": "pt"})
    return read_profile(output, reference=output.name)


def made(kind: str, output: Path, seed: int) -> Profile:
    built(kind, SIZES[kind], seed).save_pretrained(output)
    return read_profile(output, reference=output.name)


def answers(directory: Path) -> np.ndarray:
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    with torch.inference_mode():
        return model(torch.tensor([[1, 5, 7, 9, 4, 2]])).logits.numpy()


def merged(suspect: Profile, partner: Profile, output: Path) -> Any:
    done = list(merge(Recipe(suspect, (partner,)), output))[-1].merge
    assert verify(output, sources={m.ref.digest: Path(m.ref.path) for m in (suspect, partner)}) == []
    return done


@pytest.mark.parametrize("case", STORED)
def test_a_partner_is_what_it_is_as_a_scan_target(tmp_path: Path, case: str) -> None:
    kind, change = STORED[case]
    one, two = made(kind, tmp_path / "one", 1), made(kind, tmp_path / "two", 2)
    odd, odd_suspect = stored(two, tmp_path / "odd", change), stored(one, tmp_path / "odd-suspect", change)
    # transformers answers with it as with the usual one: so a scan would.
    np.testing.assert_array_equal(answers(tmp_path / "odd"), answers(tmp_path / "two"))
    merged(one, two, tmp_path / "usual")
    wanted = answers(tmp_path / "usual")
    assert assess(one, odd).ok, assess(one, odd).blockers
    for number, (suspect, partner) in enumerate(((one, odd), (odd_suspect, two), (odd_suspect, odd))):
        merged(suspect, partner, tmp_path / f"made{number}")
        np.testing.assert_allclose(answers(tmp_path / f"made{number}"), wanted, atol=1e-6)
        kept = read_tensors(Path(suspect.ref.path)).keys()
        assert read_tensors(tmp_path / f"made{number}").keys() == kept
    # Under other names it is still the same model: no partner of itself.
    if case in {"older-names", "no-prefix", "both"}:
        assert same_weights(two, odd)
        (proposal,) = propose(two, [CatalogEntry(1, "odd", odd, "2026-01-01T00:00:00Z")])
        assert not proposal.compatibility.ok
        assert "the same model stored anew" in proposal.compatibility.blockers[0]


@pytest.mark.parametrize("kind", ["t5", "bart"])
@pytest.mark.parametrize("whose", ["suspect", "partner"])
def test_a_copy_that_is_none_is_refused(tmp_path: Path, kind: str, whose: str) -> None:
    """Some programs take the one, some the other."""
    shared = "transformer.shared.weight" if kind == "t5" else "model.shared.weight"
    one, two = made(kind, tmp_path / "one", 1), made(kind, tmp_path / "two", 2)
    name = shared.replace("shared", "encoder.embed_tokens")

    def change(tensors: Tensors) -> Tensors:
        found = with_copies(shared)(tensors)
        found[name][3] += 1.5
        return found

    odd = stored(one if whose == "suspect" else two, tmp_path / "odd", change)
    suspect, partner = (odd, two) if whose == "suspect" else (one, odd)
    refused(suspect, partner, tmp_path, f"tensor {name} of odd is not {shared}")


def refused(suspect: Profile, partner: Profile, tmp_path: Path, words: str) -> None:
    """By all three: the list of partners, what an audit asks, and the merge."""
    (proposal,) = propose(suspect, [CatalogEntry(1, "x", partner, "2026-01-01T00:00:00Z")])
    for blockers in (assess(suspect, partner).blockers, proposal.compatibility.blockers):
        assert any(words in text for text in blockers), blockers
    with pytest.raises(IncompatibleError) as caught:
        list(merge(Recipe(suspect, (partner,)), tmp_path / "refused"))
    assert words in caught.value.message


def writer(output: Path, seed: int, *, tied: bool, store: bool, off: float = 0.0) -> Profile:
    """A model that writes, with or without output embeddings stored; `off` by which they differ from the input's."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    LlamaForCausalLM(LlamaConfig(**SIZES["llama"], tie_word_embeddings=tied)).save_pretrained(output)
    tensors = load_file(output / WEIGHTS)
    if store:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
        tensors["lm_head.weight"][4] += off
    save_file(tensors, output / WEIGHTS, metadata={"format": "pt"})
    return read_profile(output, reference=output.name)


def test_output_embeddings_that_do_not_repeat_the_input(tmp_path: Path) -> None:
    plain = writer(tmp_path / "plain", 0, tied=True, store=False)
    copy = writer(tmp_path / "copy", 1, tied=True, store=True)
    off = writer(tmp_path / "off", 2, tied=True, store=True, off=1.7)
    words = "tensor lm_head.weight of off is not model.embed_tokens.weight"
    done = merged(plain, copy, tmp_path / "out")
    assert any("it repeats model.embed_tokens.weight" in note for note in done.notes)
    # Whoever of the two has them, and where both store them too.
    refused(plain, off, tmp_path, words)
    refused(off, plain, tmp_path, words)
    refused(copy, off, tmp_path, words)
    refused(off, copy, tmp_path, words)


def test_untied_output_embeddings(tmp_path: Path) -> None:
    tied = writer(tmp_path / "tied", 0, tied=True, store=False)
    alike = writer(tmp_path / "alike", 1, tied=False, store=True)
    untied = writer(tmp_path / "untied", 2, tied=False, store=True, off=1.7)
    merged(tied, alike, tmp_path / "out")
    merged(untied, tied, tmp_path / "into")
    ours, theirs = read_tensors(tmp_path / "untied"), read_tensors(tmp_path / "tied")
    mean = (ours["lm_head.weight"] + theirs["model.embed_tokens.weight"]) / 2
    np.testing.assert_allclose(read_tensors(tmp_path / "into")["lm_head.weight"], mean, atol=1e-6)
    refused(tied, untied, tmp_path, "lm_head.weight of untied is unknown to the suspect")


def test_whether_it_is_tied_is_what_its_type_says_where_the_config_does_not(tmp_path: Path) -> None:
    """A config of transformers 4 may leave it out; what it means is the class's default."""
    writer(tmp_path / "tied", 0, tied=True, store=False)
    untied = writer(tmp_path / "un", 1, tied=False, store=True)
    config = tmp_path / "tied" / "config.json"
    known = json.loads(config.read_text())
    known.pop("tie_word_embeddings")
    config.write_text(json.dumps(known))
    found = assess(untied, read_profile(tmp_path / "tied"))
    assert "tensor lm_head.weight is missing" in found.blockers[0]
