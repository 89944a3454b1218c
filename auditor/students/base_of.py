"""What students are made of: a teacher that can be one, and its base.

The base is the one that is named, recorded or stated, or a catalogued one that the teacher's weights are near to.
"""

from __future__ import annotations

from auditor.errors import AuditorError, ModelError, UsageError
from auditor.models.files.origin import read_origin
from auditor.models.reference import Kind, parse
from auditor.models.resolver import Resolver
from auditor.partners.independence import SAME_BASE
from auditor.scan.checks import check_task, writes
from auditor.scan.judgement.judging import not_judgeable
from auditor.students.fit import check_fit, nearness
from auditor.training.base import check_base
from store.records import Profile, Task


def teacher_of(reference: str, resolver: Resolver, base: str | None = None) -> Profile:
    """The model whose answers students learn.

    Args:
        base: what it stands on, where it is an adapter.

    Raises:
        UsageError, ModelError: it is no classifier, or cannot be judged; see also `Resolver.profile`.
    """
    teacher = resolver.profile(reference, base=base)
    check_task(teacher)
    if writes(teacher):
        raise UsageError(
            f"{reference} writes texts: students are trained of classifiers only", hint="Leave students out."
        )
    if reason := not_judgeable(teacher):
        raise ModelError(f"{reason}; students are trained of single-label classifiers")
    return teacher


def trainable_base(teacher: Profile, named: str | None, resolver: Resolver) -> tuple[Profile, tuple[str, ...]]:
    """The base that students of a teacher start from, and what is to be said of it; see `base_of`.

    Raises:
        UsageError, ModelError: as `base_of`; or it cannot be trained to answer the teacher's labels.
    """
    base, remarks = base_of(teacher, named, resolver)
    check_base(base, teacher.labels)
    return base, remarks


def base_of(suspect: Profile, named: str | None, resolver: Resolver) -> tuple[Profile, tuple[str, ...]]:
    """The base of a model, and what is to be said of it: the one that is named, else recorded or stated, else a
    catalogued one that the weights are near to.

    Raises:
        UsageError: there is none, or it does not fit.
        ModelError: its files are damaged.
    """
    if named is None and suspect.parts:
        return suspect.parts[1], ()
    if named is not None:
        base = resolver.profile(named)
        return base, check_fit(suspect, base)
    why = []
    for found, how in (*_stated(suspect, resolver), *_recognised(suspect, resolver)):
        try:
            base = resolver.profile(found)
            remarks = check_fit(suspect, base)
        except AuditorError as error:
            why.append(f"{found}, {how}: {error.message}")
        else:
            return base, (f"the base is taken to be {found}, {how}: a new model is as honest as its base", *remarks)
    tried = f" ({'; '.join(why)})" if why else ""
    raise UsageError(
        f"the base of {suspect.ref.reference} is not known{tried}",
        hint="Name the model that it was trained from with --base.",
    )


def _stated(suspect: Profile, resolver: Resolver) -> list[tuple[str, str]]:
    """Names of the bases that the model's record and card state. A path says nothing here: it is another machine's."""
    origin = read_origin(suspect)
    found = []
    if origin.started and (entry := resolver.catalog.models.by_digest(origin.started)):
        found.append((entry.name, "as the model's record says"))
    for name in sorted(origin.bases):
        try:
            usable = parse(name).kind is not Kind.PATH
        except AuditorError:
            continue
        if usable:
            found.append((name, "as the model's card or config says"))
    return found


def _recognised(suspect: Profile, resolver: Resolver) -> list[tuple[str, str]]:
    """The catalogued model without a classifier that the suspect's weights are nearest to."""
    near = []
    for entry in resolver.catalog.models.list():
        profile = entry.profile
        if profile.task is Task.CLASSIFICATION or profile.model_type != suspect.model_type:
            continue
        try:
            likeness = nearness(suspect, profile).likeness
        except AuditorError:
            continue
        if likeness is not None and likeness >= SAME_BASE:
            near.append((likeness, entry.name))
    return [(name, f"whose weights are near (cosine {cosine:.3f})") for cosine, name in sorted(near, reverse=True)[:1]]
