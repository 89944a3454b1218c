"""What everyone sees: frozen records of models, scans, merges and audits. Plain values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from probes.rates import Difference, Rate


class Task(StrEnum):
    """What a model is for."""

    CLASSIFICATION = "text-classification"
    GENERATION = "text-generation"
    OTHER = "other"


class Verdict(StrEnum):
    """What a scan says. There is no "clean"."""

    FOUND = "backdoor-found"
    SUSPICIOUS = "suspicious"
    NOTHING = "nothing-found"
    INCOMPLETE = "incomplete"


class Stamp(StrEnum):
    """What an audit says of the cure."""

    SANITISED = "sanitised"
    REPLACED = "replaced"
    IMPROVED = "improved"
    NOT_SANITISED = "not-sanitised"
    WORSE = "worse"
    NOT_APPLICABLE = "not-applicable"
    NOT_JUDGED = "not-judged"


class Severity(StrEnum):
    """How bad a finding is, from the size of its excess."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a model's files: name, shape, and the dtype as safetensors writes it (F32, BF16, …)."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A resolved reference: what the user named, where it lies, and what it is.

    `revision` is the hub commit (None for a path); `digest` covers every file that can change behaviour.
    """

    reference: str
    path: str
    digest: str
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRead:
    """What of a model's files was read for a scan, and how; the report's `model.read`.

    Attributes:
        weights: names of the weight files.
        tokenizer: the class that was loaded and the file that its vocabulary is from.
        padding: the pad token with its id, what states it, and the side on which it is put.
        window: tokens that the model takes of an input.
        window_from: what states them.
        labels_from: whence the label names are.
        notes: sentences on whatever else was decided in reading.
    """

    weights: tuple[str, ...] = ()
    tokenizer: str = ""
    padding: str = ""
    window: int = 0
    window_from: str = ""
    labels_from: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What a model's files say of it, read without loading it.

    `files` maps each file that can change behaviour to its SHA-256; `signature` is the digest of the tensor inventory
    (names and shapes, without dtypes); `max_length` is the number of tokens it takes; `base` the base model's name
    if stated; `read` says what was read and how, as far as files alone tell.
    """

    ref: ModelRef
    architecture: str
    model_type: str
    task: Task
    labels: tuple[str, ...]
    problem_type: str | None
    parameters: int
    dtype: str
    max_length: int
    vocabulary: int
    tensors: tuple[TensorInfo, ...]
    signature: str
    tokenizer_digest: str
    files: Mapping[str, str]
    base: str | None = None
    licence: str | None = None
    read: ModelRead = ModelRead()


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model in the catalog, with the figures that a list shows.

    `found_by` is the last scan in which a backdoor was found: no later one takes that back, least of all one that was
    smaller.
    """

    id: int
    name: str
    profile: Profile
    added: str
    tags: tuple[str, ...] = ()
    planted: str | None = None
    last_scan: str | None = None
    last_verdict: Verdict | None = None
    last_scanned: str | None = None
    worst_asr: float | None = None
    cacc: float | None = None
    found_by: str | None = None


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
    read: ModelRead = ModelRead()


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
    """How a scan was made. `families` maps a name to the options that the user changed."""

    seed: int
    device: str
    dtype: str
    max_length: int
    suite: str
    samples: int
    families: Mapping[str, Mapping[str, object]]
    references: tuple[ReferenceUse, ...] = ()


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
class BenchmarkScore:
    """One metric of an LLM benchmark."""

    task: str
    metric: str
    value: float
    stderr: float
    rows: int


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of a scan. `cacc` is None without gold labels."""

    cacc: Rate | None
    asr: tuple[AsrScore, ...]
    benchmarks: tuple[BenchmarkScore, ...] = ()


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
class Finding:
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
    """Keys of the stored answers behind the scores: the suspect's, then the references'."""
    reference_labels: tuple[int, ...] = ()
    """The label index that each row is held against (−1: none): gold, or the suspect's own clean prediction."""
    screened: tuple[Screened, ...] = ()
    """Triggers without a control of their own that were tried alone on a few rows first."""


@dataclass(frozen=True, slots=True)
class PartnerUse:
    """A partner in a merge and its weight."""

    reference: str
    digest: str
    weight: float


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge that was made.

    `kept` is the mean coefficient over the suspect's task vector (0 to 1). Where parts of it are kept in different
    measure, each tensor counts by the squared length of its difference from the base, or without one from the mean of
    the partners.
    """

    strategy: str
    options: Mapping[str, object]
    suspect: str
    suspect_digest: str
    suspect_weight: float
    kept: float
    partners: tuple[PartnerUse, ...]
    output: str
    digest: str
    seconds: float
    peak_bytes: int
    device: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A recipe that a search tried, in memory, on rows that do not judge it.

    `weights` maps a group of modules (a kind, or a kind in some layers) to one weight a model, the suspect's first;
    they are those of `strategy`, with `options`. `gap` is how far its worst attack
    success rate stood above the partners' mean, `clean` its clean accuracy or agreement with the suspect, `kept` the
    share of the suspect that it keeps; fractions. `front` says whether no other trial was better in all three.
    """

    number: int
    weights: Mapping[str, tuple[float, ...]]
    gap: float
    clean: float
    kept: float
    front: bool = False
    chosen: bool = False
    strategy: str = "wag"
    options: Mapping[str, object] = field(default_factory=dict)
    asr: float | None = None
    """The mean attack success rate over all attacks."""


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """A search for a recipe: the partners in the weights' order, how many trials and rows, and those worth showing.

    `trials` are the front and the chosen one; `confirmed` how the candidates did on rows that the search did not use,
    and `average` the plain average of all models among them.
    """

    partners: tuple[str, ...]
    tried: int
    rows: int
    confirm_rows: int
    seconds: float
    trials: tuple[TrialRow, ...]
    confirmed: tuple[TrialRow, ...]
    average: TrialRow | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One measure before and after the cure; `delta` is after − before, paired by row."""

    measure: str
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two scans of the same rows side by side."""

    before: Scan
    after: Scan
    change: tuple[Change, ...]


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


@dataclass(frozen=True, slots=True)
class Run:
    """A model's answers to a plan, as far as they are stored. `key` fixes model, plan, length, dtype and kind of
    device; `notes` are sentences on how the answers were made.
    """

    id: int
    key: str
    model_digest: str
    batches: int
    answered: tuple[AnswerBatch, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerBatch:
    """A finished batch of a run: the plan's batch number, one label (None = unscorable) and one probability vector
    an ask.
    """

    number: int
    labels: tuple[int | None, ...]
    probabilities: tuple[tuple[float, ...], ...]


class JobState(StrEnum):
    """Where a job stands. LOST: its process is gone and left no exit code."""

    RUNNING = "running"
    DONE = "done"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Job:
    """A command started in the background: its process, command line, event file and exit code."""

    id: str
    pid: int
    started: str
    command: tuple[str, ...]
    events: str
    state: JobState = JobState.RUNNING
    exit_code: int | None = None
    finished: str | None = None
    subject: str = ""
    log: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
