"""An adapter on its base, profiled as one model; or refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import AuditorError, IncompatibleError, UsageError
from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import bare, is_adapter, speaks
from auditor.models.files.profile import read_profile
from store import codec
from store.records import Profile, Task
from tests.auditor.models.adapters import write_adapter, write_base, write_tokenizer


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("bases")
    made = {kind: write_base(place / kind, kind) for kind in ("llama", "bert", "body")}
    made["tied"] = write_base(place / "tied", tie_word_embeddings=True)
    return made


Combine = Callable[..., Profile]


@pytest.fixture
def combine(bases: dict[str, Path], tmp_path: Path) -> Combine:
    def make(kind: str = "llama", *modules: str, base: Path | None = None, **settings: Any) -> Profile:
        written = write_adapter(tmp_path / "adapter", bases[kind], modules or ("q_proj", "v_proj"), **settings)
        return on_base(read_profile(written, reference="mine"), read_profile(base or bases[kind], reference="theirs"))

    return make


def test_it_is_the_adapter_by_name_and_the_base_by_build(combine: Combine, bases: dict[str, Path]) -> None:
    found = combine()
    adapter, base = found.parts
    assert (found.ref.reference, found.ref.path) == ("mine", adapter.ref.path)
    assert found.ref.digest not in (adapter.ref.digest, base.ref.digest)
    assert (found.architecture, found.task, found.max_length) == ("LlamaForCausalLM", Task.GENERATION, 64)
    assert (found.vocabulary, found.dtype, found.base) == (base.vocabulary, "float32", "theirs")
    assert found.tokenizer_digest == base.tokenizer_digest
    assert speaks(found) is base
    assert set(found.files) == {f"adapter/{n}" for n in adapter.files} | {f"base/{n}" for n in base.files}
    assert not is_adapter(found)
    assert bare(found) is adapter
    (note,) = found.read.notes
    assert "rank 2 on q_proj (2), v_proj (2)" in note
    assert "stored as (F32)" in note
    assert codec.decode(Profile, json.loads(json.dumps(codec.encode(found)))) == found


def test_the_digest_covers_both(combine: Combine, bases: dict[str, Path], tmp_path: Path) -> None:
    first = combine()
    other = read_profile(write_base(tmp_path / "other", seed=1))
    changed = read_profile(write_adapter(tmp_path / "changed", bases["llama"], seed=1))
    found = {on_base(a, b).ref.digest for a in (first.parts[0], changed) for b in (first.parts[1], other)}
    assert len(found) == 4


def test_an_adapters_own_tokenizer_and_template_are_taken(bases: dict[str, Path], tmp_path: Path) -> None:
    place = write_adapter(tmp_path / "a", bases["llama"])
    write_tokenizer(place, chat_template="{{ messages[0].content }}")
    found = on_base(read_profile(place), read_profile(bases["llama"]))
    assert speaks(found) == found.parts[0]
    assert found.tokenizer_digest == found.parts[0].tokenizer_digest
    assert "Its tokenizer and chat template are those that lie beside the adapter." in found.read.notes


def test_a_config_beside_the_adapter_does_not_make_it_a_whole_model(bases: dict[str, Path], tmp_path: Path) -> None:
    place = write_adapter(tmp_path / "a", bases["llama"], head=("score", 2))
    (place / "config.json").write_text(json.dumps({"id2label": {"0": "no", "1": "yes"}}))
    found = on_base(read_profile(place), read_profile(bases["llama"]))
    assert (found.labels, found.read.labels_from) == (("no", "yes"), "the adapter's config.json (id2label)")


@pytest.mark.parametrize(
    ("kind", "head", "architecture"),
    [
        ("llama", ("score", 3), "LlamaForSequenceClassification"),
        ("bert", ("classifier", 2), "BertForSequenceClassification"),
        ("body", ("classifier", 4), "BertForSequenceClassification"),
    ],
)
def test_a_classifiers_adapter_makes_a_classifier(
    combine: Combine, kind: str, head: tuple[str, int], architecture: str
) -> None:
    found = combine(kind, "query" if kind != "llama" else "q_proj", head=head)
    assert (found.architecture, found.task) == (architecture, Task.CLASSIFICATION)
    assert found.labels == tuple(f"LABEL_{i}" for i in range(head[1]))
    assert f"{head[0]}.weight" in {t.name for t in found.tensors}
    assert "lm_head.weight" not in {t.name for t in found.tensors}


EMBEDDINGS = "base_model.model.model.embed_tokens.weight"
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "another width": ({"base": {"hidden_size": 32}}, "changes model.layers.0.self_attn.q_proj", "trained on"),
    "fewer layers": ({"base": {"num_hidden_layers": 1}}, "which the base has not", "trained on"),
    "resized": ({"more": {EMBEDDINGS: (40, 16)}}, r"with 40 rows \(tokens\); in the base it has 32", "resize_token"),
    "rows beyond": (
        {
            "more": {"base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": (1, 16)},
            "trainable_token_indices": [99],
        },
        "up to 99",
        "resize_token",
    ),
    "a stray": ({"more": {"base_model.model.model.extra.weight": (2, 2)}}, "has no place", "trained on"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_does_not_fit_its_base_is_refused(combine: Combine, tmp_path: Path, case: str) -> None:
    import torch

    settings, message, hint = REFUSED[case]
    settings = dict(settings)
    if shapes := settings.pop("base", None):
        settings["base"] = write_base(tmp_path / "base", **shapes)
    settings["more"] = {name: torch.ones(shape) for name, shape in settings.pop("more", {}).items()}
    with pytest.raises(IncompatibleError, match=message) as caught:
        combine(**settings)
    assert hint in caught.value.hint


def test_tied_embeddings_that_would_come_apart_are_refused(combine: Combine) -> None:
    import torch

    with pytest.raises(IncompatibleError, match="other values than what it is tied to") as caught:
        combine("tied", more={EMBEDDINGS: torch.ones(32, 16)})
    assert "ensure_weight_tying" in caught.value.hint


def test_a_classifiers_adapter_without_its_classifier_is_refused(combine: Combine) -> None:
    with pytest.raises(IncompatibleError, match="holds no classifier"):
        combine(task_type="SEQ_CLS")


def test_a_writers_adapter_on_a_classifier_is_refused(combine: Combine) -> None:
    with pytest.raises(IncompatibleError, match="task CAUSAL_LM, and the base theirs a BertForSeq"):
        combine("bert", "query")


def test_an_adapter_is_no_base(combine: Combine) -> None:
    found = combine()
    for base in found, found.parts[0]:
        with pytest.raises(UsageError, match="is an adapter itself"):
            on_base(found.parts[0], base)


@pytest.mark.parametrize("init", ["pissa", "olora", "corda", "loftq", "lora_ga"])
def test_beginnings_that_change_the_base_are_refused(combine: Combine, init: str) -> None:
    with pytest.raises(AuditorError, match="(?i)" + init):
        combine(init_lora_weights=init)
