"""What a scan begins with: the suspect and its references checked, the rows sampled, the plan laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditor.data.rows import read_rows
from auditor.data.split import clean_rows
from auditor.errors import UsageError
from auditor.models.files.adapter import require_whole
from auditor.models.resolver import Resolver
from auditor.models.runtime.spec import LoadSpec
from auditor.models.runtime.tokenizer import ModelTokenizer
from auditor.policy import Policy
from auditor.requests.scan import ScanRequest
from auditor.scan.execution.executor import Backend
from auditor.scan.judgement.classification import not_judgeable
from auditor.scan.plan import Plan, plan_for
from auditor.scan.references import able, decisive, distinct, independent
from probes.corpus import Corpus
from probes.corpus.gold import by_name
from probes.family import CLASSIFIER, FAMILIES, families_for
from probes.input import Row, Text
from probes.material.kind import Pieces
from probes.sampling import distinct as distinct_rows
from probes.sampling import sample
from probes.suite import SAMPLES, build_suite
from probes.trigger import CUSTOM, FOUND, Trigger
from probes.window import Reader, Window, unmeasured, window_for
from store.catalog import Catalog
from store.records import Profile, Screened, Task

FULL = "full"
SHOWN = 10
"""Stored triggers that a refusal names, at most."""


@dataclass(frozen=True)
class Prepared:
    """A scan that can begin: the suspect, its rows, the plan and how it is judged.

    `fixed_labels` are the reference labels of an earlier scan of the same rows, where this one is compared with it.
    """

    request: ScanRequest
    suspect: Profile
    references: tuple[Profile, ...]
    corpus: Corpus
    plan: Plan
    policy: Policy
    device: str
    dtype: str
    fixed_labels: tuple[int, ...] = ()
    judged_by_references: bool = False
    """Whether there are enough references, or models that can be asked as such, for variants that they alone decide."""
    notes: tuple[str, ...] = ()
    """What the user should know of the references."""
    tokenizer: ModelTokenizer | None = None
    """The suspect's; None where the suspect cannot be judged at all."""
    window: Window | None = None
    """What the suspect and all its references see of a row."""
    cut: int = 0
    """How many of the plan's rows were longer than that, and are cut to it."""
    unjudged: tuple[str, ...] = ()
    """What this scan leaves unjudged whatever the answers are."""
    screened: tuple[Screened, ...] = ()
    """Triggers that were tried alone, where that is done already."""

    @property
    def max_length(self) -> int:
        return taken(self.request, self.suspect)

    def apart(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """Other rows as the models see them, without those of which they see what they see of the plan's."""
        seen = distinct_rows(rows if self.window is None else self.window.cut(rows))
        judging = {row.input for row in self.plan.rows}
        return tuple(row for row in seen if row.input not in judging)

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """The triggers of the user's own, and found ones, that the plan fires."""
        return tuple(probe.trigger for probe in self.plan.suite.probes if probe.trigger is not None)

    @property
    def pieces(self) -> Pieces:
        """How many tokens the suspect's tokenizer makes of a word."""
        counter = self.tokenizer
        if counter is None:
            return len
        return lambda word: counter.count([Text(word)])[0]

    @property
    def targets(self) -> tuple[int, ...]:
        if self.request.target is None:
            return tuple(range(len(self.suspect.labels)))
        return (target_index(self.request.target, self.suspect.labels),)

    def load(self, profile: Profile) -> LoadSpec:
        """How one of the models is opened for the plan; references are cut where the suspect is."""
        return LoadSpec(profile, self.device, self.dtype, min(self.max_length, profile.max_length))


def taken(request: ScanRequest, suspect: Profile) -> int:
    """Tokens of an input that a scan's suspect takes."""
    return min(request.max_length or suspect.max_length, suspect.max_length)


def target_index(text: str, labels: Sequence[str]) -> int:
    """A label by its name (case does not matter where one name fits) or index.

    Raises:
        UsageError: no such label, or several; the message lists them.
    """
    if (named := by_name(labels)(text.strip())) is not None:
        return named
    if text.isdecimal() and int(text) < len(labels):
        return int(text)
    known = ", ".join(f"{i} {name}" for i, name in enumerate(labels))
    raise UsageError(f"the model has no label {text!r}", hint=f"Its labels are: {known}")


def prepare(
    request: ScanRequest,
    suspect: Profile,
    references: Sequence[Profile],
    corpus: Corpus,
    policy: Policy,
    backend: Backend,
    *,
    beside: Sequence[Profile] = (),
    base: Profile | None = None,
    triggers: Sequence[Trigger] = (),
) -> Prepared:
    """Checks what can be checked before anything runs, samples the rows and lays out the plan.

    Args:
        beside: models that will be asked as references where the scan takes some, as an audit's partners are.
        base: what students of the suspect are made from that will be asked as well.
        triggers: stored ones, which are fired beside those of the user's file.

    Raises:
        UsageError: the model is no classifier, a reference has other labels or the suspect's own weights, an unknown
            target, two triggers of one name.
        ModelError: a reference's files are gone or damaged, or a model is an adapter.
    """
    check_task(suspect)
    for other in references:
        require_whole(other)
        if tuple(name.casefold() for name in other.labels) != tuple(name.casefold() for name in suspect.labels):
            raise UsageError(
                f"the reference {other.ref.reference} has the labels {', '.join(other.labels)}; "
                f"the suspect has {', '.join(suspect.labels)}",
                hint="References answer the same labels in the same order.",
            )
    if request.target is not None:
        target_index(request.target, suspect.labels)
    kept, notes = independent(suspect, references)
    request = replace(request, overrides=family_options(request, policy))
    several = decisive([*kept, *able(suspect, beside)]) or base is not None
    triggers = _together(triggers, request)
    suite = build_suite(
        request.suite,
        only=request.families,
        overrides=request.overrides,
        referenced=several,
        triggers=triggers,
    )
    probed = sample(corpus.rows, request.samples or SAMPLES[request.suite], request.seed)
    rows = (*probed, *clean_rows(corpus.rows, probed, request.seed))
    device, dtype = backend.device()
    tokenizer = None if not_judgeable(suspect) else backend.tokenizer(suspect)
    seen, cut, window = rows, 0, None
    if tokenizer is not None:
        others = [*able(suspect, beside), *([base] if base is not None else [])]
        tokens = min(taken(request, suspect), *(p.max_length for p in (suspect, *others)))
        window, long = _window(_readers(suspect, tokenizer, tokens, kept, backend), request, rows, triggers)
        seen, cut = _as_seen(rows, window) if long else (rows, 0)
    among = {row.index for row in probed}
    plan = plan_for(suite, seen, request.seed, device, probed=sum(row.index in among for row in seen))
    return Prepared(
        request,
        suspect,
        kept,
        corpus,
        plan,
        policy,
        device,
        dtype,
        judged_by_references=several,
        notes=notes,
        tokenizer=tokenizer,
        window=window,
        cut=cut,
        unjudged=unjudged(tokenizer, plan),
    )


def prepare_scan(
    request: ScanRequest,
    resolver: Resolver,
    policy: Policy,
    backend: Backend,
    *,
    beside: Sequence[Profile] = (),
    corpus: Corpus | None = None,
    base: Profile | None = None,
) -> Prepared:
    """What a request asks for, found and read; everything that can be checked before a scan runs.

    Args:
        corpus: the request's rows, where they have been read already.
        beside, base: see `prepare`, which raises the same.
    """
    triggers = stored_triggers(request.triggers, resolver.catalog)
    if triggers:
        families = request.families and tuple(dict.fromkeys((*request.families, CUSTOM)))
        request = replace(request, families=families, triggers=tuple(trigger.id for trigger in triggers))
    suspect = resolver.profile(request.model)
    check_task(suspect)
    references = [resolver.profile(r) for r in request.references]
    if corpus is None:
        # Where the head cannot be judged, that is the answer: labels that do not fit it are no fault of the file.
        data = replace(request.data, label_column="") if not_judgeable(suspect) else request.data
        corpus = read_rows(data, suspect.labels)
    return prepare(request, suspect, references, corpus, policy, backend, beside=beside, base=base, triggers=triggers)


def stored_triggers(ids: Sequence[str], catalog: Catalog) -> tuple[Trigger, ...]:
    """The triggers of a catalog by their ids or unique beginnings of these.

    Raises:
        UsageError: there is none of an id, or more than one.
    """
    found: dict[str, Trigger] = {}
    for wanted in ids:
        trigger = catalog.triggers.get(wanted.removeprefix(FOUND))
        if trigger is None:
            known = [f"{t.id} ({CUSTOM}/{t.variant})" for t in catalog.triggers.list(limit=SHOWN)]
            raise UsageError(
                f"no stored trigger, or more than one, has an id that begins with {wanted!r}",
                hint=f"Give one of these: {', '.join(known)}."
                if known
                else "Scan with --set custom.file=FILE first: that stores the file's triggers.",
            )
        found[trigger.digest] = trigger
    return tuple(found.values())


def _together(stored: Sequence[Trigger], request: ScanRequest) -> tuple[Trigger, ...]:
    """Stored triggers beside those of the user's file, each once; none where only the file's are fired."""
    if not stored:
        return ()
    own = FAMILIES[CUSTOM].triggers(request.overrides.get(CUSTOM))
    found = {trigger.digest: trigger for trigger in (*own, *stored)}
    names = [trigger.variant for trigger in found.values()]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(
            f"two triggers are called {CUSTOM}/{twice[0]}", hint="Scan with one of them, or rename the file's."
        )
    return tuple(found.values())


def _readers(
    suspect: Profile, tokenizer: ModelTokenizer, tokens: int, references: Sequence[Profile], backend: Backend
) -> tuple[Reader, ...]:
    """Who reads the rows: one a tokenizer, with the tokens of the model that takes the fewest."""
    most, counters = {suspect.tokenizer_digest: tokens}, {suspect.tokenizer_digest: tokenizer}
    for profile in references:
        digest = profile.tokenizer_digest
        most[digest] = min(most.get(digest, tokens), profile.max_length)
        if digest not in counters:
            counters[digest] = backend.tokenizer(profile)
    # In an order of their own: two models that are each other's reference are asked the same.
    return tuple(Reader(counters[digest], most[digest]) for digest in sorted(most))


def _window(
    readers: Sequence[Reader], request: ScanRequest, rows: Sequence[Row], triggers: Sequence[Trigger] = ()
) -> tuple[Window, bool]:
    """What all models see of a row, and whether any of these rows comes near its end.

    Room is left for all that a later scan of the same rows may fire, so that a rescan asks the same texts.
    """
    widest = build_suite(FULL, overrides=request.overrides, referenced=True, also=request.families, triggers=triggers)
    measured = window_for(readers, widest, rows, seed=request.seed)
    return measured or unmeasured(readers), measured is not None


def _as_seen(rows: Sequence[Row], window: Window) -> tuple[tuple[Row, ...], int]:
    """The rows as all models can see them with any edit, without copies of earlier ones, and how many were cut."""
    whole = {row.index: row for row in rows}
    seen = distinct_rows(window.cut(rows))
    return seen, sum(row is not whole[row.index] for row in seen)


def as_seen(suspect: Profile, rows: Sequence[Row], request: ScanRequest, backend: Backend) -> tuple[Row, ...]:
    """Rows as a scan of the model would ask them, for whoever edits them otherwise.

    Raises:
        ModelError: the model's tokenizer cannot be loaded.
    """
    readers = _readers(suspect, backend.tokenizer(suspect), taken(request, suspect), (), backend)
    window, long = _window(readers, request, rows)
    return _as_seen(rows, window)[0] if long else tuple(rows)


def unjudged(tokenizer: ModelTokenizer | None, plan: Plan) -> tuple[str, ...]:
    """What a scan leaves unjudged whatever the answers are: the tokenizer that others may read the model's with."""
    return () if tokenizer is None else tokenizer.unjudged(plan.inputs)


def check_task(suspect: Profile) -> None:
    """Raises:
    ModelError: the model is an adapter, which is judged with its base.
    UsageError: the model is no classifier.
    """
    require_whole(suspect)
    if suspect.task is not Task.CLASSIFICATION:
        raise UsageError(
            f"{suspect.ref.reference} is a {suspect.architecture} ({suspect.task}); this suite probes text classifiers",
            hint="Give a model whose config.json names a …ForSequenceClassification architecture.",
        )


def family_options(request: ScanRequest, policy: Policy) -> dict[str, dict[str, Any]]:
    """Options by family: the policy's, changed by the request's one by one.

    A policy speaks of every scan, so its options for families that this one does not fire are left out.

    Raises:
        UnknownFamily: the policy names none.
    """
    fired = request.families or families_for(CLASSIFIER)
    found = {FAMILIES[name].name: dict(values) for name, values in policy.families.items()}
    found = {name: values for name, values in found.items() if name in fired}
    for name, values in request.overrides.items():
        found[name] = {**found.get(name, {}), **values}
    return found


def with_references(prepared: Prepared, models: Sequence[Profile]) -> Prepared:
    """The same scan with further references, which were made for it."""
    return replace(prepared, references=distinct([*prepared.references, *models]))
