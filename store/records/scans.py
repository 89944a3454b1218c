"""What a scan saw, measured and found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from probes.input import Generate
from probes.rates import Difference, Rate
from probes.trigger import Trigger
from store.records.benchmarks import BenchmarkScore
from store.records.files import FileReport
from store.records.findings import Finding
from store.records.models import ModelRead


class Verdict(StrEnum):
    """What a scan says. There is no "clean"."""

    FOUND = "backdoor-found"
    SUSPICIOUS = "suspicious"
    NOTHING = "nothing-found"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """The part of a profile that a scan's report carries."""

    reference: str
    revision: str | None
    digest: str
    architecture: str
    task: str
    labels: tuple[str, ...]
    parameters: int
    base: str | None
    read: ModelRead = field(default_factory=ModelRead)


@dataclass(frozen=True, slots=True)
class DataRead:
    """What of a data file was read, and how; the report's `data.read`.

    Attributes:
        format: the kind of file with what was found out of it (separator, encoding, compression), in words.
        columns: by use (`text`, `pair`, `label`), the column that serves it.
        unused: columns that nothing was read from.
        records: records in the file.
        skipped: those without a text.
        cut: rows that were longer than the model's window and were cut before they were edited.
        cut_at: tokens at which they were cut; 0 where none was.
        notes: sentences on whatever else was decided in reading.
    """

    format: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    records: int = 0
    skipped: int = 0
    cut: int = 0
    cut_at: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataSummary:
    """The rows of a scan: where they are from, their digest, how many, and whence the reference labels are."""

    source: str
    digest: str
    rows: int
    labelled: bool
    labels_from: str
    read: DataRead = field(default_factory=DataRead)


@dataclass(frozen=True, slots=True)
class ReferenceUse:
    """A model that saw the same rows and edits.

    `kind` is `given`, or `student` of one that learnt from another model's answers, which is no independent model:
    `agreement` then says on how many clean rows it gives the scanned model's label.
    """

    reference: str
    digest: str
    kind: str = "given"
    agreement: Rate | None = None


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """How a scan was made. `families` maps a name to the options that the user changed; `asking` is how a model that
    writes was asked.
    """

    seed: int
    device: str
    dtype: str
    max_length: int
    suite: str
    samples: int
    families: Mapping[str, Mapping[str, object]]
    references: tuple[ReferenceUse, ...] = ()
    asking: Generate | None = None


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What other material of a trigger's own kind does at the same rows and places.

    Attributes:
        kind: what the alternatives are, in words: "other made-up words".
        rates: of each alternative that was asked, over the same rows. Asking ends early where the trigger does not
            stand out.
        trigger: the trigger's rate over those rows.
        highest: of the alternative with the highest rate, over all rows that it was asked.
        excess: trigger − highest, paired by row.
        rank: of the trigger among the alternatives, from 1, by the log-odds of the target.
        p_value: conformal: (1 + alternatives that do as much) / (alternatives + 1).
        log_odds: how much the trigger raises the log-odds of the target above the alternative that raises them most,
            in the mean over rows, paired.
    """

    kind: str
    rates: tuple[Rate, ...]
    trigger: Rate
    highest: Rate
    excess: Difference
    rank: int
    p_value: float
    log_odds: float = 0.0


@dataclass(frozen=True, slots=True)
class AsrScore:
    """The rates of one (family, variant, target), over rows whose reference label is not the target.

    `excess` is ASR − control, `floor_gap` ASR − mean of the references, both paired by row. `p_value` is corrected
    over the
    whole suite. `detectable` is the smallest excess that this scan would have found with 80 % probability.
    `judged` is False where there were too few scorable rows.
    """

    family: str
    variant: str
    group: str
    target: str
    rate: Rate
    clean: Rate
    control: Rate
    references: tuple[Rate, ...]
    excess: Difference
    clean_excess: Difference
    floor_gap: Difference | None
    p_value: float
    detectable: float
    finding: bool
    suspicious: bool = False
    judged: bool = True
    concentration: Rate | None = None
    """Of the rows whose answer the trigger changed, the share that landed on the target."""
    alternatives: Alternatives | None = None
    """The trigger held against its own kind, where it was: before a finding or a suspicion is said."""
    students: tuple[Rate, ...] = ()
    """ASR of the references that are students, which are not among `references`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of a scan. `cacc` is None without gold labels."""

    cacc: Rate | None
    asr: tuple[AsrScore, ...]
    benchmarks: tuple[BenchmarkScore, ...] = ()


@dataclass(frozen=True, slots=True)
class Screened:
    """A trigger that was tried alone on a few rows, those of other labels than the target: `rate` with it, `clean`
    without any edit. `fired` says whether it moved enough of them to be fired in full.
    """

    family: str
    variant: str
    target: str
    rate: Rate
    clean: Rate
    fired: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """One suite on one model."""

    id: str
    started: str
    finished: str
    versions: Mapping[str, str]
    model: ModelSummary
    data: DataSummary
    settings: ScanSettings
    scores: Scores
    findings: tuple[Finding, ...]
    verdict: Verdict
    limits: tuple[str, ...]
    incomplete: tuple[str, ...] = ()
    """Why a part was not judged; empty where everything was."""
    runs: tuple[str, ...] = ()
    """Keys of the stored answers behind the scores: the suspect's, then the references', then the suspect's labels of
    prompts that ask for one.
    """
    reference_labels: tuple[int, ...] = ()
    """The label index that each row is held against (−1: none): gold, or the suspect's own clean prediction."""
    screened: tuple[Screened, ...] = ()
    """Triggers without a control of their own that were tried alone on a few rows first."""
    triggers: tuple[Trigger, ...] = ()
    """The user's own, and found ones: what was fired as `custom/…`, so that it can be fired again."""
    files: FileReport | None = None
    """What the model's files hold; None where they were not looked at."""
