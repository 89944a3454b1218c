"""The façade that the commands hold: one method a capability, each an iterator of events or a record."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auditor.audit.audit import audit
from auditor.audit.compare import Side, compare
from auditor.audit.plan import AuditPlan, plan_audit, with_students
from auditor.bench.choose import benchmarks_for
from auditor.bench.paired import changes
from auditor.errors import AuditorError, UsageError
from auditor.events import Event
from auditor.events.journal import journal
from auditor.merge.compatibility.labels import check_stated
from auditor.merge.merge import merge
from auditor.merge.verify import Verification, verify_with
from auditor.models.hub import Hub
from auditor.models.resolver import Resolver
from auditor.partners.hub import LIMIT, Offers, search_offers
from auditor.partners.proposals import catalogued_partners
from auditor.partners.ranking import Proposal
from auditor.policy import Policy
from auditor.requests.bench import BenchRequest
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.safety.examine import attached, examine, first_look
from auditor.safety.sampled import refuse_no_weights
from auditor.scan.execution.backend import CatalogBackend
from auditor.scan.prepare import Prepared, prepare_scan
from auditor.scan.scan import scan
from auditor.scan.stored import rebuild
from auditor.settings import Settings
from auditor.students.beside import prepare_with_students
from store.catalog import Catalog
from store.records import Audit, BenchmarkScore, CatalogEntry, Comparison, FileReport, Profile, Scan


@dataclass
class Session:
    """Everything that the program can do, over one catalog."""

    settings: Settings
    catalog: Catalog
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        self.backend = CatalogBackend(self.settings, self.catalog)
        self.resolver = Resolver(self.catalog)

    def profile(
        self, reference: str, *, base: str | None = None, register: bool = True, hash_weights: bool = True
    ) -> Profile:
        """The profile of the model that a reference names; see `Resolver.profile`, which raises the same."""
        return self.resolver.profile(reference, base=base, register=register, hash_weights=hash_weights)

    def register(self, path: Path, *, tags: tuple[str, ...] = (), planted: str | None = None) -> CatalogEntry:
        """Adds a model's directory to the catalog."""
        return self.resolver.register(path, tags=tags, planted=planted)

    def prepare(self, request: ScanRequest, *, beside: Sequence[Profile] = ()) -> Prepared:
        """Everything that can be checked before a scan runs; see `prepare_scan`, which raises the same."""
        return prepare_scan(request, self.resolver, self.policy, self.backend, beside=beside)

    def scan(self, request: ScanRequest) -> Generator[Event, None, None]:
        """Probes one model; the last event carries the scan."""
        seen = yield from self._files((request.model,))
        prepared = yield from prepare_with_students(request, self.resolver, self.policy, self.backend, self.settings)
        yield from journal(attached(scan(prepared, self.backend), seen), self.catalog)

    def files(self, reference: str) -> Generator[Event, None, None]:
        """Looks at a model's files and loads none; the last event carries the record. Raises as `examine`."""
        yield from journal(examine(reference, self.resolver), self.catalog)

    def _files(self, references: Sequence[str]) -> Generator[Event, None, dict[str, FileReport]]:
        """What the files of models hold, stored, before anything of them is loaded."""
        seen: dict[str, FileReport] = {}

        def looking() -> Generator[Event, None, None]:
            seen.update((yield from first_look(references, self.resolver)))

        yield from journal(looking(), self.catalog)
        return seen

    def bench(
        self, reference: str, request: BenchRequest, *, base: str | None = None
    ) -> Generator[Event, None, tuple[Profile, tuple[BenchmarkScore, ...]]]:
        """Asks a model benchmarks. Raises as `benchmarks_for` and `run_benchmarks`.

        Args:
            base: what the model stands on, where it is an adapter.
        """
        profile = self.profile(reference, base=base)
        return profile, (yield from self.backend.bench(benchmarks_for(request, profile), profile, fresh=request.fresh))

    def partners(
        self, reference: str, *, base: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Proposal]:
        """The catalogued models as partners of a model, the usable ones first, each with reasons or blockers.

        Args:
            base: what the model stands on, where it is an adapter.
            labels: those of partners that are labels of the model under another name.

        Raises:
            UsageError: the model has no such label.
        """
        suspect = self.profile(reference, base=base)
        check_stated(labels or {}, suspect)
        return catalogued_partners(self.catalog, suspect, labels=labels)

    def offers(self, reference: str, *, base: str | None = None, limit: int = LIMIT) -> Offers:
        """Models of the same base and task on the hub; nothing is fetched.

        Raises:
            UsageError: the model states no base, and none is given.
            FetchError: the hub was not reached.
        """
        known = {e.profile.ref.revision for e in self.catalog.models.list() if e.profile.ref.revision}
        return search_offers(self.profile(reference), Hub(), base=base, limit=limit, known=known)

    def plan(self, request: ScanRequest, cure: MergeRequest) -> AuditPlan:
        """Everything that can be checked before an audit runs; see `plan_audit`, which raises the same."""
        return plan_audit(request, cure, self.resolver, self.policy, self.backend, self.settings)

    def audit(self, request: ScanRequest, cure: MergeRequest) -> Generator[Event, None, None]:
        """Scan, merge, rescan, compare, stamp; the last event carries the audit. Raises as `plan`."""
        plan = self.plan(request, cure)
        for partner in plan.partners if cure.partners else ():
            refuse_no_weights(partner)
        seen = yield from self._files((request.model,))
        plan = yield from with_students(plan, request, cure, self.resolver, self.settings)
        yield from journal(attached(audit(plan, self.backend, self.catalog, self.settings), seen), self.catalog)

    def merge(self, reference: str, request: MergeRequest) -> Generator[Event, None, None]:
        """Merges a model with partners into a directory. Raises as `auditor.merge.merge.merge`."""
        for partner in request.partners:
            try:
                profile = self.resolver.profile(partner, register=False, hash_weights=False)
            except AuditorError:
                continue  # the merge says what is wrong, in its own order
            refuse_no_weights(profile)
        yield from merge(reference, request, self.resolver, self.settings)

    def compare(self, before: str, after: str) -> Comparison:
        """Two stored scans side by side, row by row.

        Raises:
            UsageError: no such scan, other rows, or answers that are no longer stored.
        """
        first, second = self.stored_scan(before), self.stored_scan(after)
        sides = [Side(s, rebuild(s, self.catalog)) for s in (first, second)]
        benchmarks = changes(first.scores.benchmarks, second.scores.benchmarks, self.catalog.benchmarks)
        return Comparison(first, second, compare(*sides), benchmarks)

    def verify(self, directory: Path) -> Verification:
        """Checks a merged directory. Raises as `auditor.merge.verify.verify_with`."""
        return verify_with(directory, self.catalog)

    def stored_scan(self, name: str) -> Scan:
        """A stored scan by id (or its beginning), or the latest of a catalogued model."""
        found = self.catalog.scans.get(name)
        if found is None and (entry := self.catalog.models.find(name)) and entry.last_scan:
            found = self.catalog.scans.get(entry.last_scan)
        if found is None:
            raise UsageError(
                f"there is no scan {name!r} in the catalog", hint="`auditor report --list` shows what there is."
            )
        return found

    def record(self, name: str) -> Scan | Audit:
        """A stored audit or scan by its id."""
        return self.catalog.audits.get(name) or self.stored_scan(name)

    def entries(self, text: str = "") -> list[CatalogEntry]:
        """The catalogued models whose name, reference, architecture or tags hold a text."""
        return self.catalog.models.list(text=text)
