"""The event union: what the core yields and front ends consume. Frozen dataclasses of plain values.

Events are one a batch or a score, never one a text.
"""

from __future__ import annotations

from dataclasses import dataclass

from probes.rates import Rate
from store.records import AnswerBatch, AsrScore, Audit, BenchmarkScore, Evidence, Merge, Scan, TrialRow


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of a command."""

    command: tuple[str, ...]
    id: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A new step begins: a short name, and a sentence for the user. `total` steps of `unit` are expected (0:
    unknown).
    """

    name: str
    text: str
    total: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` of the stage's units."""

    stage: str
    done: int
    total: int
    unit: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FilesReady:
    """A model's files were looked at. `record` tells of the files alone."""

    record: Scan


@dataclass(frozen=True, slots=True)
class RunOpened:
    """A model begins to answer a plan, or goes on: `resumed` of its `batches` are stored already.

    A scan has one run for the suspect and one for each reference; a run is shared by all scans that ask the same
    model the same plan.
    """

    run: int
    model: str
    role: str
    batches: int
    resumed: int
    asks: int
    device: str
    dtype: str


@dataclass(frozen=True, slots=True)
class BatchAnswered:
    """A batch of a run is answered; the journal stores it before the next one runs."""

    run: int
    batch: AnswerBatch


@dataclass(frozen=True, slots=True)
class RunNoted:
    """Something is to be said of how a run's answers are made; the journal stores it with the run."""

    run: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TallyLine:
    """The counts so far of one (family, variant, target): with the trigger, and with the control's draws."""

    family: str
    variant: str
    target: str
    rate: Rate
    control: Rate


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known so far while a model answers: for eyes, nothing is judged by it."""

    scores: tuple[TallyLine, ...]


@dataclass(frozen=True, slots=True)
class RowsSeen:
    """A row or two of a (family, variant, target) as they are answered: for eyes, like the tally.

    Rows that the trigger moved to the target, where there are any yet; a later event of the same three replaces this.
    """

    family: str
    variant: str
    target: str
    rows: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class ScoreReady:
    """A score is final."""

    score: AsrScore


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know that does not stop the command."""

    text: str


@dataclass(frozen=True, slots=True)
class ScanReady:
    """A scan is judged."""

    scan: Scan


@dataclass(frozen=True, slots=True)
class PartnerScanned:
    """A partner turned out to have a backdoor of its own: the scan that its answers beside the suspect's make."""

    scan: Scan


@dataclass(frozen=True, slots=True)
class Tried:
    """A recipe of a search was tried; `front` holds the numbers of the trials that no other dominates by now."""

    trial: TrialRow
    front: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MergeReady:
    """A merged model stands in its directory."""

    merge: Merge


@dataclass(frozen=True, slots=True)
class AuditReady:
    """An audit is finished."""

    audit: Audit


@dataclass(frozen=True, slots=True)
class BenchmarkReady:
    """A model's benchmark is finished."""

    model: str
    scores: tuple[BenchmarkScore, ...]


@dataclass(frozen=True, slots=True)
class ModelReady:
    """A model was trained or fetched into a directory."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event: the exit code and one sentence."""

    code: int
    text: str = ""


Event = (
    Started
    | Stage
    | Progress
    | RunOpened
    | BatchAnswered
    | RunNoted
    | Tally
    | RowsSeen
    | ScoreReady
    | Warned
    | FilesReady
    | ScanReady
    | PartnerScanned
    | Tried
    | MergeReady
    | AuditReady
    | BenchmarkReady
    | ModelReady
    | Finished
)
