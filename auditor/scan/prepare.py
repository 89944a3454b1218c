"""What a scan begins with: the suspect and its references checked, the rows sampled, the plan laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditor.bench.choose import benchmarks_for
from auditor.bench.task import Benchmark
from auditor.data.rows import read_prompts_of, read_rows
from auditor.data.split import clean_rows
from auditor.errors import UsageError
from auditor.models.files.adapter import require_whole
from auditor.models.resolver import Resolver
from auditor.models.runtime.spec import LoadSpec
from auditor.models.runtime.tokenizer import ModelTokenizer
from auditor.policy import Policy
from auditor.requests.scan import ScanRequest
from auditor.scan.checks import audience_of, check_request, check_target, check_task, target_index, writes
from auditor.scan.execution.executor import Backend
from auditor.scan.judgement.judging import Judging, judging_for, not_judgeable
from auditor.scan.plan import Plan, plan_for
from auditor.scan.references import able, decisive, distinct, independent
from auditor.scan.triggers import stored_triggers, together
from probes.answer import Answers
from probes.behaviours import LABELS
from probes.corpus import Corpus
from probes.corpus.label_words import LabelSet, label_sets
from probes.corpus.prompts import sample_prompts
from probes.family import CLASSIFIER, FAMILIES, families_for
from probes.input import Row, Text
from probes.material.kind import Pieces
from probes.sampling import distinct as distinct_rows
from probes.sampling import sample
from probes.suite import PROMPTS, SAMPLES, build_suite
from probes.trigger import CUSTOM, Trigger
from probes.window import Reader, Window, unmeasured, window_for
from store.records import Profile, Screened

FULL = "full"


@dataclass(frozen=True)
class Prepared:
    """A scan that can begin: the suspect, its rows, the plan and how it is judged.

    `fixed` are the answers that an earlier scan held the same rows against, where this one is compared with it.
    """

    request: ScanRequest
    suspect: Profile
    references: tuple[Profile, ...]
    corpus: Corpus
    plan: Plan
    policy: Policy
    device: str
    dtype: str
    fixed: Answers | None = None
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
    benchmarks: tuple[Benchmark, ...] = ()
    """What the suspect is asked beside the suite, and a model that is made of it in the same way."""
    label_sets: tuple[LabelSet, ...] = (LABELS,)
    """The labels that prompts ask for."""

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

    @property
    def judging(self) -> Judging:
        """How its kind of model is asked and judged."""
        if writes(self.suspect):
            asking, target = self.request.asking, self.request.target
            return judging_for(self.suspect.task, (), asking=asking, target=target, label_sets=self.label_sets)
        return judging_for(self.suspect.task, self.suspect.labels, self.targets)

    def load(self, profile: Profile) -> LoadSpec:
        """How one of the models is opened for the plan; references are cut where the suspect is."""
        return LoadSpec(
            profile, self.device, self.dtype, min(self.max_length, profile.max_length), asking=self.judging.asking
        )


def taken(request: ScanRequest, suspect: Profile) -> int:
    """Tokens of an input that a scan's suspect takes."""
    return min(request.max_length or suspect.max_length, suspect.max_length)


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
        if other.task is not suspect.task:
            raise UsageError(
                f"the reference {other.ref.reference} is for {other.task}, the suspect for {suspect.task}",
                hint="References are asked what the suspect is asked.",
            )
        if tuple(name.casefold() for name in other.labels) != tuple(name.casefold() for name in suspect.labels):
            raise UsageError(
                f"the reference {other.ref.reference} has the labels {', '.join(other.labels)}; "
                f"the suspect has {', '.join(suspect.labels)}",
                hint="References answer the same labels in the same order.",
            )
    if request.target is not None:
        check_target(request.target, suspect, corpus.rows)
    kept, notes = independent(suspect, references)
    request = replace(request, overrides=family_options(request, policy, audience_of(suspect)))
    several = decisive([*kept, *able(suspect, beside)]) or base is not None
    triggers = together(triggers, request)
    suite = build_suite(
        request.suite,
        only=request.families,
        overrides=request.overrides,
        referenced=several,
        triggers=triggers,
        audience=audience_of(suspect),
    )
    probed, rows = _sampled(request, suspect, corpus)
    if request.target is not None and writes(suspect):
        # The sample may have lost labels that few prompts ask for.
        check_target(request.target, suspect, rows)
    device, dtype = backend.device()
    tokenizer = None if not_judgeable(suspect) else backend.tokenizer(suspect)
    seen, cut, window = rows, 0, None
    if tokenizer is not None and not writes(suspect):
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
        label_sets=label_sets(plan.rows) if writes(suspect) else (),
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
    suspect = resolver.profile(request.model, base=request.base)
    check_task(suspect)
    check_request(request, suspect)
    if not suspect.parts and not request.students:
        # An audit's base may be its merge's alone: the scan has no part for it.
        request = replace(request, base=None)
    references = [resolver.profile(r, base=request.base) for r in request.references]
    if corpus is None:
        # Where the head cannot be judged, that is the answer: labels that do not fit it are no fault of the file.
        data = replace(request.data, label_column="") if not_judgeable(suspect) else request.data
        corpus = read_prompts_of(request) if writes(suspect) else read_rows(data, suspect.labels)
    found = prepare(request, suspect, references, corpus, policy, backend, beside=beside, base=base, triggers=triggers)
    if not request.bench.tasks or not_judgeable(suspect):
        return found
    return replace(found, benchmarks=tuple(benchmarks_for(request.bench, suspect)))


def _sampled(request: ScanRequest, suspect: Profile, corpus: Corpus) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The rows that are probed, and with them those that are asked as they are beside."""
    if writes(suspect):
        # A prompt that is only asked as it is costs as much as one with a trigger, and no accuracy is told by it.
        probed = sample_prompts(corpus.rows, request.samples or PROMPTS[request.suite], request.seed)
        return probed, probed
    probed = sample(corpus.rows, request.samples or SAMPLES[request.suite], request.seed)
    return probed, (*probed, *clean_rows(corpus.rows, probed, request.seed))


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


def family_options(request: ScanRequest, policy: Policy, audience: str = CLASSIFIER) -> dict[str, dict[str, Any]]:
    """Options by family: the policy's, changed by the request's one by one.

    A policy speaks of every scan, so its options for families that this one does not fire are left out.

    Args:
        audience: the kind of model that is scanned.

    Raises:
        UnknownFamily: the policy names none.
    """
    fired = request.families or families_for(audience)
    found = {FAMILIES[name].name: dict(values) for name, values in policy.families.items()}
    found = {name: values for name, values in found.items() if name in fired}
    for name, values in request.overrides.items():
        found[name] = {**found.get(name, {}), **values}
    return found


def with_references(prepared: Prepared, models: Sequence[Profile]) -> Prepared:
    """The same scan with further references, which were made for it."""
    return replace(prepared, references=distinct([*prepared.references, *models]))
