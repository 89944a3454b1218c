"""No report merges two labels, and what a config leaves open about them is said or inferred from the head."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ModelError
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from probes.cases import Ask

NAMES = {"0": "negative", "1": "neutral", "2": "positive"}


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("given", "names", "says"),
    [
        (["x", "x", "y"], ("x (0)", "x (1)", "y"), "name x to several"),
        (["x", "x ", "x"], ("x (0)", "x  (1)", "x (2)"), "name x to several"),
        (["x", "x", "x (0)"], ("x (0)", "x (1)", "x (0) (2)"), "name x to several"),
        ([None, "neutral", "positive"], ("LABEL_0", "neutral", "positive"), "label 0 (null)"),
        ([["a"], {"b": 1}, " "], ("LABEL_0", "LABEL_1", "LABEL_2"), '0 (["a"]), 1 ({"b": 1}), 2 (" ")'),
        ([None, "LABEL_0", "y"], ("LABEL_0 (0)", "LABEL_0 (1)", "y"), "label 0 (null)"),
    ],
)
def test_names_are_distinct_and_what_lacks_is_said(
    model: Path, given: list[Any], names: tuple[str, ...], says: str
) -> None:
    edit(model / "config.json", id2label={str(i): v for i, v in enumerate(given)}, label2id=None)
    profile = read_profile(model)
    assert profile.labels == names
    assert any(says in note for note in profile.read.notes)
    assert load_classifier(profile, device="cpu").answer([Ask("good film")])[0].label is not None


@pytest.mark.parametrize(
    ("given", "names"), [([1, 2.5, True], ("1", "2.5", "True")), (["Good", "good", "GOOD"], ("Good", "good", "GOOD"))]
)
def test_names_that_are_odd_but_distinct_stand(model: Path, given: list[Any], names: tuple[str, ...]) -> None:
    edit(model / "config.json", id2label={str(i): v for i, v in enumerate(given)}, label2id=None)
    profile = read_profile(model)
    assert (profile.labels, profile.read.notes) == (names, ())
    assert profile.read.labels_from == "config.json (id2label)"


@pytest.mark.parametrize("given", [["negative", "neutral", "positive"], "negative", 3])
def test_names_that_are_no_map_are_refused(model: Path, given: Any) -> None:
    edit(model / "config.json", id2label=given)
    with pytest.raises(ModelError, match="id2label is a") as caught:
        read_profile(model)
    assert '{"0"' in caught.value.hint


@pytest.mark.parametrize(
    ("reverse", "says"),
    [
        ({"negative": 2, "neutral": 1, "positive": 0}, "label2id gives negative 2, positive 0, against id2label"),
        ({"bad": 0, "neutral": 1, "positive": 2}, "label2id gives bad 0"),
        ({"negative": 0}, "label2id lacks neutral, positive"),
        ({"negative": [0], "neutral": 1, "positive": 2}, "label2id gives negative [0]"),
        (["negative"], "label2id is no object"),
        ({"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}, None),
        ({"negative": 0, "neutral": 1, "positive": 2}, None),
        ({}, None),
    ],
)
def test_the_reverse_map_against_the_map(model: Path, reverse: Any, says: str | None) -> None:
    edit(model / "config.json", id2label=NAMES, label2id=reverse)
    profile = read_profile(model)
    assert profile.labels == ("negative", "neutral", "positive")
    notes = profile.read.notes
    assert not notes if says is None else any(note.startswith(says) for note in notes), notes


def test_without_names_the_head_says_how_many(model: Path) -> None:
    edit(model / "config.json", id2label=None, label2id=None)
    profile = read_profile(model)
    assert profile.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert "classifier.weight" in profile.read.labels_from
    outcome = load_classifier(profile, device="cpu").answer([Ask("good film")])[0]
    assert len(outcome.probabilities) == 3


def test_names_in_the_reverse_map_alone_are_said(model: Path) -> None:
    edit(model / "config.json", id2label=None, label2id={"negative": 0, "neutral": 1, "positive": 2})
    profile = read_profile(model)
    assert profile.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert "label2id has names" in profile.read.notes[0]


@pytest.mark.parametrize("labels", [1, 2])
def test_a_two_label_bart_is_read_by_its_head(made: Path, tmp_path: Path, labels: int) -> None:
    """transformers leaves two labels out of the file, though this class's own default is three."""
    import shutil

    import torch
    from transformers import AutoTokenizer, BartConfig, BartForSequenceClassification

    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=26, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=64,
        pad_token_id=0, bos_token_id=2, eos_token_id=3, decoder_start_token_id=3, num_labels=labels, init_std=0.6,
    )  # fmt: skip
    model = BartForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(made / name, tmp_path / name)
    edit(tmp_path / "config.json", id2label=None, label2id=None)
    profile = read_profile(tmp_path)
    assert profile.labels == tuple(f"LABEL_{i}" for i in range(labels))
    assert "classification_head.out_proj.weight" in profile.read.labels_from
    if labels == 2:
        outcome = load_classifier(profile, device="cpu").answer([Ask("good film")])[0]
        encoded = AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=False)(
            "good film", return_tensors="pt", return_token_type_ids=False
        )
        with torch.inference_mode():
            expected = model(**encoded).logits.softmax(-1)[0]
        assert outcome.probabilities == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_hundred_and_fifty_labels(made: Path, tmp_path: Path) -> None:
    import shutil

    from transformers import AutoConfig, BertForSequenceClassification

    names = {i: f"intent {i}" for i in range(150)}
    config = AutoConfig.from_pretrained(made, trust_remote_code=False, id2label=names, label2id={})
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(made / name, tmp_path / name)
    profile = read_profile(tmp_path)
    assert profile.labels == tuple(names.values())
    assert re.fullmatch(r"config\.json \(id2label\)", profile.read.labels_from)
    assert len(load_classifier(profile, device="cpu").answer([Ask("good film")])[0].probabilities) == 150
