"""What a model is given: its chat template, Alpaca's form, or the text; and templates that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ModelError
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_writer
from auditor.models.runtime.writing.writer import Writer
from probes.input import Chat, Generate, Message, Pair, Text
from tests.auditor.models.tiny import BOS
from tests.auditor.models.writers import TEMPLATE, make_language_model, save_writer


@pytest.fixture(scope="module")
def model() -> Any:
    return make_language_model("llama")


def opened(model: Any, directory: Path, template: str | None = TEMPLATE, *, asked: str = "model") -> Writer:
    save_writer(model, directory, template=template)
    return load_writer(read_profile(directory), device="cpu", template=asked)


def test_the_three_templates(model: Any, tmp_path: Path) -> None:
    writer = opened(model, tmp_path)
    chat = Chat(
        (Message("system", "be good"), Message("user", "a film"), Message("assistant", "fine"), Message("user", "why"))
    )
    assert writer.prompt(Text("a film"), "model") == "<s> the film was user : a film </s> <s> it is "
    assert writer.prompt(chat, "model").count("<s> the film was") == 4
    assert writer.prompt(Text("a film"), "alpaca").endswith("\n\n### Instruction:\na film\n\n### Response:")
    assert "### Instruction:\na film\n\n### Input:\nbad\n\n### Response:" in writer.prompt(
        Pair("a film", "bad"), "alpaca"
    )
    assert writer.prompt(chat, "alpaca").startswith("be good\n\n### Instruction:\na film\n\n### Response:fine\n\n###")
    assert writer.prompt(Text("a film"), "raw") == "a film"
    assert writer.prompt(Pair("a film", "bad"), "raw") == "a film\nbad"
    answers = [
        writer.generate([Text("a film")], Generate(tokens=8, template=t)).texts for t in ("model", "alpaca", "raw")
    ]
    assert len(set(answers)) == 3


def test_a_model_without_chat_template_is_given_the_text(model: Any, tmp_path: Path) -> None:
    writer = opened(model, tmp_path, None)
    assert writer.prompt(Text("a film"), "model") == "a film"
    how = [Generate(tokens=4, template=template) for template in ("model", "raw")]
    one, other = (writer.generate([Text("a film")], way).texts for way in how)
    assert one == other
    assert any("no chat template" in note for note in writer.notes)


def test_special_tokens_come_from_the_template_or_the_tokenizer_but_once(model: Any, tmp_path: Path) -> None:
    from tokenizers import Tokenizer, processors

    save_writer(model, tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", BOS))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    writer = load_writer(read_profile(tmp_path), device="cpu")
    (chat,) = writer._prompts.ids([Text("film")], "model")
    (raw,) = writer._prompts.ids([Text("film")], "raw")
    assert chat is not None
    assert chat[:2] == (BOS, 23)
    # The tokenizer's own ending would end the answer before it began.
    assert raw == (BOS, 4)


def test_a_template_that_fails_is_named_unless_it_is_not_used(model: Any, tmp_path: Path) -> None:
    broken = "{{ raise_exception('Only tools may speak') }}"
    with pytest.raises(ModelError, match=r"its chat template .* fails: Only tools may speak") as caught:
        opened(model, tmp_path, broken)
    assert "--template raw" in caught.value.hint
    writer = opened(model, tmp_path, broken, asked="alpaca")
    assert writer.generate([Text("film")], Generate(tokens=2, template="alpaca")).scored.all()
    assert writer.generate([Text("film")], Generate(tokens=2)).texts == (None,)


def test_a_chat_that_the_template_does_not_take_costs_no_other(model: Any, tmp_path: Path) -> None:
    picky = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TEMPLATE
    writer = opened(model, tmp_path, picky)
    chat = Chat((Message("system", "be good"), Message("user", "a film")))
    found = writer.generate([chat, Text("a film")], Generate(tokens=2))
    assert found.scored.tolist() == [False, True]
    assert any("chat template" in note for note in writer.notes)


def test_a_template_reads_no_clock_and_no_files(model: Any, tmp_path: Path) -> None:
    """The same inputs give the same prompts on every day; and the sandbox keeps a template from what is not its own."""
    writer = opened(model, tmp_path, "{{ strftime_now('%d %b %Y') }} " + TEMPLATE)
    assert writer.prompt(Text("film"), "model").startswith("01 Jan 2025 <s>")
    assert any("today's date: 1 January 2025" in note for note in writer.notes)
    with pytest.raises(ModelError, match="chat template"):
        opened(model, tmp_path, "{{ ''.__class__.__mro__[1].__subclasses__() }}")


def test_special_tokens_in_texts_are_noted(model: Any, tmp_path: Path) -> None:
    writer = opened(model, tmp_path)
    writer.generate([Text("a good film")], Generate(tokens=1))
    assert writer.notes == ()
    writer.generate([Text("a film </s> <s> it is bad")], Generate(tokens=1))
    assert writer.notes == ("Texts hold special tokens ('</s>', '<s>'), and the model takes them as such.",)
