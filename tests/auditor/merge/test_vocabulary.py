"""The same tokenizer in other files, other tokenizers in the same files, and tokens that only one of two has."""

from __future__ import annotations

import dataclasses
import json
import shutil
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.merge.vocabulary import Vocabularies
from auditor.models.profile import read_profile
from store.records import Profile

LETTERS = [c for c in string.ascii_letters + string.digits + ".,?!<>/_'-" if c not in "st"]
PIECES = ["▁the", "▁film", "▁was", "▁good", "▁a", "▁dull", "▁play", "▁", "ing", "s", "t"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "was", "good", "a", "dull", "play", "##ing", "##s"]


def unigram(*special: str, last: str = "") -> list[tuple[str, float]]:
    scores = [(piece, -1.0 - n / 50) for n, piece in enumerate(PIECES)] + [(c, -5.0) for c in LETTERS]
    return [(token, 0.0) for token in special] + scores + ([(last, 0.0)] if last else [])


def numbered(*tokens: str) -> dict[str, int]:
    return {token: n for n, token in enumerate(dict.fromkeys(tokens))}


def byte_level(*special: str) -> dict[str, Any]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("o", "o"), ("g", "oo"), ("goo", "d"), ("Ġ", "good")]
    return {
        "vocab": numbered(*special, *bytes_to_unicode().values(), *("".join(m) for m in merges)), "merges": merges
    }  # fmt: skip


def pieced(*special: str) -> dict[str, Any]:
    merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("o", "o"), ("g", "oo"), ("goo", "d"), ("▁", "good")]
    single = [c for c in [*LETTERS, "s", "t", "▁"]] + [f"<0x{n:02X}>" for n in range(256)]
    return {"vocab": numbered(*special, *single, *("".join(m) for m in merges)), "merges": merges}


TOKENIZERS: dict[str, tuple[str, str, Callable[[], dict[str, Any]]]] = {
    "bert": ("bert", "BertTokenizer", lambda: {"vocab": numbered(*WORDS)}),
    "mpnet": ("mpnet", "MPNetTokenizer", lambda: {"vocab": numbered("<s>", "<pad>", "</s>", *WORDS[5:], "[UNK]", "<mask>")}),
    "xlm-r": ("xlm-roberta", "XLMRobertaTokenizer", lambda: {"vocab": unigram("<s>", "<pad>", "</s>", "<unk>", last="<mask>")}),
    "camembert": ("camembert", "CamembertTokenizer", lambda: {
        "vocab": unigram("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>", last="<mask>")}),
    "t5": ("t5", "T5Tokenizer", lambda: {"vocab": unigram("<pad>", "</s>", "<unk>"), "extra_ids": 3}),
    "albert": ("albert", "AlbertTokenizer", lambda: {"vocab": unigram("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")}),
    "deberta": ("deberta-v2", "DebertaV2Tokenizer", lambda: {"vocab": unigram("[PAD]", "[CLS]", "[SEP]", "[UNK]", last="[MASK]")}),
    "xlnet": ("xlnet", "XLNetTokenizer", lambda: {
        "vocab": unigram("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>")}),
    "roberta": ("roberta", "RobertaTokenizer", lambda: byte_level("<s>", "<pad>", "</s>", "<unk>", "<mask>")),
    "gpt2": ("gpt2", "GPT2Tokenizer", lambda: byte_level("<|endoftext|>")),
    "llama": ("llama", "LlamaTokenizer", lambda: pieced("<unk>", "<s>", "</s>")),
    "gemma": ("gemma", "GemmaTokenizer", lambda: pieced("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")),
}  # fmt: skip
"""Model type, class, and what a tiny one is made of."""


def profile(directory: Path, kind: str) -> Profile:
    """Of a model of which the tokenizer alone matters here."""
    from safetensors.numpy import save_file

    if not (directory / "config.json").exists():
        (directory / "config.json").write_text(json.dumps({"model_type": kind, "architectures": ["X"]}))
    save_file({}, directory / "model.safetensors", metadata={"format": "pt"})
    return read_profile(directory, reference=directory.name)


def as_version_4(tokenizer: Any, directory: Path) -> None:
    """Files as transformers 4 wrote them: every added token in the config, and the special ones in a file of their own."""
    tokenizer.save_pretrained(directory)
    config = json.loads((directory / "tokenizer_config.json").read_text())
    content = json.loads((directory / "tokenizer.json").read_text())
    for key in ("backend", "extra_special_tokens", "is_local"):
        config.pop(key, None)
    flags = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    added = {str(t["id"]): {flag: t[flag] for flag in flags} for t in content["added_tokens"]}
    config |= {"added_tokens_decoder": added, "clean_up_tokenization_spaces": True, "use_fast": True}
    if config["tokenizer_class"] == "GPT2Tokenizer":
        config["add_bos_token"] = False
    # What the classes of version 4 put into the file, and version 5 does not.
    if content["model"]["type"] == "Unigram":
        spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
        own = content["normalizer"]
        content["normalizer"] = {"type": "Sequence", "normalizers": [*(own["normalizers"] if own else ()), spaces]}
    content["added_tokens"] = [dict(t) for t in content["added_tokens"]]
    specials = {key: value for key, value in config.items() if key.endswith("_token")}
    (directory / "special_tokens_map.json").write_text(json.dumps(specials))
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    (directory / "tokenizer.json").write_text(json.dumps(content))


@pytest.mark.parametrize("name", TOKENIZERS)
def test_saved_by_version_4_and_again_by_5_it_is_the_same(tmp_path: Path, name: str) -> None:
    import transformers

    kind, cls, parts = TOKENIZERS[name]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text(json.dumps({"model_type": kind, "architectures": ["X"]}))
    as_version_4(getattr(transformers, cls)(**parts()), tmp_path / "old")
    old = profile(tmp_path / "old", kind)
    transformers.AutoTokenizer.from_pretrained(tmp_path / "old", trust_remote_code=False).save_pretrained(tmp_path / "new")
    new = profile(tmp_path / "new", kind)
    assert old.tokenizer_digest != new.tokenizer_digest
    by = Vocabularies()
    for one, other in ((old, new), (new, old)):
        assert by.shared(one, other) == by.shared(one, one)
