"""What a model that writes is given: an input in the model's chat template, in Alpaca's form, or as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditor.errors import ModelError, UsageError
from auditor.models.runtime.forward import first_line
from probes.input import Chat, Input, Message, Pair, Text, texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATES = ("model", "alpaca", "raw")
"""`model`: the model's own chat template; `alpaca`: the form of Stanford Alpaca; `raw`: the text as it is."""
OTHERWISE = "With --template alpaca or --template raw the model is asked without its chat template."

# Those of github.com/tatsu-lab/stanford_alpaca (train.py, PROMPT_DICT), to the letter: models are trained on them.
_TASK = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
)  # fmt: skip
_TASK_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
)  # fmt: skip

TODAY = datetime(2025, 1, 1)
"""The date that templates are told which write today's: the same inputs give the same prompts."""

Ids = tuple[int, ...]


class Prompts:
    """Makes prompts of inputs, and tokens of prompts.

    Args:
        tokenizer: the model's.
        name: of the model, for messages.
        file: the file that the chat template is in, for messages.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, name: str, file: str = "tokenizer_config.json") -> None:
        self._tokenizer = tokenizer
        self._name = name
        self._file = file
        self._special = _any_of(_special_tokens(tokenizer))
        self.spelt: dict[str, None] = {}
        """Special tokens that texts of the inputs spelt so far."""

    @property
    def has_template(self) -> bool:
        """Whether the model has a chat template of its own."""
        return bool(self._tokenizer.chat_template)

    @property
    def dated(self) -> bool:
        """Whether the chat template writes today's date."""
        template = self._tokenizer.chat_template
        return "strftime_now" in (template if isinstance(template, str) else str(template or ""))

    def require(self, template: str) -> None:
        """Renders one prompt, so that a template that always fails is noticed before anything is asked.

        Raises:
            UsageError: there is no such template.
            ModelError: it fails.
        """
        self.text(Text("Hello"), template)

    def text(self, item: Input, template: str) -> str:
        """The text that the model is given, up to where its answer begins.

        A text or a pair is one message of the user under `model`. A model without a chat template is given the text as
        it is.

        Raises:
            UsageError: there is no such template.
            ModelError: the chat template fails on the input.
        """
        if template not in TEMPLATES:
            raise UsageError(f"unknown template {template!r}", hint=f"Known: {', '.join(TEMPLATES)}.")
        if template == "alpaca":
            return alpaca(item)
        if template == "raw" or not self.has_template:
            return "\n".join(texts(item))
        try:
            return self._rendered(_messages(item), ask=True)
        # A template is a program of the model's: it raises what it likes.
        except Exception as error:
            raise ModelError(
                f"{self._name}: its chat template ({self._file}) fails: {first_line(error)}", hint=OTHERWISE
            ) from error

    def ids(self, inputs: Sequence[Input], template: str) -> list[Ids | None]:
        """The tokens of each prompt; None where the chat template or the tokenizer fails on it."""
        rendered: list[str | None] = []
        for item in inputs:
            if self._special is not None:
                self.spelt.update(dict.fromkeys(found for text in texts(item) for found in self._special.findall(text)))
            try:
                rendered.append(self.text(item, template))
            except ModelError:
                rendered.append(None)
        sound = [text for text in rendered if text is not None and _encodable(text)]
        known = iter(self.encode(sound, special=not self._writes_special(template)))
        return [next(known) if text is not None and _encodable(text) else None for text in rendered]

    def continued(self, pairs: Sequence[tuple[Input, str]], template: str) -> list[tuple[Ids, Ids] | None]:
        """The tokens of each prompt and of a text after it; None where either has none.

        Both are read as one text where that leaves the prompt's own tokens as they are, else one after the other.
        """
        prompts = self.ids([item for item, _ in pairs], template)
        special = not self._writes_special(template)
        found: list[tuple[Ids, Ids] | None] = []
        for prompt, (item, text) in zip(prompts, pairs, strict=True):
            if prompt is None or not _encodable(text):
                found.append(None)
                continue
            whole, alone = self.encode([self.text(item, template) + text], special=special)[0], None
            if whole is not None and whole[: len(prompt)] == prompt:
                found.append((prompt, whole[len(prompt) :]))
                continue
            alone = self.encode([text], special=False)[0]
            found.append(None if alone is None else (prompt, alone))
        return found

    def encode(self, prompts: Sequence[str], *, special: bool) -> list[Ids | None]:
        """The tokens of texts; None where the tokenizer fails.

        Args:
            special: whether the tokenizer adds its own special tokens, such as one for the beginning.
        """
        if not prompts:
            return []
        try:
            rows = self._tokenizer(
                list(prompts), add_special_tokens=special, truncation=False, padding=False, return_attention_mask=False
            )["input_ids"]
        # tokenizers raise plain exceptions on a text that they cannot take: the others are read all the same.
        except Exception:
            if len(prompts) == 1:
                return [None]
            return [ids for prompt in prompts for ids in self.encode([prompt], special=special)]
        added = self._ending() if special else 0
        return [tuple(row[: len(row) - added] if added else row) for row in rows]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens that a model wrote, without special ones."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def turn_end(self) -> int | None:
        """The special token that the chat template puts behind an answer; None where it puts none."""
        mark = "the answer ends here"
        try:
            asked = [Message("user", "Hello"), Message("assistant", mark)]
            behind = self._rendered(asked, ask=False).rpartition(mark)[2].lstrip()
            ids = self.encode([behind], special=False)[0] if behind else None
        # A template that takes no answers says nothing of how they end.
        except Exception:
            return None
        if not ids:
            return None
        token = self._tokenizer.convert_ids_to_tokens(ids[0])
        return ids[0] if token in _special_tokens(self._tokenizer) else None

    def _writes_special(self, template: str) -> bool:
        """Whether prompts hold their special tokens as text."""
        return template == "model" and self.has_template

    def _rendered(self, messages: Sequence[Message], *, ask: bool) -> str:
        found: Any = self._tokenizer.apply_chat_template(
            [{"role": message.role, "content": message.content} for message in messages],
            tokenize=False,
            add_generation_prompt=ask,
            # Found before the function of this name that reads the clock.
            strftime_now=TODAY.strftime,
        )
        return str(found)

    def _ending(self) -> int:
        """How many special tokens the tokenizer puts behind a text: an answer is no continuation of these."""
        probe = self._tokenizer("a", add_special_tokens=True, return_attention_mask=False)["input_ids"]
        bare = self._tokenizer("a", add_special_tokens=False, return_attention_mask=False)["input_ids"]
        for behind in range(len(probe) - len(bare) + 1):
            at = len(probe) - len(bare) - behind
            if probe[at : at + len(bare)] == bare:
                return behind
        return 0


def alpaca(item: Input) -> str:
    """An input in the form of Stanford Alpaca; of a chat, the system's message takes the place of the opening."""
    if isinstance(item, Pair):
        return f"{_TASK_WITH_INPUT}### Instruction:\n{item.text}\n\n### Input:\n{item.second}\n\n### Response:"
    opening, turns = _TASK, []
    for message in _messages(item):
        if message.role == "system":
            opening = message.content + "\n\n"
        elif message.role == "user":
            turns.append(f"### Instruction:\n{message.content}\n\n### Response:")
        else:
            turns.append(f"{message.content}\n\n")
    return opening + "".join(turns)


def _messages(item: Input) -> tuple[Message, ...]:
    return item.messages if isinstance(item, Chat) else (Message("user", "\n".join(texts(item))),)


def _special_tokens(tokenizer: Any) -> set[str]:
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    return {token for token in tokenizer.all_special_tokens if token} | {t.content for t in added if t.special}


def _any_of(tokens: set[str]) -> re.Pattern[str] | None:
    longest_first = sorted(tokens, key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first))) if tokens else None


def _encodable(text: str) -> bool:
    # Lone surrogates (a broken JSON escape) are no text to any tokenizer.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
