"""A text's answer is its own: whatever shares its batch, on whichever side a tokenizer pads, whatever the pad token."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import ModelError
from auditor.models.files.profile import read_profile
from auditor.models.runtime.classifier import Classifier
from auditor.models.runtime.load import load_classifier
from auditor.models.runtime.packing import Packing
from probes.cases import Ask
from tests.auditor.models.contract import answers, by_transformers, check_batches, texts
from tests.auditor.models.tiny import EOS, make_classifier, save, write_tokenizer


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def load(directory: Path) -> Classifier:
    return load_classifier(read_profile(directory), device="cpu")


def edit(directory: Path, **changes: Any) -> None:
    """Changes config.json; a value of None takes the key out."""
    path = directory / "config.json"
    found = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))


def agree(directory: Path, asked: list[str] | None = None) -> Classifier:
    """Loads it, and holds it to transformers' own answers, in one batch and in others."""
    classifier = load(directory)
    shares = answers(classifier, asked)
    np.testing.assert_allclose(shares, by_transformers(directory, asked=asked), atol=2e-5)
    if asked is None:
        check_batches(classifier, shares)
    return classifier


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "t5", "llama"])
def test_a_tokenizer_that_pads_on_the_left(kind: str, tmp_path: Path) -> None:
    """Positions that are counted from the left, and a head that takes the first place, are shifted by it."""
    classifier = agree(save(make_classifier(kind), tmp_path, padding_side="left"))
    moved = kind != "llama"
    assert classifier.packing is (Packing.RIGHT if moved else Packing.LEFT)
    assert any("padded on the left changes" in note for note in classifier.notes) is moved


def test_a_head_that_takes_the_last_place_is_padded_on_the_left(tmp_path: Path) -> None:
    classifier = agree(save(make_classifier("xlnet"), tmp_path))
    assert classifier.packing is Packing.LEFT
    assert "padded on the right changes this model's answers" in classifier.notes[0]


@pytest.mark.parametrize("kind", ["fnet", "yoso", "nystromformer", "convbert", "mobilebert"])
def test_a_mask_that_is_not_exact_is_noticed_and_said(kind: str, tmp_path: Path) -> None:
    classifier = agree(save(make_classifier(kind), tmp_path))
    assert classifier.packing is Packing.EQUAL
    (note,) = classifier.notes
    assert "on 8 fixed texts" in note
    assert "only with texts of its own length" in note


def test_a_model_that_answers_at_random_is_held_fixed_and_said(tmp_path: Path) -> None:
    import torch

    directory = save(make_classifier("reformer"), tmp_path)
    classifier = load(directory)
    first = answers(classifier)
    torch.manual_seed(99)
    again = load(directory)
    check_batches(again, first)
    assert np.array_equal(answers(again), first)
    assert "draws random numbers" in classifier.notes[0]


def test_block_sparse_attention_is_the_same_after_a_short_text(tmp_path: Path) -> None:
    """BigBird turns its sparse attention off for good at the first text that is short."""
    classifier = load(save(make_classifier("big_bird"), tmp_path))
    long, short = texts()[-1], texts()[0]
    expected = by_transformers(tmp_path, asked=[long, short])
    for _ in range(2):
        np.testing.assert_allclose(answers(classifier, [long, short]), expected, atol=2e-5)
    assert np.abs(answers(classifier, [short]) - expected[1]).max() < 2e-5
    assert np.abs(answers(classifier, [long]) - expected[0]).max() < 2e-5
    assert "by blocks" in classifier.notes[0]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("stated", [None, -1, EOS])
@pytest.mark.parametrize("side", ["left", "right"])
def test_pad_tokens_that_are_none_or_the_end_of_text(kind: str, stated: int | None, side: str, tmp_path: Path) -> None:
    """A model that takes its last token finds it by the pad id: the answer must be that to the text alone."""
    save(make_classifier(kind, pad_token_id=None), tmp_path)
    edit(tmp_path, pad_token_id=stated)
    for ends in (True, False):
        write_tokenizer(tmp_path, ends=ends, pad_token="</s>", padding_side=side)
        classifier = agree(tmp_path)
        agree(tmp_path, ["good film </s>", "bad", "a very dull plot it was </s> </s>", "good film"])
        assert classifier.padding.startswith("'</s>' (id 2), stated by ")
        assert ("is no token" in classifier.padding) == (stated == -1)
        assert ("the model's config" in classifier.padding) == (stated == EOS)


def test_a_model_without_any_pad_token_takes_texts_of_one_length(tmp_path: Path) -> None:
    save(make_classifier("llama", pad_token_id=None), tmp_path, pad_token=None)
    edit(tmp_path, pad_token_id=None)
    classifier = agree(tmp_path)
    assert (classifier.packing, classifier.padding) == (Packing.EQUAL, "none, stated by nothing")


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_an_end_of_text_in_one_row_costs_no_other(kind: str, tmp_path: Path) -> None:
    """These take the state at the last end of text, and fail on a batch whose rows hold other numbers of it."""
    save(make_classifier(kind), tmp_path)
    asked = [*texts(), "a good </s> film", "</s>", "a </s> </s> good plot"]
    assert not agree(tmp_path, asked).notes


def test_a_row_that_the_model_fails_on_is_not_scored_and_the_others_are(tmp_path: Path) -> None:
    save(make_classifier("bert", max_position_embeddings=48), tmp_path)
    classifier = load_classifier(replace(read_profile(tmp_path), max_length=200), device="cpu")
    outcomes = classifier.answer([Ask(text) for text in texts()])
    assert [outcome.label is None for outcome in outcomes] == [False] * 6 + [True]
    shares = [outcome.probabilities for outcome in outcomes[:6]]
    np.testing.assert_allclose(shares, by_transformers(tmp_path, asked=texts()[:6]), atol=2e-5)
    assert classifier.notes[0].startswith("The model fails on some of the inputs")


@pytest.mark.parametrize(("kind", "key"), [("t5", "decoder_start_token_id"), ("xmod", "default_language")])
def test_a_missing_key_is_named(kind: str, key: str, tmp_path: Path) -> None:
    save(make_classifier(kind), tmp_path)
    edit(tmp_path, **{key: None})
    with pytest.raises(ModelError, match=f"config.json lacks {key}") as caught:
        load(tmp_path)
    assert key in caught.value.hint


def test_a_tokenizer_that_puts_no_end_of_text_is_named(tmp_path: Path) -> None:
    save(make_classifier("bart"), tmp_path, ends=False)
    with pytest.raises(ModelError, match="at least one <eos> token"):
        load(tmp_path)


def test_token_types_that_a_model_does_not_know_are_named(tmp_path: Path) -> None:
    """RoBERTa knows one type; a tokenizer of BERT's kind gives the second text of a pair another."""
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    save(make_classifier("roberta", type_vocab_size=1), tmp_path, model_input_names=inputs)
    classifier = agree(tmp_path)
    with pytest.raises(ModelError, match="token type 1, but the model knows only 1") as caught:
        classifier.answer([Ask("good", "film")])
    assert "model_input_names" in caught.value.hint


@pytest.mark.parametrize("kind", ["distilbert", "bart", "llama"])
def test_token_types_that_a_model_does_not_take_are_left_out(kind: str, tmp_path: Path) -> None:
    save(make_classifier(kind), tmp_path, model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    plain = answers(load(tmp_path))
    write_tokenizer(tmp_path)
    np.testing.assert_allclose(plain, by_transformers(tmp_path), atol=2e-5)
    assert load(tmp_path).answer([Ask("good", "film")])[0].label is not None
