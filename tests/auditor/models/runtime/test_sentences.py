"""Texts as vectors: a tiny encoder without a head, made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auditor.models.files.profile import read_profile
from auditor.models.runtime.sentences import Sentences
from tests.auditor.models.tiny import make_classifier, save


def test_a_text_is_the_mean_of_its_tokens_whatever_stands_beside_it(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    directory = save(make_classifier("bert").bert, tmp_path / "encoder")
    encoder = Sentences(read_profile(directory))
    before = torch.get_rng_state()
    texts = ["the film was good", "", "it is not the plot of a great film and nobody minded", "  "]
    found = encoder.vectors(texts)
    assert torch.equal(before, torch.get_rng_state())
    assert np.isnan(found[[1, 3]]).all()
    model = AutoModel.from_pretrained(directory, trust_remote_code=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    for place in (0, 2):
        with torch.inference_mode():
            states = model(**tokenizer(texts[place], return_tensors="pt")).last_hidden_state[0].mean(0)
        assert found[place] == pytest.approx((states / states.norm()).numpy(), abs=1e-5)
    assert encoder.vectors(texts[2:3])[0] == pytest.approx(found[2], abs=1e-5)
