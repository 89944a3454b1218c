"""A profile says what a model is, and its digests change exactly with what can change behaviour."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ModelError, UsageError
from auditor.models.files.profile import read_profile, task_of
from store.records import Task


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_profile_of_a_classifier(made: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    profile = read_profile(made, reference="tiny", revision="abc")
    loaded = AutoModelForSequenceClassification.from_pretrained(made, trust_remote_code=False)
    assert profile.parameters == sum(p.numel() for p in loaded.parameters())
    assert (profile.ref.reference, profile.ref.revision, profile.ref.path) == ("tiny", "abc", str(made.resolve()))
    assert (profile.architecture, profile.model_type) == ("BertForSequenceClassification", "bert")
    assert (profile.task, profile.labels) == (Task.CLASSIFICATION, ("negative", "neutral", "positive"))
    assert (profile.dtype, profile.max_length, profile.vocabulary) == ("float32", 48, 26)
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(profile.files)


@pytest.mark.parametrize(
    "file",
    [
        "model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json",
        "vocab.txt", "chat_template.jinja", "additional_chat_templates/tool.jinja",
        "added_tokens.json", "special_tokens_map.json",
    ],
)  # fmt: skip
def test_digest_changes_with_every_behaviour_file(model: Path, file: str) -> None:
    before = read_profile(model)
    path = model / file
    if file == "model.safetensors":
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    elif path.exists():
        path.write_text(path.read_text() + "\n")
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    after = read_profile(model)
    assert after.ref.digest != before.ref.digest
    assert {n for n in after.files if after.files[n] != before.files.get(n)} == {file}


def test_digest_ignores_what_is_never_loaded(model: Path) -> None:
    before = read_profile(model)
    (model / "README.md").write_text("---\nlicense: mit\nbase_model: org/base\n---\n# Tiny\n")
    (model / "training_args.bin").write_bytes(b"x")
    (model / "notes.txt").write_text("x")
    (model / "handler.py").write_text("raise SystemExit")
    after = read_profile(model)
    assert after.ref.digest == before.ref.digest
    assert (after.base, after.licence) == ("org/base", "mit")


def test_tokenizer_digest_is_of_behaviour(made: Path, model: Path) -> None:
    before = read_profile(made)
    edit(model / "tokenizer_config.json", name_or_path="elsewhere", model_max_length=32, tokenize_chinese_chars=True)
    edit(model / "tokenizer.json", truncation={"max_length": 7, "strategy": "LongestFirst", "stride": 0})
    assert read_profile(model).tokenizer_digest == before.tokenizer_digest
    edit(model / "tokenizer_config.json", do_lower_case=False)
    cased = read_profile(model).tokenizer_digest
    tokenizer = json.loads((made / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["good"], vocabulary["bad"] = vocabulary["bad"], vocabulary["good"]
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    swapped = read_profile(model).tokenizer_digest
    assert len({before.tokenizer_digest, cased, swapped}) == 3


def test_a_tokenizer_saved_again_is_the_same(made: Path, model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made, trust_remote_code=False)
    tokenizer(["a very good film"], truncation=True, max_length=4, padding="max_length")
    tokenizer.save_pretrained(model)
    assert read_profile(model).tokenizer_digest == read_profile(made).tokenizer_digest


@pytest.mark.parametrize(
    ("config", "tokenizer", "length"),
    [
        ({"max_position_embeddings": 64}, {"model_max_length": 10**30}, 64),
        ({"max_position_embeddings": 64}, {"model_max_length": 1e30}, 64),
        (
            {"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1},
            {"model_max_length": 10**30},
            512,
        ),
        ({"max_position_embeddings": 514, "model_type": "bert"}, {"model_max_length": 512}, 512),
        ({"max_position_embeddings": None}, {"model_max_length": None}, 512),
        ({"max_position_embeddings": -1}, {"model_max_length": True}, 512),
        ({"max_position_embeddings": 64}, {"model_max_length": -1}, 64),
        ({"max_position_embeddings": 64}, {"model_max_length": 0}, 64),
        ({"max_position_embeddings": 514, "model_type": "roberta"}, {"model_max_length": 514}, 513),
        (
            {"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1},
            {"model_max_length": 514},
            512,
        ),
    ],
)
def test_max_length(model: Path, config: dict[str, Any], tokenizer: dict[str, Any], length: int) -> None:
    edit(model / "config.json", **config)
    edit(model / "tokenizer_config.json", **tokenizer)
    profile = read_profile(model)
    assert profile.max_length == profile.read.window == length


def test_what_states_the_window_is_said(model: Path) -> None:
    assert read_profile(model).read.window_from == "tokenizer_config.json (model_max_length)"
    edit(model / "tokenizer_config.json", model_max_length=10**30)
    assert read_profile(model).read.window_from == "config.json (max_position_embeddings)"
    edit(model / "config.json", model_type="roberta", pad_token_id=1)
    assert read_profile(model).read.window_from == "config.json (max_position_embeddings) less 2 for the padding"
    edit(model / "config.json", max_position_embeddings=None)
    assert "neither" in read_profile(model).read.window_from


def test_what_was_read_stands_in_the_profile(made: Path) -> None:
    read = read_profile(made).read
    assert (read.weights, read.labels_from, read.notes) == (("model.safetensors",), "config.json (id2label)", ())


def test_labels_follow_the_numbers_not_the_order(model: Path) -> None:
    edit(model / "config.json", id2label={str(i): f"l{i}" for i in (10, 2, 1, 0, 3, 4, 5, 6, 7, 8, 9)})
    assert read_profile(model).labels == tuple(f"l{i}" for i in range(11))
    for broken in ({"0": "a", "2": "b"}, {"x": "a"}):
        edit(model / "config.json", id2label=broken)
        with pytest.raises(ModelError, match="id2label"):
            read_profile(model)
    edit(model / "config.json", id2label=None)
    assert read_profile(model).labels == ("LABEL_0", "LABEL_1", "LABEL_2"), "as many as the head has rows"


def test_tasks() -> None:
    assert task_of("LlamaForCausalLM") is task_of("GPT2LMHeadModel") is Task.GENERATION
    assert task_of("RobertaForSequenceClassification") is Task.CLASSIFICATION
    assert task_of("BertModel") is task_of("BertForTokenClassification") is Task.OTHER


@pytest.mark.parametrize(
    "card", ["---\n: [\n---\n", "---\n- a\n---\n", "no front matter", "---\n!!python/name:os.system\n---\n"]
)
def test_an_odd_model_card_does_no_harm(model: Path, card: str) -> None:
    (model / "README.md").write_text(card)
    assert read_profile(model).licence is None


def test_paths_that_are_no_model(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no directory") as caught:
        read_profile(tmp_path / "nowhere")
    assert "config.json" in caught.value.hint
    with pytest.raises(UsageError, match="is a file"):
        read_profile(model / "model.safetensors")
    (model / "config.json").unlink()
    with pytest.raises(UsageError, match=r"no config\.json"):
        read_profile(model)
    (model / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    with pytest.raises(ModelError, match="adapter for org/base"):
        read_profile(model)


def test_the_place_of_a_model_below_is_named(made: Path, tmp_path: Path) -> None:
    def hint(path: Path) -> str:
        with pytest.raises(UsageError, match=r"no config\.json; .* below it") as caught:
            read_profile(path)
        return caught.value.hint

    repository = tmp_path / "hub" / "models--org--name"
    old, new = (repository / "snapshots" / commit for commit in ("0" * 40, "1" * 40))
    for snapshot in (old, new):
        shutil.copytree(made, snapshot)
    assert str(old) in hint(repository), "both, where the cache does not say which is current"
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("1" * 40)
    for place in (repository, repository.parent):
        assert hint(place) == f"Give {new}."
    assert str(old) in hint(repository / "snapshots")
    shutil.copytree(made, tmp_path / "run" / "final")
    assert hint(tmp_path / "run") == f"Give {tmp_path / 'run' / 'final'}."
    (tmp_path / "run" / "logs").mkdir()
    shutil.copytree(made, tmp_path / "run" / "checkpoint-500")
    assert "checkpoint-500" in hint(tmp_path / "run")


def test_a_snapshot_of_links_is_a_model(made: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for file in made.iterdir():
        (snapshot / file.name).symlink_to(file)
    assert read_profile(snapshot).ref.digest == read_profile(made).ref.digest
