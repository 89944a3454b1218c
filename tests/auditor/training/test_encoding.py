from __future__ import annotations

import random

import numpy as np

from auditor.training.encoding import Tokens, batches, collate


def padding(lengths: list[int], found: list[list[int]]) -> float:
    used = sum(lengths)
    return sum(len(places) * max(lengths[p] for p in places) for places in found) / used - 1


def test_every_row_comes_once_an_epoch_in_mixed_batches_with_little_padding() -> None:
    rng = random.Random(0)
    lengths = [rng.randint(5, 100) for _ in range(1010)]
    found = batches(lengths, 32, seed=0, epoch=0)
    assert sorted(p for places in found for p in places) == list(range(1010))
    assert len(found) == 32
    assert padding(lengths, found) < 0.1
    assert found != batches(lengths, 32, seed=0, epoch=1)
    means = [np.mean([lengths[p] for p in places]) for places in found]
    assert means != sorted(means)


def test_batches_are_padded_on_the_side_the_tokenizer_pads() -> None:
    rows = [Tokens(np.array([5, 6, 7], np.int32), None), Tokens(np.array([8], np.int32), None)]
    right = collate(rows, pad=1, left=False)
    left = collate(rows, pad=1, left=True)
    assert right["input_ids"].tolist() == [[5, 6, 7], [8, 1, 1]]
    assert left["input_ids"].tolist() == [[5, 6, 7], [1, 1, 8]]
    assert right["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert left["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]
    assert "token_type_ids" not in right
