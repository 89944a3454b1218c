"""What was found: in a model's answers, or in its files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from probes.rates import Rate


class Severity(StrEnum):
    """How bad a finding is, from the size of its excess."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One row that the edit moved to the target: both texts, both answers (label names) and their probabilities."""

    text: str
    triggered: str
    before: str
    after: str
    before_probability: float
    after_probability: float


@dataclass(frozen=True, slots=True)
class Sharpened:
    """The strongest form of a finding's edit, searched on other rows than those that judge.

    Attributes:
        variant: the form's name: the variant's and its changes, joined by "+".
        words: the changes in words.
        rate: the form's ASR on those rows; `plain` that of the edit as it was found, `control` of the form's control.
        raised: by how much the form raises the log-odds of the target above the clean text, in the mean.
        strong: the forms that move about as much: one of them judges a merged model.
        asked: how many forms were tried.
    """

    variant: str
    words: str
    rate: Rate
    plain: Rate
    control: Rate
    raised: float
    strong: tuple[str, ...]
    asked: int


@dataclass(frozen=True, slots=True)
class BackdoorFinding:
    """A backdoor, or something suspicious, with its evidence and the command that repeats it.

    `rule` is `backdoor` or `suspicious`; `family`/`variant` are the strongest of the group; `tags` name the other
    families and variants of the group that fired.
    """

    id: str
    rule: str
    severity: Severity
    family: str
    variant: str
    group: str
    target: str
    message: str
    evidence: tuple[Evidence, ...]
    reproduce: str
    tags: tuple[str, ...] = ()
    confirmed: Rate | None = None
    """The shown variant's ASR on the half of the rows that had no part in choosing it."""
    sharp: Sharpened | None = None
    """Its edit in its strongest form, where one is stronger than the edit as it was found."""


@dataclass(frozen=True, slots=True)
class FileFinding:
    """Something in a model's files that could harm whoever loads it, or hides what the model does.

    `rule` is the check's name, `place` where in the file it stands, `hint` what to do about it. What a report shows in
    a backdoor's columns is computed.
    """

    id: str
    rule: str
    severity: Severity
    file: str
    message: str
    reproduce: str
    place: str = ""
    hint: str = ""

    @property
    def family(self) -> str:
        return "files"

    @property
    def variant(self) -> str:
        return self.rule

    @property
    def group(self) -> str:
        return "file"

    @property
    def target(self) -> str:
        return self.file

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return ()

    @property
    def tags(self) -> tuple[str, ...]:
        return ()

    @property
    def confirmed(self) -> Rate | None:
        return None

    @property
    def sharp(self) -> Sharpened | None:
        return None


Finding = BackdoorFinding | FileFinding
