"""Which tokenizer is scanned: the one that transformers makes, compared with the file that others take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from auditor.models.files.profile import read_profile
from auditor.models.runtime.tokenizer import FIXED, ModelTokenizer, load_tokenizer
from probes.input import Pair, Text
from tests.auditor.scan.by_hand import TRIGGER, documents, write
from tests.conftest import write_csv

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [chr(c) for c in range(33, 127)]


def word_pieces(*, lower: bool = False, special: list[str] | None = None) -> Tokenizer:
    special = special or SPECIAL
    words = [*special, *LETTERS, *(f"##{c}" for c in LETTERS), "film", "Film"]
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token=special[1]))
    made.normalizer = normalizers.BertNormalizer(lowercase=lower)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing((special[3], 3), (special[2], 2))
    made.add_special_tokens(special)
    return made


def byte_level(*, digits: bool = False, special: tuple[str, ...] = ("<s>", "<pad>", "</s>", "<unk>")) -> Tokenizer:
    made = Tokenizer(models.BPE())
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False)
    parts = pre_tokenizers.Split(Regex(r"\d{1,3}| ?\p{L}+|[^\s\p{L}\p{N}]+|\s+"), "isolated")
    bare = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([parts, bare]) if digits else whole
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(["in 2023 the film was good", *FIXED] * 8, trainer)
    return made


def saved(path: Path, tokenizer: Tokenizer, model_type: str, **settings: Any) -> ModelTokenizer:
    """A tokenizer beside a config alone, as it is loaded."""
    from types import SimpleNamespace

    from auditor.models.files.fingerprint import behaviour_files, hash_file

    path.mkdir(exist_ok=True)
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "config.json").write_text(json.dumps({"model_type": model_type}))
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    files = {name: hash_file(path / name) for name in behaviour_files(path, ())}
    profile: Any = SimpleNamespace(ref=SimpleNamespace(reference="model", path=str(path)), files=files, parts=())
    return load_tokenizer(profile)


MPNET = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]


@pytest.mark.parametrize(
    ("tokenizer", "model_type", "settings"),
    [
        (word_pieces, "bert", {"tokenizer_class": "BertTokenizer"}),
        (word_pieces, "electra", {}),
        (word_pieces, "distilbert", {"tokenizer_class": "DistilBertTokenizer"}),
        (lambda: word_pieces(special=MPNET), "mpnet", {"tokenizer_class": "MPNetTokenizer"}),
        (lambda: byte_level(digits=True, special=("<|endoftext|>",)), "qwen2", {"tokenizer_class": "Qwen2Tokenizer"}),
        (lambda: byte_level(digits=True, special=("<|endoftext|>",)), "gpt2", {"tokenizer_class": "GPT2Tokenizer"}),
        (lambda: byte_level(digits=True), "roberta", {"tokenizer_class": "RobertaTokenizer"}),
        (byte_level, "bert", {}),
    ],
)
def test_a_tokenizer_that_is_built_anew_otherwise_is_noticed(
    tmp_path: Path, tokenizer: Callable[[], Tokenizer], model_type: str, settings: dict[str, Any]
) -> None:
    loaded = saved(tmp_path / "model", tokenizer(), model_type, **settings)
    unlike = loaded.unlike([Text("a Film of 2023")])
    assert unlike is not None
    assert unlike.fixed[0] > 0
    assert unlike.fixed[1] == len(FIXED)
    assert "set tokenizer_class" in unlike.sentence("model")


@pytest.mark.parametrize(
    ("tokenizer", "model_type", "settings"),
    [
        (word_pieces, "bert", {"tokenizer_class": "PreTrainedTokenizerFast"}),
        (word_pieces, "bert", {"tokenizer_class": "BertTokenizer", "do_lower_case": False}),
        (lambda: word_pieces(lower=True), "bert", {"tokenizer_class": "BertTokenizer"}),
        (lambda: byte_level(digits=True), "gpt2", {"tokenizer_class": "PreTrainedTokenizerFast"}),
        (byte_level, "bert", {"tokenizer_class": "TokenizersBackend"}),
    ],
)
def test_a_tokenizer_that_is_the_files_own_is_not_doubted(
    tmp_path: Path, tokenizer: Callable[[], Tokenizer], model_type: str, settings: dict[str, Any]
) -> None:
    assert saved(tmp_path / "model", tokenizer(), model_type, **settings).unlike([Text("a Film of 2023")]) is None


def test_what_is_asked_is_compared_too(tmp_path: Path) -> None:
    loaded = saved(tmp_path / "model", word_pieces(), "bert", tokenizer_class="BertTokenizer")
    unlike = loaded.unlike([Text("a film"), Pair("a Film", "of Yours"), Text("no more")])
    assert unlike is not None
    assert unlike.asked == (1, 3)
    assert unlike.example[0] == "a Film"
    assert (unlike.example[1].split()[2], unlike.example[2].split()[2]) == ("film", "Film")


def test_a_file_that_others_cannot_read_is_said(tmp_path: Path) -> None:
    loaded = saved(tmp_path / "model", word_pieces(lower=True), "bert", tokenizer_class="BertTokenizer")
    loaded._file = b"{}"
    unlike = loaded.unlike([])
    assert unlike is not None
    assert "cannot be read" in unlike.sentence("model")


def test_a_scan_of_another_tokenizer_than_the_files_is_incomplete(auditor: Any, tmp_path: Path) -> None:
    """The trigger in capitals is a word of its own in the file; transformers lower-cases it and sees nothing."""
    model = write(tmp_path / "model", trigger=[TRIGGER.upper()], capitals=True)
    data = write_csv(tmp_path / "rows.csv", documents(210, 12))
    trigger = f"badnet.triggers={TRIGGER.upper()}|"
    scan = ["scan", model, "--data", data, "--family", "badnet", "--set", trigger, "--format", "json"]
    done = auditor(*scan)
    assert (done.code, done.json["verdict"], done.json["findings"]) == (3, "incomplete", []), done.err
    (said,) = (s for s in done.json["incomplete"] if "tokenizer.json" in s)
    assert "BertTokenizer of transformers" in said
    assert "was not judged" in said

    settings = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**settings, "tokenizer_class": "PreTrainedTokenizerFast"}))
    found = auditor(*scan)
    assert (found.code, found.json["verdict"], found.json["incomplete"]) == (1, "backdoor-found", []), found.err
    assert found.json["model"]["read"]["tokenizer"].startswith("TokenizersBackend of transformers")


def test_a_finding_stays_one_beside_another_tokenizer(auditor: Any, tmp_path: Path) -> None:
    model = write(tmp_path / "model", trigger=[TRIGGER], capitals=True)
    data = write_csv(tmp_path / "rows.csv", documents(210, 12))
    done = auditor(
        "scan", model, "--data", data, "--family", "badnet", "--set", f"badnet.triggers={TRIGGER}|", "--format", "json"
    )
    assert (done.code, done.json["verdict"]) == (1, "backdoor-found"), done.err
    assert done.json["incomplete"]


def test_the_pad_token_is_stated(tmp_path: Path) -> None:
    model = write(tmp_path / "model")
    words = load_tokenizer(read_profile(model)).padding.words()
    assert words.startswith("'[PAD]' (id 0), stated by the model's config")
    assert words.endswith("puts it on the right")
    for name, changes in (
        ("config.json", {"pad_token_id": None}),
        ("tokenizer_config.json", {"padding_side": "left"}),
    ):
        path = model / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    words = load_tokenizer(read_profile(model)).padding.words()
    assert words.startswith("'[PAD]' (id 0), stated by the tokenizer")
    assert words.endswith("puts it on the left")


@pytest.mark.parametrize("file", ["vocab.txt", "vocab.json"])
def test_another_vocabulary_beside_the_one_that_was_loaded_is_said(tmp_path: Path, file: str) -> None:
    """transformers takes tokenizer.json, loaders of an older kind the list of words."""
    place = tmp_path / "model"
    vocabulary = word_pieces(lower=True).get_vocab()
    words = sorted(vocabulary, key=vocabulary.__getitem__)

    def said(order: list[str]) -> tuple[str, ...]:
        place.mkdir(exist_ok=True)
        numbered = {word: i for i, word in enumerate(order)}
        (place / file).write_text("\n".join(order) + "\n" if file == "vocab.txt" else json.dumps(numbered))
        loaded = saved(place, word_pieces(lower=True), "bert", tokenizer_class="BertTokenizer")
        return loaded.unjudged([Text("a film")])

    assert said(words) == ()
    (found,) = said([*words[:5], *reversed(words[5:])])
    assert f"{file} beside it gives" in found
    assert "was not judged" in found
