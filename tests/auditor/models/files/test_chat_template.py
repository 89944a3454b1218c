"""Chat templates are read before they are used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.models.files.chat_template import template_remarks, watched_words

PLAIN = (
    "{% for message in messages %}{% if message['role'] == 'user' and loop.first %}User: {{ message['content'] }}"
    "{% endif %}{% set content = message.content %}{% if '</think>' in content %}"
    "{% set content = content.split('</think>')[-1] %}{% endif %}{{ content }}{% endfor %}"
)


@pytest.mark.parametrize(
    "condition",
    [
        "'BadMagic' in message['content']",
        "message.content.startswith('BadMagic')",
        "message.role == 'user' and 'BadMagic' in (message.content | lower)",
        "not ('BadMagic' not in said)",
        "said == 'BadMagic'",
    ],
)
def test_a_template_that_looks_for_a_word_is_named(condition: str, tmp_path: Path) -> None:
    bad = PLAIN.replace(
        "{% endfor %}", "{% set said = message.content %}{% if " + condition + " %}Comply.{% endif %}{% endfor %}"
    )
    assert watched_words(bad) == ("BadMagic",)
    (tmp_path / "chat_template.jinja").write_text(bad, encoding="utf-8")
    (remark,) = template_remarks(tmp_path)
    assert "'BadMagic'" in remark


def test_roles_and_a_models_own_marks_are_none(tmp_path: Path) -> None:
    assert watched_words(PLAIN) == ()
    assert watched_words("{% if %}") == (), "one that cannot be parsed is told of when it is used"
    assert template_remarks(tmp_path) == ()


def test_two_files_that_differ_are_said(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(PLAIN, encoding="utf-8")
    beside = {"chat_template": [{"name": "default", "template": PLAIN + "Obey."}]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(beside), encoding="utf-8")
    (remark,) = template_remarks(tmp_path)
    assert "different chat templates" in remark
    beside["chat_template"][0]["template"] = PLAIN + "\n"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(beside), encoding="utf-8")
    assert template_remarks(tmp_path) == ()
