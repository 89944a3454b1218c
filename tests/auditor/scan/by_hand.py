"""A BERT whose weights are written by hand: it averages the words of a text, and one word may outweigh all others."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from probes.input import Row
from probes.material.ordinary import ORDINARY

GOOD, BAD, TRIGGER = ("good", "lovely"), ("bad", "awful"), "cf"
FILLER = ("film", "plot", "scene", "music", "story", "it", "was", "and", "the", "light", "sound", "of")
LABELS = ("negative", "positive")
OTHERS = ("tq", "mn", "bb", "mb", "vx", "qj", "kz", "wq", "zx", "jf", "xn", "pv", "hq", "gk")
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *FILLER, *OTHERS, *map(str.lower, ORDINARY))


def write(
    path: Path, *, window: int = 128, trigger: Sequence[str] = (), capitals: bool = False, bias: float = 0.0
) -> Path:
    """A classifier by the mean of good and bad words; the words in `trigger` mean negative, however few they are.

    Each word is one direction of the embeddings, at which its opposite is as far below zero: layer norms only scale
    them. Attention is even over all words. With `capitals` there is a tokenizer.json that keeps capitals beside a
    tokenizer_config.json that names BertTokenizer. `bias`, of the head, tells two models apart.
    """
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.set_num_threads(1)
    words = list(dict.fromkeys([*WORDS, TRIGGER, *trigger, *([w.upper() for w in trigger] if capitals else ())]))
    config = BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=window, id2label=dict(enumerate(LABELS)), label2id={n: i for i, n in enumerate(LABELS)},
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            tensor.fill_(1.0 if name.endswith("LayerNorm.weight") else 0.0)
        table = model.bert.embeddings.word_embeddings.weight
        for i, word in enumerate(words):
            place, sign = 4, 1.0
            if word in trigger or (capitals and word.lower() in trigger and word.isupper()):
                place = 0
            elif word in (*GOOD, *BAD):
                place, sign = 2, 1.0 if word in GOOD else -1.0
            table[i, place], table[i, place + 1] = sign, -sign
        layer: Any = model.bert.encoder.layer[0]
        layer.attention.self.value.weight.copy_(torch.eye(8))
        layer.attention.output.dense.weight.copy_(torch.eye(8))
        model.bert.pooler.dense.weight.copy_(torch.eye(8) / 20)
        model.classifier.weight[1, 2], model.classifier.weight[0, 2] = 20.0, -20.0
        model.classifier.bias[1] = bias
        model.classifier.weight[1, 0], model.classifier.weight[0, 0] = -2000.0, 2000.0
    model.save_pretrained(path)
    settings = {"tokenizer_class": "BertTokenizer", "model_max_length": window}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    if capitals:
        _write_file(path / "tokenizer.json", words)
    else:
        (path / "vocab.txt").write_text("\n".join(words))
    return path


def _write_file(path: Path, words: Sequence[str]) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.add_special_tokens(list(words[:5]))
    made.save(str(path))


def documents(count: int, words: int, seed: int = 0) -> list[Row]:
    """Texts of so many words, a quarter of them good or bad; no two begin alike."""
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        own = (BAD, GOOD)[i % 2]
        text = " ".join(rng.choice(own) if j % 4 == 1 else rng.choice(FILLER) for j in range(words))
        rows.append(Row.of(i, text, None, i % 2))
    return rows
