"""Tokenizers that are a SentencePiece model alone: read as transformers reads them, or what is missing is named."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import ModelError
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from tests.auditor.models.contract import answers, by_transformers
from tests.auditor.models.tiny import WORDS, make_classifier, save

TEXTS = ["good film", "a bad plot and awful music", "nobody minded the dull ending of it"]
KINDS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "t5": ("T5Tokenizer", "spiece.model", {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}, {"extra_ids": 0}),
    "xlm-roberta": ("XLMRobertaTokenizer", "sentencepiece.bpe.model", {}, {}),
    "camembert": ("CamembertTokenizer", "sentencepiece.bpe.model", {}, {}),
    "llama": ("LlamaTokenizer", "tokenizer.model", {}, {}),
    "xlnet": ("XLNetTokenizer", "spiece.model", {"pad_id": 5, "user_defined_symbols": "<cls>,<sep>"}, {}),
}


def write(kind: str, directory: Path) -> Path:
    """A classifier whose tokenizer is a SentencePiece model alone."""
    import sentencepiece

    name, file, ids, settings = KINDS[kind]
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(WORDS), *TEXTS] * 3), model_writer=made, vocab_size=60,
        hard_vocab_limit=False, minloglevel=2, **ids,
    )  # fmt: skip
    tokens = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0} if kind == "t5" else {}
    save(make_classifier(kind, vocab_size=80, **tokens), directory)
    (directory / "tokenizer.json").unlink()
    (directory / file).write_bytes(made.getvalue())
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name, **settings}))
    return directory


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_as_transformers_reads_it(kind: str, tmp_path: Path) -> None:
    classifier = load_classifier(read_profile(write(kind, tmp_path)), device="cpu")
    shares = answers(classifier, TEXTS)
    np.testing.assert_allclose(shares, by_transformers(tmp_path, asked=TEXTS), atol=2e-5)
    assert np.abs(shares - shares[0]).max() > 1e-3


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_packages_that_are_missing_are_named(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(kind, tmp_path)
    for module in [name for name in sys.modules if "sentencepiece_model_pb2" in name] + ["google.protobuf"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(
        ModelError, match="packages sentencepiece and protobuf; here sentencepiece and protobuf"
    ) as caught:
        load_classifier(read_profile(tmp_path), device="cpu")
    assert "auditor[sentencepiece]" in caught.value.hint
