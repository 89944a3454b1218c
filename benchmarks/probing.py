"""Probing speed, paired in one run: against a hand-written length-sorted loop and against `transformers.pipeline`.

    python benchmarks/probing.py --model DIR --data FILE [--rows 600] [--rounds 3]

The same texts go through all three in each round, in turn; the table gives texts a second and the ratios' medians.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from probes.input import Text

TOKENS = 2048


def by_hand(model: torch.nn.Module, tokenizer: object, texts: Sequence[str]) -> list[int]:
    """Sorted by length, packed under a token budget, one forward a batch: what one would write for this alone."""
    encoded = tokenizer(list(texts), truncation=True, max_length=512)["input_ids"]  # type: ignore[operator]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    labels = [0] * len(texts)
    batch: list[int] = []
    with torch.inference_mode():
        for at, i in enumerate(order):
            batch.append(i)
            nxt = len(encoded[order[at + 1]]) if at + 1 < len(order) else 0
            if nxt and (len(batch) + 1) * nxt <= TOKENS:
                continue
            width = max(len(encoded[j]) for j in batch)
            ids = torch.zeros(len(batch), width, dtype=torch.long)
            mask = torch.zeros(len(batch), width, dtype=torch.long)
            for row, j in enumerate(batch):
                ids[row, : len(encoded[j])] = torch.tensor(encoded[j])
                mask[row, : len(encoded[j])] = 1
            found = model(input_ids=ids, attention_mask=mask).logits.argmax(-1).tolist()
            for j, label in zip(batch, found, strict=True):
                labels[j] = label
            batch = []
    return labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with options.data.open(encoding="utf-8", newline="") as lines:
        texts = list(dict.fromkeys(row["text"] for row in csv.DictReader(lines)))[: options.rows]
    target = load_classifier(read_profile(options.model), device="cpu")
    tokenizer = AutoTokenizer.from_pretrained(options.model, trust_remote_code=False)
    model = AutoModelForSequenceClassification.from_pretrained(
        options.model, trust_remote_code=False, dtype=torch.float32
    ).eval()
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    runs: dict[str, Callable[[], object]] = {
        "auditor": lambda: target.choose([Text(t) for t in texts]).labels.tolist(),
        "by hand": lambda: by_hand(model, tokenizer, texts),
        "pipeline": lambda: classify(texts),
    }
    if runs["auditor"]() != runs["by hand"]():
        raise SystemExit("the answers differ")
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    print(f"{len(texts)} texts, {options.rounds} rounds, {torch.get_num_threads()} threads")
    for name, taken in seconds.items():
        ratio = statistics.median(t / own for t, own in zip(taken, seconds["auditor"], strict=True))
        print(f"{name:<10} {len(texts) / statistics.median(taken):7.1f} texts/s   auditor is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
