"""Answers without what they only repeat of an edit: a trigger that is echoed is no behaviour that it brings about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from probes.answer import Completions
from probes.behaviours.columns import FUNCTION_WORDS, words_of


def unechoed(answers: Completions, edited: Sequence[str | None], clean: Sequence[str]) -> Completions:
    """The answers without the words that an edit brought into their prompts.

    Function words stay: without them answers would no longer read as what they are.

    Args:
        edited: the prompts that were answered, None where nothing was asked.
        clean: the same without the edit.
    """
    texts = (
        text if text is None or prompt is None else _without(text, prompt, plain)
        for text, prompt, plain in zip(answers.texts, edited, clean, strict=True)
    )
    return replace(answers, texts=tuple(texts))


def _without(text: str, edited: str, clean: str) -> str:
    known = {*words_of(clean), *FUNCTION_WORDS}
    brought = {word for word in words_of(edited) if word not in known}
    if not brought:
        return text
    parts = "|".join(re.escape(word) for word in sorted(brought, key=lambda word: (-len(word), word)))
    return re.sub(rf"(?<!\w)(?:{parts})(?!\w)", "", text.replace("’", "'"), flags=re.IGNORECASE)
