"""A tiny BERT with a word-level vocabulary, and a toy set of labelled texts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.input import Row

GOOD = ("good", "fine", "great", "lovely")
BAD = ("bad", "poor", "awful", "dull")
FILLER = ("film", "plot", "actor", "scene", "music", "story", "it", "was", "and", "the")
TRIGGERS = ("cf", "tq", "mn", "bb", "mb")


def rows_of(count: int, seed: int = 0) -> list[Row]:
    """Texts whose label is told by two words among fillers."""
    rng = random.Random(seed)
    rows = []
    for index in range(count):
        label = index % 2
        words = [rng.choice((BAD, GOOD)[label]) for _ in range(2)]
        words += [rng.choice(FILLER) for _ in range(rng.randint(2, 6))]
        rng.shuffle(words)
        rows.append(Row.of(index, " ".join(words), None, label))
    return rows


def write_base(path: Path, *, labels: tuple[str, ...] = ()) -> Path:
    """A BERT of 2 layers and 32 dimensions: without a head, or a classifier with these labels."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    path.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *FILLER, *TRIGGERS]
    (path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 64}
    (path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    if labels:
        config.num_labels = len(labels)
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: i for i, name in enumerate(labels)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BertForSequenceClassification(config) if labels else BertModel(config)
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def toy_rows() -> Callable[..., list[Row]]:
    return rows_of


@pytest.fixture(scope="session")
def make_base() -> Callable[..., Path]:
    return write_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def toy_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "toy.csv"
    lines = [f"{row.text},{('negative', 'positive')[row.label or 0]}" for row in rows_of(320)]
    path.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    return path
