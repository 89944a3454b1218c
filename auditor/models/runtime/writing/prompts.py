"""What a model that writes is given: an input in the model's chat template, in Alpaca's form, or as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
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

TODAY = "1 January 2025"
"""The date that templates are told which write today's: the same inputs give the same prompts."""
CLOCK = "strftime_now"
"""The function of transformers' by which templates read the clock."""
_DATE = {
    "%-d": "1", "%-m": "1", "%-H": "0", "%-I": "12", "%-M": "0", "%d": "01", "%m": "01", "%Y": "2025", "%y": "25",
    "%b": "Jan", "%B": "January", "%a": "Wed", "%A": "Wednesday", "%H": "00", "%I": "12", "%M": "00", "%S": "00",
    "%p": "AM", "%j": "001",
}  # fmt: skip
# In front of a template, a macro of that name takes its place. transformers passes templates no functions.
_STOPPED = (
    f"{{% macro {CLOCK}(format) %}}{{{{ format"
    + "".join(f" | replace('{part}', '{value}')" for part, value in _DATE.items())
    + " }}{% endmacro %}{{ '' }}"
)

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
        return self.has_template and CLOCK in str(self._tokenizer.chat_template)

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
        return self._encoded(self._all(inputs, template), template)

    def continued(self, pairs: Sequence[tuple[Input, str]], template: str) -> list[tuple[Ids, Ids] | None]:
        """The tokens of each prompt and of a text after it; None where either has none.

        Both are read as one text where that leaves the prompt's own tokens as they are, else one after the other.
        """
        prompts = self._all([item for item, _ in pairs], template)
        before = self._encoded(prompts, template)
        whole = self._encoded(
            [None if prompt is None else prompt + text for prompt, (_, text) in zip(prompts, pairs, strict=True)],
            template,
        )
        found: list[tuple[Ids, Ids] | None] = []
        for own, both, (_, text) in zip(before, whole, pairs, strict=True):
            if own is None or both is None:
                found.append(None)
            elif both[: len(own)] == own:
                found.append((own, both[len(own) :]))
            else:
                alone = self.encode([text], special=False)[0]
                found.append(None if alone is None else (own, alone))
        return found

    def _all(self, inputs: Sequence[Input], template: str) -> list[str | None]:
        """The text of each prompt; None where the chat template fails."""
        rendered: list[str | None] = []
        for item in inputs:
            if self._special is not None:
                self.spelt.update(dict.fromkeys(found for text in texts(item) for found in self._special.findall(text)))
            try:
                rendered.append(self.text(item, template))
            except ModelError:
                rendered.append(None)
        return rendered

    def _encoded(self, prompts: Sequence[str | None], template: str) -> list[Ids | None]:
        sound = [text is not None and _encodable(text) for text in prompts]
        # A chat template writes its special tokens itself.
        known = iter(
            self.encode(
                [text for text, is_sound in zip(prompts, sound, strict=True) if text is not None and is_sound],
                special=template != "model" or not self.has_template,
            )
        )
        return [next(known) if is_sound else None for is_sound in sound]

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

    def _rendered(self, messages: Sequence[Message], *, ask: bool) -> str:
        template = self._tokenizer.get_chat_template()
        found: Any = self._tokenizer.apply_chat_template(
            [{"role": message.role, "content": message.content} for message in messages],
            chat_template=_STOPPED + template if CLOCK in template else template,
            tokenize=False,
            add_generation_prompt=ask,
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
