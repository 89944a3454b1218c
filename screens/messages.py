"""What the application tells its screens, and what screens ask it to open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widget import Widget

    from auditor.jobs.progress import JobProgress
    from store.records import Audit, BenchmarkChange, CatalogEntry, Job, Scan


@dataclass
class JobChanged(Message):
    """Something is new of a job: events, its memory in bytes, or its end."""

    job: Job
    progress: JobProgress
    memory: int | None = None

    @property
    def ended(self) -> bool:
        return str(self.job.state) != "running"


@dataclass
class CatalogChanged(Message):
    """Models, scans or audits may have changed."""


@dataclass
class Open(Message):
    """Asks the application for a page or a dialog. Those who ask do not know who shows it.

    It is posted to the application itself: a screen that is closing passes nothing on.
    """


@dataclass
class OpenModel(Open):
    """All that is known of a model."""

    entry: CatalogEntry


@dataclass
class OpenScanForm(Open):
    """The form of a scan."""

    entry: CatalogEntry


@dataclass
class OpenPartners(Open):
    """Who can be merged with a model."""

    entry: CatalogEntry


@dataclass
class OpenMakePartners(Open):
    """The form of an audit that trains its partners."""

    entry: CatalogEntry


@dataclass
class OpenMergeForm(Open):
    """The form of a merge with partners."""

    entry: CatalogEntry
    partners: tuple[CatalogEntry, ...]


@dataclass
class OpenResult(Open):
    """A stored scan."""

    scan: str


@dataclass
class OpenComparison(Open):
    """A stored audit, or two stored scans; the user chooses a scan that is not named."""

    audit: str | None = None
    before: str | None = None
    after: str | None = None


@dataclass
class OpenRows(Open):
    """The rows of one probe that are answered otherwise in another scan."""

    before: Scan
    after: Scan
    family: str
    variant: str
    target: str


@dataclass
class OpenResidual(Open):
    """What an audit's merge leaves of what was found."""

    audit: Audit


@dataclass
class OpenJob(Open):
    """A job, running or past."""

    job: Job


@dataclass
class OpenSearch(Open):
    """The recipes that a job has tried."""

    job: Job
    progress: JobProgress


@dataclass
class OpenJobs(Open):
    """All jobs."""


@dataclass
class OpenReports(Open):
    """All stored scans and audits."""


@dataclass
class OpenSettings(Open):
    """The settings."""


@dataclass
class OpenExport(Open):
    """The export of a stored record; its kind is `scan` or `audit`."""

    record: str
    kind: str


@dataclass
class OpenBenchmarks(Open):
    """Benchmarks before and after; of an audit, where its id is given."""

    before: Scan
    after: Scan
    changes: tuple[BenchmarkChange, ...]
    audit: str | None


@dataclass
class OpenAdd(Open):
    """Adding a directory to the catalog."""


@dataclass
class OpenPull(Open):
    """Fetching a model from the hub."""


@dataclass
class OpenRemove(Open):
    """Taking a model out of the catalog."""

    entry: CatalogEntry


@dataclass
class OpenTags(Open):
    """The words to find a model by."""

    entry: CatalogEntry


@dataclass
class OpenHelp(Open):
    """The help of a screen and of its focused widget."""

    screen: Screen[Any]
    focused: Widget | None


@dataclass
class OpenQuit(Open):
    """What becomes of running jobs when the application quits."""

    jobs: tuple[Job, ...]
