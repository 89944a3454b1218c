"""What models answer: single answers, and columns of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float64]
"""By row, 1 where something holds, 0 where it does not, or a share of both; NaN where it cannot be told."""
Mask = NDArray[np.bool_]
Labels = NDArray[np.int64]
Places = NDArray[np.int64]

UNSCORED = -1
"""The label of an answer that cannot be scored, and the place of one that was not asked."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A classifier's answer: the index of the predicted label, and the probabilities of all labels."""

    label: int
    probabilities: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A text that a model wrote, with the log-probability of each of its tokens (natural logarithm).

    `finished` is False where it was cut at the most tokens that it might have.
    """

    text: str
    logprobs: tuple[float, ...] = ()
    finished: bool = True


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a model finds a given text: the log-probability of each of its tokens.

    `greedy` tells whether each of them is the model's likeliest next token.
    """

    logprobs: tuple[float, ...]
    greedy: bool


@dataclass(frozen=True, slots=True)
class Unscorable:
    """No answer that could be judged, such as NaN scores, and why."""

    reason: str = ""


Answer = Choice | Completion | Likelihood | Unscorable

UNSCORABLE = Unscorable()


class Answers(Protocol):
    """A column of answers of one kind."""

    def __len__(self) -> int: ...

    @property
    def scored(self) -> Mask:
        """Which of them can be judged."""
        ...

    def bare(self) -> Self:
        """The same answers without what only their probabilities are told by."""
        ...

    def take(self, places: Places) -> Self:
        """The answers at these places; −1 stands for one that was not asked, and gives one that cannot be scored."""
        ...

    def same(self, other: Self) -> Shares:
        """Whether two columns of one length give the same answers, NaN where either cannot be scored."""
        ...

    def at(self, place: int) -> Answer:
        """One answer."""
        ...

    def shown(self, place: int) -> tuple[str, float]:
        """One answer in words, and its probability (NaN where it is not known)."""
        ...


@dataclass(frozen=True, eq=False)
class Choices:
    """A classifier's answers.

    Attributes:
        labels: label indices, shape (answers,); −1: unscorable.
        probabilities: of all labels, shape (answers, labels); NaN where they are not known. Labels that are no
            model's answers, such as gold labels, have none: shape (answers, 0).
        names: the labels by name.
    """

    labels: Labels
    probabilities: Shares
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, answers: Iterable[Choice | Unscorable], labels: int) -> Choices:
        """Single answers of a model with so many labels as columns."""
        given = list(answers)
        found = [a.label if isinstance(a, Choice) else UNSCORED for a in given]
        empty = (float("nan"),) * labels
        told = [a.probabilities if isinstance(a, Choice) and len(a.probabilities) == labels else empty for a in given]
        shares = np.asarray(told, dtype=np.float64).reshape(len(given), labels)
        return cls(np.asarray(found, dtype=np.int64), shares)

    @classmethod
    def known(cls, labels: Sequence[int | None] | Labels) -> Choices:
        """Labels that are known without a model: gold ones, or those of an earlier scan; None or −1: none."""
        found = np.asarray([UNSCORED if label is None else label for label in labels], dtype=np.int64)
        return cls(found, np.empty((len(found), 0)))

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Choice | Unscorable]:
        return map(self.at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Choices):
            return NotImplemented
        same = np.array_equal(self.probabilities, other.probabilities, equal_nan=True)
        return same and np.array_equal(self.labels, other.labels)

    __hash__ = None  # type: ignore[assignment]

    @property
    def scored(self) -> Mask:
        """Which of them can be judged."""
        return np.asarray(self.labels != UNSCORED)

    def bare(self) -> Choices:
        """The labels alone."""
        return Choices(self.labels, np.empty((len(self), 0)), self.names)

    def take(self, places: Places) -> Choices:
        """The answers at these places, −1: not asked."""
        asked = places >= 0
        at = np.where(asked, places, 0)
        if not len(self):
            return Choices(
                np.full(len(at), UNSCORED), np.full((len(at), self.probabilities.shape[1]), np.nan), self.names
            )
        labels = np.where(asked, self.labels[at], UNSCORED)
        return Choices(labels, np.where(asked[:, None], self.probabilities[at], np.nan), self.names)

    def same(self, other: Choices) -> Shares:
        """Whether the labels are the same."""
        return np.where(self.scored & other.scored, self.labels == other.labels, np.nan)

    def at(self, place: int) -> Choice | Unscorable:
        """One answer."""
        label = int(self.labels[place])
        return UNSCORABLE if label == UNSCORED else Choice(label, tuple(self.probabilities[place].tolist()))

    def shown(self, place: int) -> tuple[str, float]:
        """The predicted label's name, and its probability."""
        label = int(self.labels[place])
        if label == UNSCORED:
            return "", float("nan")
        known = label < self.probabilities.shape[1]
        name = self.names[label] if label < len(self.names) else str(label)
        return name, float(self.probabilities[place, label]) if known else float("nan")

    def reordered(self, order: Sequence[int]) -> Choices:
        """The same answers in another order of labels: `order[i]` is the new index of label i."""
        # The last entry is where −1, unscorable, points to.
        new = np.asarray([*order, UNSCORED], dtype=np.int64)
        return Choices(new[self.labels], self.probabilities[:, np.argsort(new[:-1])], self.names)


@dataclass(frozen=True)
class Completions:
    """Texts that a model wrote.

    Attributes:
        texts: None where there is no answer that could be judged.
        logprobs: of the tokens of all texts, one after another.
        offsets: where each text's tokens begin in these, and where the last one's end; shape (answers + 1,).
        finished: False where a text was cut at the most tokens that it might have; shape (answers,).
        choices: of prompts that ask for one of a few labels, which of these the model finds likeliest as its answer;
            None where it was not asked.
    """

    texts: tuple[str | None, ...]
    logprobs: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    offsets: Places = field(default_factory=lambda: np.zeros(1, np.int64))
    finished: Mask = field(default_factory=lambda: np.empty(0, np.bool_))
    choices: Choices | None = None

    @classmethod
    def of(cls, answers: Iterable[Completion | Unscorable]) -> Completions:
        """Single answers as columns."""
        given = list(answers)
        tokens = [a.logprobs if isinstance(a, Completion) else () for a in given]
        return cls(
            tuple(a.text if isinstance(a, Completion) else None for a in given),
            np.asarray([value for own in tokens for value in own], dtype=np.float32),
            np.cumsum([0, *map(len, tokens)], dtype=np.int64),
            np.asarray([isinstance(a, Completion) and a.finished for a in given], dtype=np.bool_),
        )

    @classmethod
    def joined(cls, parts: Sequence[Completions]) -> Completions:
        """Columns one after another."""
        starts = np.cumsum([0, *(int(part.offsets[-1]) for part in parts)])
        ends = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=False)]
        return cls(
            tuple(text for part in parts for text in part.texts),
            np.concatenate([np.empty(0, np.float32), *(part.logprobs for part in parts)]),
            np.concatenate([np.zeros(1, np.int64), *ends]),
            np.concatenate([np.empty(0, np.bool_), *(part.finished for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def scored(self) -> Mask:
        """Which of them can be judged."""
        return np.asarray([text is not None for text in self.texts], dtype=np.bool_)

    def bare(self) -> Completions:
        """The texts alone, and which labels were chosen."""
        none = np.zeros(len(self) + 1, np.int64)
        return Completions(self.texts, offsets=none, finished=self.finished, choices=self.choices)

    def take(self, places: Places) -> Completions:
        """The answers at these places, −1: not asked."""
        taken = Completions.of(self.at(place) if place >= 0 else UNSCORABLE for place in places.tolist())
        return taken if self.choices is None else replace(taken, choices=self.choices.take(places))

    def same(self, other: Completions) -> Shares:
        """Whether the texts are the same to the letter."""
        both = zip(self.texts, other.texts, strict=True)
        return np.asarray([np.nan if None in (a, b) else float(a == b) for a, b in both], dtype=np.float64)

    def at(self, place: int) -> Completion | Unscorable:
        """One answer."""
        text = self.texts[place]
        if text is None:
            return UNSCORABLE
        start, stop = self.offsets[place : place + 2].tolist()
        return Completion(text, tuple(self.logprobs[start:stop].tolist()), bool(self.finished[place]))

    def shown(self, place: int) -> tuple[str, float]:
        """The text, and the probability of all its tokens after each other."""
        found = self.at(place)
        if isinstance(found, Unscorable):
            return "", float("nan")
        return found.text, float(np.exp(sum(found.logprobs))) if found.logprobs else float("nan")
