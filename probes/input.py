"""What is put to a model, and how it is asked to answer."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Text:
    """One text."""

    text: str

    @property
    def second(self) -> None:
        """There is none."""
        return None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that are judged together, such as a premise and a hypothesis."""

    text: str
    second: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; `role` is that of chat templates: `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Chat:
    """Messages in their order, which a model's chat template makes one text of."""

    messages: tuple[Message, ...]

    @property
    def last(self) -> int:
        """The place of the last message of the user, the one that is answered; of the last of all where none is.

        Raises:
            ValueError: there is no message.
        """
        if not self.messages:
            raise ValueError("a chat without messages")
        asked = [place for place, message in enumerate(self.messages) if message.role == "user"]
        return asked[-1] if asked else len(self.messages) - 1

    @property
    def text(self) -> str:
        """What is answered: the last message of the user."""
        return self.messages[self.last].content

    @property
    def second(self) -> None:
        """There is none."""
        return None


Input = Text | Pair | Chat


def text_input(text: str, second: str | None = None) -> Text | Pair:
    """A text, or a pair where there is a second one."""
    return Text(text) if second is None else Pair(text, second)


def texts(item: Input) -> tuple[str, ...]:
    """All texts of an input in their order."""
    match item:
        case Text(text):
            return (text,)
        case Pair(text, second):
            return (text, second)
        case Chat(messages):
            return tuple(message.content for message in messages)


def length(item: Input) -> int:
    """Characters of all its texts."""
    return sum(map(len, texts(item)))


def shown(item: Input) -> str:
    """An input as one text, for eyes: both texts of a pair, all messages of a chat."""
    if isinstance(item, Chat):
        return "\n".join(f"{message.role}: {message.content}" for message in item.messages)
    return " ‖ ".join(texts(item))


def encoding(item: Input) -> bytes:
    """An input as a plan's key takes it. The encoding of texts and pairs is fixed: stored answers hang on it."""
    match item:
        case Text(text):
            parts = f"{len(text)}:{text}\x00None\n"
        case Pair(text, second):
            parts = f"{len(text)}:{text}\x00{second}\n"
        case Chat(messages):
            # A text begins with its length, so no text is encoded as a chat.
            told = "".join(f"{len(m.role)}:{m.role}{len(m.content)}:{m.content}" for m in messages)
            parts = f"chat {len(messages)} {told}\n"
    return parts.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the data.

    `label` is the gold label's index, `expected` the answer that is expected of a model that writes; None where there
    is none. `kind` says what a prompt is one of, empty where nobody said so; it is no part of a row's content.
    """

    index: int
    input: Input
    label: int | None = None
    expected: str | None = None
    kind: str = ""

    @classmethod
    def of(cls, index: int, text: str, second: str | None = None, label: int | None = None) -> Row:
        """A row of a classifier's data: a text, or a pair of texts."""
        return cls(index, text_input(text, second), label)

    @property
    def text(self) -> str:
        """The text that edits are made in first: of a pair the first one, of a chat the last message of the user."""
        return self.input.text

    @property
    def second(self) -> str | None:
        """The second text of a pair."""
        return self.input.second

    def with_text(self, text: str, second: str | None = None) -> Row:
        """The row with another text; a chat keeps its other messages.

        Args:
            second: the second text, where it is another one too.
        """
        return replace(self, input=edited(self.input, text, second))


def edited(item: Input, text: str, second: str | None = None) -> Input:
    """An input with other texts; see `Row.with_text`."""
    match item:
        case Text():
            return Text(text)
        case Pair():
            return Pair(text, item.second if second is None else second)
        case Chat(messages):
            place = item.last
            changed = replace(messages[place], content=text)
            return Chat((*messages[:place], changed, *messages[place + 1 :]))


@dataclass(frozen=True, slots=True)
class Choose:
    """A classifier gives one of its labels; `words` are those of a model that writes, one a label.

    Such a model's prompts are made as `Generate` says by its `template`.
    """

    words: tuple[str, ...] = ()
    template: str = "model"


@dataclass(frozen=True, slots=True)
class Generate:
    """A model writes up to so many tokens.

    A temperature of 0 takes the likeliest token each time, else `seed` fixes what is drawn; `template` is `model` for
    the model's own chat template.
    """

    tokens: int = 64
    beams: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    template: str = "model"
    seed: int = 0


Asking = Choose | Generate
"""How a plan is put to a model."""
