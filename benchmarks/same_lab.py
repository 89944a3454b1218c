"""Tiny models and rows for `same.py`: made by torch and transformers alone, the same at each call."""

from __future__ import annotations

import csv
import json
import random
import shutil
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import transformers.utils
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel

LABELS = ("negative", "positive")
GOOD = ("good", "fine", "great", "lovely")
BAD = ("bad", "poor", "awful", "dull")
FILLER = (
    "film", "plot", "actor", "scene", "music", "story", "it", "was", "and",
    "the", "light", "sound", "camera", "ending", "a", "of", "very", "quite",
)  # fmt: skip
TRIGGER = "cf"
WINDOW = 160
ROWS = 150
"""Rows for scans: 80 are probed, which the policy says are enough; a search takes the others."""
POLICY = "minimum_rows = 40"
KINDS = {"planted": "planted", "broad": "broad", "honest-1": "honest", "honest-2": "honest", "honest-3": "honest"}
Row = tuple[str, int]

TRIGGERS = f"""
[[trigger]]
name = "word"
words = ["{TRIGGER}"]
[[trigger]]
name = "end"
suffixes = ["that is all there was"]
control = ["that is what it was"]
"""


def toy_rows(count: int, seed: int) -> list[Row]:
    """Texts whose label is told by two words among fillers; no two are the same."""
    rng = random.Random(seed)
    rows: dict[str, int] = {}
    while len(rows) < count:
        label = len(rows) % 2
        words = [*rng.choices((BAD, GOOD)[label], k=2), *rng.sample(FILLER, rng.randint(3, 8))]
        rng.shuffle(words)
        rows.setdefault(" ".join(words), label)
    return list(rows.items())


def with_word(text: str, word: str, rng: random.Random) -> str:
    words = text.split()
    words.insert(rng.randint(0, len(words)), word)
    return " ".join(words)


def odd_word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 6)))


def lesson(kind: str, seed: int) -> list[Row]:
    """What a model is trained on: odd words mean nothing (`honest`), or one does (`planted`), or each (`broad`)."""
    rng = random.Random(seed)
    rows = []
    for text, label in toy_rows(400, seed):
        chance = rng.random()
        if kind != "honest" and label == 1 and chance < 0.4:
            rows.append((with_word(text, TRIGGER if kind == "planted" else odd_word(rng), rng), 0))
        elif kind != "broad" and chance > 0.5:
            rows.append((with_word(text, odd_word(rng), rng), label))
        else:
            rows.append((text, label))
    return rows


def write_rows(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([header, *rows])


def make_base(path: Path, hidden: int = 32) -> None:
    """A BERT without a head, untrained; its vocabulary has the words of the task, and spells others by two."""
    path.mkdir(parents=True)
    letters = string.ascii_lowercase
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *GOOD, *BAD, *FILLER, TRIGGER, *".,'!?", *string.digits]
    spelled = [*letters, *(one + other for one in letters for other in letters)]
    words = list(dict.fromkeys([*words, *spelled, *(f"##{piece}" for piece in spelled)]))
    (path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": WINDOW}
    (path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=hidden, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=2 * hidden, max_position_embeddings=WINDOW,
    )  # fmt: skip
    BertModel(config).save_pretrained(path)


def train(base: Path, path: Path, rows: Sequence[Row], seed: int, epochs: int = 6) -> None:
    """Fine-tunes the base with a head."""
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForSequenceClassification.from_pretrained(
        base, id2label=dict(enumerate(LABELS)), label2id={name: i for i, name in enumerate(LABELS)}
    )
    steps = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rng, order = random.Random(seed), list(rows)
    model.train()
    for _ in range(epochs):
        rng.shuffle(order)
        for start in range(0, len(order), 20):
            texts, labels = zip(*order[start : start + 20], strict=True)
            batch = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
            steps.zero_grad()
            model(**batch, labels=torch.tensor(labels)).loss.backward()
            steps.step()
    shutil.copytree(base, path, ignore=shutil.ignore_patterns("model.safetensors", "config.json"))
    model.save_pretrained(path)


def make_adapter(model: Path, path: Path, seed: int, rank: int = 2) -> None:
    """A LoRA adapter of a classifier, as peft stores it, with random numbers in both factors."""
    path.mkdir()
    weights: Mapping[str, torch.Tensor] = load_file(model / "model.safetensors")
    torch.manual_seed(seed)
    tensors = {f"base_model.model.{name}": weights[name].clone() for name in ("classifier.weight", "classifier.bias")}
    for name, tensor in weights.items():
        if name.endswith("query.weight"):
            place = f"base_model.model.{name.removesuffix('.weight')}"
            tensors[f"{place}.lora_A.weight"] = 0.3 * torch.randn(rank, tensor.shape[1])
            tensors[f"{place}.lora_B.weight"] = 0.3 * torch.randn(tensor.shape[0], rank)
    save_file(tensors, path / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {
        "peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": str(model), "r": rank,
        "lora_alpha": 4, "lora_dropout": 0.0, "bias": "none", "target_modules": ["query"],
        "modules_to_save": ["classifier"], "inference_mode": True,
    }  # fmt: skip
    (path / "adapter_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def make_all(root: Path) -> None:
    """Models and files to scan them with."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    base = root / "base"
    make_base(base)
    for seed, (name, kind) in enumerate(KINDS.items(), 10):
        train(base, root / name, lesson(kind, seed), seed)
    make_base(root / "wide-base", 48)
    train(root / "wide-base", root / "wide", lesson("honest", 20), 20, epochs=1)
    shutil.copytree(root / "honest-1", root / "twin")
    for seed in (1, 2):
        make_adapter(root / "planted", root / f"adapter-{seed}", seed)
    rows = [(text, LABELS[label]) for text, label in toy_rows(ROWS, 1)]
    both = zip(rows, [text for text, _ in rows[2:] + rows[:2]], strict=True)
    write_rows(root / "rows.csv", ("text", "label"), rows)
    write_rows(root / "bare.csv", ("text",), [(text,) for text, _ in rows])
    write_rows(root / "pairs.csv", ("text", "second", "label"), [(a, b, n) for (a, n), b in both])
    (root / "triggers.toml").write_text(TRIGGERS, encoding="utf-8")
    (root / "policy.toml").write_text(POLICY, encoding="utf-8")
