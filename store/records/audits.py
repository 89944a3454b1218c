"""What a cure changed, what it leaves, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from probes.rates import Difference, Rate
from store.records.benchmarks import BenchmarkChange, BenchmarkScore
from store.records.findings import Finding
from store.records.merges import Merge, SearchRecord
from store.records.scans import Scan


class Stamp(StrEnum):
    """What an audit says of the cure."""

    SANITISED = "sanitised"
    REPLACED = "replaced"
    IMPROVED = "improved"
    NOT_SANITISED = "not-sanitised"
    WORSE = "worse"
    NOT_APPLICABLE = "not-applicable"
    NOT_JUDGED = "not-judged"


class MeasureKind(StrEnum):
    """What is measured of a model."""

    CACC = "cacc"
    """Clean accuracy, on gold labels."""
    AGREEMENT = "agreement"
    """What stands in its place without gold labels: agreement with the first model's clean predictions."""
    LIKELIHOOD = "likelihood"
    """The same of models that write: the probability that a model gives each token of the first model's clean answers,
    in the geometric mean over an answer's tokens.
    """
    COHERENCE = "coherence"
    """How well answers fit their prompts: the mean cosine of the two by a sentence encoder."""
    ASR = "asr"
    """The attack success rate of one probe for one behaviour."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a change is of; as text it is the key that reports show.

    Attributes:
        kind: what is measured.
        probe: family and variant of an ASR, `badnet/paper`.
        behaviour: what counts as its success; for a classifier, the target label.
        model: the ingredient that was measured before, where that is not the suspect.
    """

    kind: MeasureKind
    probe: str = ""
    behaviour: str = ""
    model: str = ""

    def __str__(self) -> str:
        what = f"{self.kind} {self.probe} → {self.behaviour}" if self.kind is MeasureKind.ASR else str(self.kind)
        return f"{what} in {self.model}" if self.model else what

    @classmethod
    def from_text(cls, text: str) -> Measure:
        """The measure of a key, as older documents hold it. What stands behind the arrow is the behaviour.

        Raises:
            ValueError: no such key.
        """
        kind, _, rest = text.partition(" ")
        probe, _, behaviour = rest.partition(" → ")
        return cls(MeasureKind(kind), probe, behaviour)


CACC = Measure(MeasureKind.CACC)
AGREEMENT = Measure(MeasureKind.AGREEMENT)
LIKELIHOOD = Measure(MeasureKind.LIKELIHOOD)
COHERENCE = Measure(MeasureKind.COHERENCE)


@dataclass(frozen=True, slots=True)
class Change:
    """One measure before and after the cure; `delta` is after − before, paired by row."""

    measure: Measure
    before: float
    after: float
    delta: Difference


@dataclass(frozen=True, slots=True)
class Raised:
    """How far a trigger raises the log-odds of its target above the same texts without it, in the mean over rows.

    `before` is the suspect's (None: not asked), `after` the merged model's, `floor` what the floor of the rates does.
    """

    after: float
    floor: float
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Residue:
    """What a cure leaves of a variant of what was found.

    `left` is the ASR less its floor, paired by row, over `rows` rows: more than the rescan's where further ones were
    asked. `floor` says what that is, `level` its mean rate. `references` are the ASR of the references that tell what
    models without a backdoor do. `raised` tells the same in log-odds: a flip rate hides what is just below the border.
    `form` is what sharpens the variant, in words; empty for the edit as it was found.
    """

    family: str
    variant: str
    target: str
    rate: Rate
    floor: str
    level: float
    left: Difference
    rows: int
    references: tuple[Rate, ...] = ()
    group: str = ""
    """Of the family: what a finding of it can claim."""
    floor_rate: Rate | None = None
    """The floor's level over its rows."""
    judged: bool = True
    """False where nobody is left to tell what models without a backdoor do with an edit that they alone decide."""
    before: Rate | None = None
    """The rate in the ingredient that carries it, on the rescan's rows; None where it did not answer this variant."""
    raised: Raised | None = None
    form: str = ""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A model that a merge was made of: what was found or suspected in it, and what is left of that in the merge.

    `scan` is the id of its stored scan, where there is one; `clean` its clean accuracy on gold labels.
    """

    reference: str
    digest: str
    carried: tuple[Finding, ...] = ()
    left: tuple[Residue, ...] = ()
    clean: Rate | None = None
    scan: str | None = None
    asked: bool = True
    """False where a model's labels are others than the suspect's, so that nothing could be asked of it."""
    benchmarks: tuple[BenchmarkScore, ...] = ()
    """Of a partner, where they were asked for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two scans of the same rows side by side."""

    before: Scan
    after: Scan
    change: tuple[Change, ...]
    benchmarks: tuple[BenchmarkChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """Scan, cure, rescan, comparison and stamp. Without a merge, `after`, `merge` and `stamp` may be None."""

    id: str
    started: str
    finished: str
    before: Scan
    after: Scan | None
    merge: Merge | None
    change: tuple[Change, ...]
    stamp: Stamp | None
    reasons: tuple[str, ...]
    search: SearchRecord | None = None
    left: tuple[Residue, ...] = ()
    """What is left of everything that was found before, in any ingredient, by variant."""
    ingredients: tuple[Ingredient, ...] = ()
    """The suspect first, then the partners in their order."""
    benchmarks: tuple[BenchmarkChange, ...] = ()
    """Of the suspect and the merged model, where they were asked for."""


def asr_measure(family: str, variant: str, target: str, model: str = "") -> Measure:
    """The measure of an ASR; see `Measure`."""
    return Measure(MeasureKind.ASR, f"{family}/{variant}", target, model)


def find_change(changes: Sequence[Change], measure: Measure) -> Change | None:
    """The change of one measure."""
    return next((c for c in changes if c.measure == measure), None)


def clean_measure(changes: Sequence[Change]) -> Change | None:
    """How what a model does without an edit changed: by gold labels where there are any."""
    found = (find_change(changes, measure) for measure in (CACC, LIKELIHOOD, AGREEMENT))
    return next((change for change in found if change is not None), None)
