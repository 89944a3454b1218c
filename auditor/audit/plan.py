"""What an audit will do, all of it settled and checked before a model is asked or trained."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from auditor.audit.output import Place
from auditor.data.split import RowSplit, held_back
from auditor.errors import UsageError
from auditor.events import Event
from auditor.merge.compatibility.labels import check_stated, relabelled
from auditor.merge.layout.layout import lay_out
from auditor.merge.merge import recipe_of
from auditor.merge.recipe import Recipe
from auditor.merge.strategy import STRATEGIES
from auditor.models.files.adapter import bare
from auditor.models.resolver import Resolver
from auditor.partners.proposals import check_apart, check_no_copy, choose_partners
from auditor.policy import Policy
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.scan.checks import check_task, writes
from auditor.scan.execution.executor import Backend
from auditor.scan.prepare import Prepared, prepare_scan, with_references
from auditor.settings import Settings, data_directory
from auditor.students.beside import Course, offer, plan_course, teach
from probes.input import Row
from probes.sampling import distinct, sample
from store.records import Profile


@dataclass(frozen=True)
class AuditPlan:
    """The scan, what the suspect is merged with and how, and where the result goes.

    Attributes:
        scan: the suspect's, which the rescan repeats.
        partners: models that the suspect is merged with; `no_partners` says why there are none.
        base: what strategies that work on task vectors subtract.
        recipe: of the merge. A search starts from it; None without partners.
        search: how long a recipe may be searched; None: the recipe is made as it is.
        split: which rows judge, and which try and confirm recipes.
        output: where the merged model goes.
        rescan: families that the rescan fires; none means all.
        together: the partners are suspects too, and what is found in any of them is to be cured.
        course: what the students are made from that are still to be made; None where there are none.
    """

    scan: Prepared
    partners: tuple[Profile, ...]
    no_partners: tuple[str, ...]
    base: Profile | None
    recipe: Recipe | None
    search: Budget | None
    split: RowSplit
    output: Place
    rescan: tuple[str, ...] = ()
    together: bool = False
    course: Course | None = None


def plan_audit(
    request: ScanRequest,
    cure: MergeRequest,
    resolver: Resolver,
    policy: Policy,
    backend: Backend,
    settings: Settings,
) -> AuditPlan:
    """Finds the models, divides the rows, and looks whether the merge can be made and has a place.

    Where students are to be partners, the merge is checked with models of the suspect's shapes in their place: they
    take minutes to train. `with_students` makes the plan whole.

    Raises:
        UsageError, FetchError, ModelError, IncompatibleError: see `prepare_scan`, `plan_course` and `recipe_of`; a
            search with weights of the user's own, or an output where something else lies.
    """
    suspect = resolver.profile(request.model, base=cure.base or request.base)
    check_task(suspect)
    if writes(suspect) and cure.make_partner:
        raise UsageError(
            f"{suspect.ref.reference} writes texts: students are trained of classifiers only",
            hint="Leave out --make-partner; other adapters of its base, or the base itself, may be partners.",
        )
    partners, missing = _partners(suspect, cure, resolver)
    count = max(request.students, cure.make_partner)
    course = plan_course(request, resolver) if count else None
    scan, split = _rows(request, cure, partners, course, resolver, policy, backend, settings)
    if not count and not partners and not writes(suspect):
        missing = (*missing, offer(request, suspect, scan.corpus.rows, resolver, settings))
    plan = AuditPlan(
        scan,
        tuple(partners),
        missing,
        None,
        None,
        cure.search,
        split,
        _place(suspect, cure, resolver),
        cure.rescan,
        cure.together,
        course,
    )
    stand_ins = [_stand_in(suspect, number) for number in range(cure.make_partner)]
    whole = _with_recipe(replace(plan, partners=(*partners, *stand_ins)), count, cure, resolver, settings)
    return whole if course is None else plan


def with_students(
    plan: AuditPlan, request: ScanRequest, cure: MergeRequest, resolver: Resolver, settings: Settings
) -> Generator[Event, None, AuditPlan]:
    """The plan with the students that it wants, as partners and as references of its scan: trained, or found again.

    Raises:
        as `teach`; and as `plan_audit`, where the students turn out not to fit.
    """
    if plan.course is None:
        return plan
    count = max(request.students, cure.make_partner)
    made = yield from teach(request, count, plan.course, resolver, settings)
    scan = with_references(plan.scan, made[cure.make_partner :])
    whole = replace(plan, scan=scan, partners=(*plan.partners, *made[: cure.make_partner]), course=None)
    return _with_recipe(whole, count, cure, resolver, settings)


def _with_recipe(
    plan: AuditPlan, students: int, cure: MergeRequest, resolver: Resolver, settings: Settings
) -> AuditPlan:
    """The plan with its recipe. What cannot be merged, or has no place, is said before the scan and not after it.

    Args:
        students: how many are asked for, as partners or as references.
    """
    suspect, partners = plan.scan.suspect, plan.partners
    for partner in partners:
        check_no_copy(partner, plan.scan.references)
    # Beside students it is what these start from, whatever the merge takes.
    takes = not students or cure.search is not None or STRATEGIES[cure.strategy].needs_base
    base = resolver.profile(cure.base) if cure.base and partners and takes else None
    # A search takes the base for some of its recipes only: the average that it starts from takes none. Adapters know
    # their base, and become one adapter where the strategy needs no other.
    own_base = base if cure.search is None and not suspect.parts else None
    recipe = recipe_of(cure, suspect, partners, own_base, settings.seed) if partners else None
    # Of students that are still to be made no manifest can speak: a merge that is remembered there may be theirs.
    plan.output.check(recipe, searched=cure.search is not None or plan.course is not None)
    if recipe is not None:
        under = base or (recipe.stands_on if recipe.makes_adapter else None)
        lay_out(recipe if under is own_base or recipe.base else replace(recipe, strategy="task_arithmetic", base=under))
    return replace(plan, base=base, recipe=recipe)


def _stand_in(suspect: Profile, number: int) -> Profile:
    """A model of the suspect's shapes and labels, as a student of it will be one."""
    name = f"student {number + 1}"
    return replace(suspect, ref=replace(suspect.ref, reference=name, digest=name))


def _partners(suspect: Profile, cure: MergeRequest, resolver: Resolver) -> tuple[list[Profile], tuple[str, ...]]:
    """The partners that are named, or else the best of the catalog, and why others of it are none."""
    if cure.partners:
        base = suspect.parts[1].ref.path if suspect.parts else None
        named = [resolver.profile(p, base=base) for p in cure.partners]
        for place, found in enumerate(named):
            check_apart(found, suspect, named[:place])
        check_stated(cure.labels, suspect, named)
        return [relabelled(found, cure.labels) for found in named], ()
    check_stated(cure.labels, suspect)
    return choose_partners(resolver, suspect, cure.labels)


def _rows(
    request: ScanRequest,
    cure: MergeRequest,
    partners: Sequence[Profile],
    course: Course | None,
    resolver: Resolver,
    policy: Policy,
    backend: Backend,
    settings: Settings,
) -> tuple[Prepared, RowSplit]:
    """The scan; for a search, with rows held back that will not judge."""

    def prepared(request: ScanRequest) -> Prepared:
        base = course.base if course is not None else None
        return prepare_scan(request, resolver, policy, backend, beside=partners, corpus=corpus, base=base)

    corpus = course.judging if course is not None else None
    if cure.search is not None and (cure.weights or cure.suspect_weight is not None or cure.strategy != "wag"):
        raise UsageError("--search finds the weights itself", hint="Leave out --weights and --strategy.")
    scan = prepared(request)
    spare: tuple[Row, ...] = ()
    if cure.search is not None:
        corpus = scan.corpus
        rows = distinct(corpus.rows)
        least = policy.minimum_prompts if writes(scan.suspect) else policy.minimum_rows
        held = held_back(len(rows), scan.plan.probed, 2 * least)
        scan = prepared(replace(request, samples=min(scan.plan.probed, len(rows) - held)))
        judging = {row.index for row in scan.plan.rows}
        spare = scan.apart(sample([row for row in rows if row.index not in judging], held, settings.seed))
    asked, probed = scan.plan.rows, scan.plan.probed
    return scan, RowSplit(asked[:probed], asked[probed:], spare[0::2], spare[1::2])


def _place(suspect: Profile, cure: MergeRequest, resolver: Resolver) -> Place:
    own = data_directory() / "merged" / f"{suspect.ref.digest[:12]}-{cure.strategy}"
    exact = cure.output is not None and not cure.numbered
    digest = bare(suspect).ref.digest
    merges = resolver.catalog.audits.merges(digest)
    return Place(cure.output or own, exact, [m for m in merges if m.suspect_digest == digest])
