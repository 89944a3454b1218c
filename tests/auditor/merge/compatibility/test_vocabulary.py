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

from auditor.merge.tensors.vocabulary import Vocabularies
from auditor.models.files.profile import read_profile
from store.records import Profile

LETTERS = [c for c in string.ascii_letters + string.digits + ".,?!<>/_'-" if c not in "st"]
PIECES = ["▁the", "▁film", "▁was", "▁good", "▁a", "▁dull", "▁play", "▁", "ing", "s", "t"]
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "film",
    "was",
    "good",
    "a",
    "dull",
    "play",
    "##ing",
    "##s",
]


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
    single = [*LETTERS, "s", "t", "▁", *(f"<0x{n:02X}>" for n in range(256))]
    return {"vocab": numbered(*special, *single, *("".join(m) for m in merges)), "merges": merges}


TOKENIZERS: dict[str, tuple[str, str, Callable[[], dict[str, Any]]]] = {
    "bert": ("bert", "BertTokenizer", lambda: {"vocab": numbered(*WORDS)}),
    "mpnet": ("mpnet", "MPNetTokenizer", lambda: {
        "vocab": numbered("<s>", "<pad>", "</s>", *WORDS[5:], "[UNK]", "<mask>")}),
    "xlm-r": ("xlm-roberta", "XLMRobertaTokenizer", lambda: {
        "vocab": unigram("<s>", "<pad>", "</s>", "<unk>", last="<mask>")}),
    "camembert": ("camembert", "CamembertTokenizer", lambda: {
        "vocab": unigram("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>", last="<mask>")}),
    "t5": ("t5", "T5Tokenizer", lambda: {"vocab": unigram("<pad>", "</s>", "<unk>"), "extra_ids": 3}),
    "albert": ("albert", "AlbertTokenizer", lambda: {"vocab": unigram("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")}),
    "deberta": ("deberta-v2", "DebertaV2Tokenizer", lambda: {
        "vocab": unigram("[PAD]", "[CLS]", "[SEP]", "[UNK]", last="[MASK]")}),
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
    """Files as transformers 4 wrote them: added tokens in the config, and the special ones in a file of their own."""
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
    transformers.AutoTokenizer.from_pretrained(tmp_path / "old", trust_remote_code=False).save_pretrained(
        tmp_path / "new"
    )
    new = profile(tmp_path / "new", kind)
    assert old.tokenizer_digest != new.tokenizer_digest
    by = Vocabularies()
    for one, other in ((old, new), (new, old)):
        assert by.shared(one, other) == by.shared(one, one)


def saved(tmp_path: Path, name: str, label: str, **changes: Any) -> Path:
    import transformers

    _, cls, parts = TOKENIZERS[name]
    getattr(transformers, cls)(**{**parts(), **changes}).save_pretrained(tmp_path / label)
    return tmp_path / label


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def other_class(directory: Path) -> None:
    """The file is cased; the class of BERT lower-cases whatever the file says, the plain one does as the file says."""
    edit(directory / "tokenizer.json", lambda c: c.update(normalizer=None))
    edit(directory / "tokenizer_config.json", lambda c: c.update(tokenizer_class="PreTrainedTokenizerFast"))


def first_merge_last(content: dict[str, Any]) -> None:
    merges = content["model"]["merges"]
    # The pairs stay, and so does the vocabulary: another one comes first.
    merges.insert(4, merges.pop(0))


END = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
ENDING = {
    "type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 0}}, END],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}},
}
DIFFERENT: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "case": (
        "bert",
        lambda d: edit(d / "tokenizer_config.json", lambda c: c.update(do_lower_case=False)),
        "'The Film was GOOD' has other token ids",
    ),
    "class": ("bert", other_class, "has other token ids"),
    "swapped": (
        "bert",
        lambda d: edit(d / "tokenizer.json", lambda c: c["model"]["vocab"].update(good=11, play=8)),
        "token 8 is 'play' there and 'good' in the suspect",
    ),
    "types": (
        "bert",
        lambda d: edit(d / "tokenizer_config.json", lambda c: c.update(model_input_names=["input_ids"])),
        "pair of texts",
    ),
    "scores": (
        "xlm-r",
        lambda d: edit(d / "tokenizer.json", lambda c: c["model"]["vocab"][4].__setitem__(1, -1.001)),
        "scores by which it cuts words",
    ),
    "merges": ("roberta", lambda d: edit(d / "tokenizer.json", first_merge_last), "token ids|merges"),
    "end": (
        "gpt2",
        lambda d: edit(d / "tokenizer.json", lambda c: c.update(post_processor=ENDING)),
        "has other token ids",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_makes_other_ids_is_another_tokenizer(tmp_path: Path, case: str) -> None:
    import re

    name, change, words = DIFFERENT[case]
    kind = TOKENIZERS[name][0]
    if case == "class":
        ours = saved(tmp_path, name, "ours")
        edit(ours / "tokenizer.json", lambda c: c.update(normalizer=None))
    else:
        ours = saved(tmp_path, name, "ours")
    shutil.copytree(ours, tmp_path / "theirs")
    change(tmp_path / "theirs")
    one, other = profile(ours, kind), profile(tmp_path / "theirs", kind)
    assert one.tokenizer_digest != other.tokenizer_digest
    why = Vocabularies().shared(one, other).why
    assert why is not None
    assert why.startswith("has another tokenizer than the suspect ours: ")
    assert re.search(words, why), why


def test_a_digest_of_an_older_rule_says_nothing(tmp_path: Path) -> None:
    """An older catalog has one digest for two folders that differ in the tokenizer's class alone."""
    ours = saved(tmp_path, "bert", "ours")
    edit(ours / "tokenizer.json", lambda c: c.update(normalizer=None))
    shutil.copytree(ours, tmp_path / "theirs")
    other_class(tmp_path / "theirs")
    one, other = (
        dataclasses.replace(profile(d, "bert"), tokenizer_digest="70ce" * 16) for d in (ours, tmp_path / "theirs")
    )
    assert Vocabularies().shared(one, other).why is not None
    shutil.copytree(ours, tmp_path / "copy")
    same = dataclasses.replace(profile(tmp_path / "copy", "bert"), tokenizer_digest="70ce" * 16)
    assert Vocabularies(load=False).shared(profile(ours, "bert"), same) == Vocabularies().shared(one, one)


def test_the_class_that_only_the_model_states_counts(tmp_path: Path) -> None:
    ours = saved(tmp_path, "bert", "ours")
    edit(ours / "tokenizer.json", lambda c: c.update(normalizer=None))
    edit(ours / "tokenizer_config.json", lambda c: c.pop("tokenizer_class"))
    shutil.copytree(ours, tmp_path / "theirs")
    one = profile(ours, "bert")
    profile(tmp_path / "theirs", "bert")
    edit(tmp_path / "theirs" / "config.json", lambda c: c.update(tokenizer_class="PreTrainedTokenizerFast"))
    assert Vocabularies().shared(one, profile(tmp_path / "theirs", "bert")).why is not None


def added(directory: Path, output: Path, *tokens: str) -> Path:
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    found.add_tokens(list(tokens))
    found.save_pretrained(output)
    return output


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-r"])
def test_added_tokens_are_told_by_name(tmp_path: Path, name: str) -> None:
    kind = TOKENIZERS[name][0]
    plain = profile(saved(tmp_path, name, "plain"), kind)
    first, more, turned, else_ = (
        profile(added(Path(plain.ref.path), tmp_path / label, *tokens), kind)
        for label, tokens in (("a", ("<x>",)), ("ab", ("<x>", "<y>")), ("ba", ("<y>", "<x>")), ("c", ("<z>",)))
    )
    size = len(json.loads((Path(plain.ref.path) / "tokenizer.json").read_text())["model"]["vocab"])
    by = Vocabularies()
    # What only one of the two adds is kept as the suspect has it; all ids before it mean the same.
    assert by.shared(plain, first).tokens == by.shared(first, plain).tokens == size
    assert by.shared(first, more).tokens == by.shared(more, first).tokens == size + 1
    for one, other in ((more, turned), (first, else_), (first, turned)):
        assert f"token {size} is" in (by.shared(one, other).why or "")


def test_added_tokens_beside_another_way_of_cutting_are_no_extension(tmp_path: Path) -> None:
    """A vocabulary that only has tokens added, of a tokenizer that does not lower-case, is another function."""
    plain = saved(tmp_path, "bert", "plain")
    cased = saved(tmp_path, "bert", "cased", do_lower_case=False)
    one, other = profile(plain, "bert"), profile(added(cased, tmp_path / "more", "<x>"), "bert")
    assert "has other token ids" in (Vocabularies().shared(one, other).why or "")
