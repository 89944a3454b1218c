"""Does a candidate carry what the suspect carries, because it was made from it or from the same things?

Pure judgements. Siblings of one base lie near each other and agree on nearly every text, so distance and agreement
alone say little. What tells them apart is the direction in which training moved them from the base (their task
vectors, arXiv:2212.04089): that of a further fine-tune stays the suspect's, while those of models trained apart are
all but orthogonal. Measured on MiniLM classifiers of one base: trained apart 0.10 to 0.19, an average of three that
holds the suspect 0.67, the suspect trained on for 50 steps at its own learning rate 0.94, for 20 at a fifth of it 1.00.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.merge.compatibility.weight_sample import Sample, Site, Weights, rounded
from auditor.models.files.origin import Origin, same_name
from auditor.partners.remarks import Kind, Remark, Topic

COPY = 0.9
"""Cosine of task vectors above which two models are one and the same, trained on a little."""
DERIVED = 0.7
"""Above which one is most likely the other, trained on for long, or an average of which it is the most."""
RELATED = 0.4
"""Above which they share more than the base: a merge, or the same rows in the same order. Trained apart: 0.0 to 0.2."""
NEAR = 0.25
"""Share of the usual distance between siblings below which a model counts as near."""
OTHER_BASE = 0.1
SAME_BASE = 0.5
"""Cosine of the inner matrices themselves: that of models with unrelated beginnings is 0."""
STAND_INS = 12
"""Models whose mean stands for a base, at most."""
ENOUGH = 500
"""Sampled weights below which no base is told from another."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """How a candidate's sampled weights lie to the suspect's.

    Attributes:
        elements: weights below the classifier that were compared.
        distance: relative to the suspect's own size.
        same_body, same_head: equal once both are rounded to the coarser of the two dtypes; None where there is no head.
        likeness: cosine of the inner matrices themselves; None where too few were sampled.
        cosine: of the two task vectors; None without a base or models to stand for it. With stand-ins it is scaled so
            that 0 is what independent models give.
        siblings: models that stand for the base; 0 where the base itself was at hand.
        usual: the median distance between the suspect and those.
        on_base: the suspect's body is the base's own.
    """

    elements: int
    distance: float
    same_body: bool
    same_head: bool | None
    likeness: float | None
    cosine: float | None = None
    siblings: int = 0
    usual: float | None = None
    on_base: bool = False


def closeness(
    sites: Sequence[Site], suspect: Sample, candidate: Sample, base: Sample | None, others: Sequence[Sample]
) -> Closeness:
    """Compares a candidate with the suspect.

    Args:
        base: the common base, where it is at hand.
        others: further models that fit the suspect, no two alike (see `stand_ins`); their mean stands for a base that
            is not at hand.
    """
    body = [s.name for s in sites if not s.head and s.name in suspect.values and s.name in candidate.values]
    heads = [s.name for s in sites if s.head and s.name in suspect.values and s.name in candidate.values]
    inner = [s.name for s in sites if s.inner and s.name in body]
    own, theirs = suspect.vector(body), candidate.vector(body)
    changes = suspect.changes and candidate.changes
    known = Closeness(
        elements=own.size,
        distance=_apart(own, theirs),
        same_body=bool(body) and all(_equal(suspect, candidate, name) for name in body),
        same_head=all(_equal(suspect, candidate, name) for name in heads) if heads else None,
        # Changes of two adapters are not alike where their bases are.
        likeness=(
            _cosine(suspect.vector(inner), candidate.vector(inner))
            if _size(suspect, inner) >= ENOUGH and not changes
            else None
        ),
    )
    if changes and _norm(own) > 0 and _norm(theirs) == 0:
        return _with(known, cosine=0.0)  # they change nothing in common
    if base is not None and (shared := [name for name in body if name in base.values]):
        return _from_base(known, suspect.vector(shared), candidate.vector(shared), base.vector(shared))
    siblings = [v for o in others if all(n in o.values for n in body) and (v := o.vector(body)).size == own.size]
    return _from_siblings(known, own, theirs, siblings)


def stand_ins(sites: Sequence[Site], suspect: Sample, models: Sequence[Sample]) -> list[Sample]:
    """Of these models those whose mean may stand for the base: no two of them near each other, a dozen at most.

    Many copies of one honest model would draw the mean to that model.
    """
    names = [s.name for s in sites if not s.head and s.name in suspect.values]
    own = suspect.vector(names)
    whole = [(m, m.vector(names)) for m in models if all(n in m.values for n in names)]
    whole = [(m, v) for m, v in whole if v.size == own.size and _like(own, v)]
    far = max((_apart(own, v) for _, v in whole), default=0.0)
    kept: list[tuple[Sample, Weights]] = []
    for model, vector in whole:
        if len(kept) < STAND_INS and all(float(np.linalg.norm(vector - v)) >= NEAR * far * _norm(own) for _, v in kept):
            kept.append((model, vector))
    return [model for model, _ in kept]


def _norm(values: Weights) -> float:
    return float(np.linalg.norm(values))


def _from_base(known: Closeness, own: Weights, theirs: Weights, base: Weights) -> Closeness:
    on_base = bool(np.array_equal(own, base))
    return _with(known, cosine=None if on_base else _cosine(own - base, theirs - base), on_base=on_base)


def _from_siblings(known: Closeness, own: Weights, theirs: Weights, others: Sequence[Weights]) -> Closeness:
    """The mean of others that are neither the suspect again nor the candidate again stands for the base.

    With n of them, all trained apart and equally far, that mean lies 1/√n of a task vector off the base, so that the
    cosine of two independent models is 1/(n+1); it is scaled to make that 0.
    """
    kin = [o for o in others if _like(own, o)]
    far = max([_apart(own, theirs), *(_apart(own, o) for o in kin)], default=0.0)
    kin = [o for o in kin if _apart(own, o) >= NEAR * far and _apart(theirs, o) >= NEAR * far and far > 0]
    if not kin:
        return known
    mean = np.mean(kin, axis=0)
    cosine, chance = _cosine(own - mean, theirs - mean), 1 / (len(kin) + 1)
    usual = float(np.median([_apart(own, o) for o in kin]))
    scaled = None if cosine is None else (cosine - chance) / (1 - chance)
    return _with(known, cosine=scaled, siblings=len(kin), usual=usual)


def _with(
    known: Closeness, *, cosine: float | None, siblings: int = 0, usual: float | None = None, on_base: bool = False
) -> Closeness:
    return Closeness(
        known.elements,
        known.distance,
        known.same_body,
        known.same_head,
        known.likeness,
        cosine,
        siblings,
        usual,
        on_base,
    )


def _like(own: Weights, other: Weights) -> bool:
    cosine = _cosine(own, other)
    return cosine is not None and cosine >= OTHER_BASE


def _size(sample: Sample, names: Sequence[str]) -> int:
    return sum(sample.values[name].size for name in names)


def _apart(own: Weights, theirs: Weights) -> float:
    size = _norm(own)
    return _norm(own - theirs) / size if size else 0.0


def _cosine(first: Weights, second: Weights) -> float | None:
    sizes = _norm(first) * _norm(second)
    return float(first @ second) / sizes if sizes > 0 and np.isfinite(sizes) else None


def _equal(suspect: Sample, candidate: Sample, name: str) -> bool:
    """Equal weights, once the finer of two dtypes is rounded to the coarser."""
    own, theirs = suspect.values[name], candidate.values[name]
    if suspect.dtypes[name] == candidate.dtypes[name]:
        return bool(np.array_equal(own, theirs))
    return any(
        np.array_equal(rounded(own, dtype), rounded(theirs, dtype))
        for dtype in (suspect.dtypes[name], candidate.dtypes[name])
    )


def judge_weights(found: Closeness, base: str = "the base", *, grown_from: bool = False) -> list[Remark]:
    """What the sampled weights say of a candidate.

    Args:
        base: the base's name, where it was at hand.
        grown_from: the suspect is known to have been made from the candidate, so that nearness is no surprise.
    """
    count = f"{found.elements:,} sampled weights"
    if not found.elements:
        return [remark(Kind.WARNING, "no weight could be compared with the suspect's")]
    if found.same_body:
        return [_same_body(found, count)]
    remarks = _base_remarks(found)
    if any(r.kind is Kind.DOUBT for r in remarks):
        return remarks
    if found.on_base:
        words = f"below its classifier the suspect is {base} itself, so task vectors tell nothing of independence"
        return [*remarks, remark(Kind.NOTE, words)]
    away = f"{found.distance:.2%} of its size from the suspect"
    if found.cosine is None:
        words = f"lies {away}; without {base} or a third model, a sibling cannot be told from a further fine-tune"
        return [*remarks, remark(Kind.WARNING, words, -3)]
    origin = base if not found.siblings else f"the mean of {found.siblings} other models that fit"
    measured = f"cosine {found.cosine:.2f} of the task vectors from {origin}, over {count}"
    if found.cosine >= DERIVED and grown_from:
        return [*remarks, remark(Kind.WARNING, f"the suspect was made from it and is near ({measured})", -10)]
    if found.cosine >= DERIVED:
        sure = found.cosine >= COPY and not found.siblings
        what = "a copy or a further fine-tune" if found.cosine >= COPY else "a further fine-tune or a merge"
        words = f"looks like {what} of the suspect, with the same backdoor: {measured}; models trained apart are near 0"
        return [*remarks, remark(Kind.BLOCKER if sure else Kind.DOUBT, words, -50)]
    if found.cosine >= RELATED:
        words = (
            f"shares more with the suspect than a base: {measured}; a merge of it, or the same rows in the same order"
        )
        return [*remarks, remark(Kind.WARNING, words, -20)]
    usual = f", as siblings do ({found.usual:.2%})" if found.usual else ""
    return [*remarks, remark(Kind.FOR, f"trained apart from the suspect by its weights: {measured}; {away}{usual}", 3)]


def _same_body(found: Closeness, count: str) -> Remark:
    if found.same_head is not False:
        words = f"its weights are the suspect's in all of {count}: the same model stored anew, or changed in few places"
        return remark(Kind.BLOCKER, words, -50)
    if found.on_base:
        words = "only its classifier differs from the suspect's: both keep the base's body as it was"
        return remark(Kind.NOTE, words, -5)
    words = f"only its classifier differs from the suspect's ({count} are the same): what hides below is in both"
    return remark(Kind.DOUBT, words, -50)


def _base_remarks(found: Closeness) -> list[Remark]:
    if found.likeness is None:
        return []
    if found.likeness < OTHER_BASE:
        words = (
            f"made from another base: its inner weights do not resemble the suspect's (cosine {found.likeness:.2f}), "
            "and a mean of unrelated weights is noise"
        )
        return [Remark(Kind.DOUBT, Topic.BASE, words, -70)]
    if found.likeness >= SAME_BASE:
        return [Remark(Kind.FOR, Topic.BASE, f"of the suspect's base by its weights (cosine {found.likeness:.3f})", 3)]
    return []


def judge_origin(
    digest: str, suspect: Origin, suspect_digest: str, candidate: Origin, made_of: set[str], suspect_of: set[str]
) -> list[Remark]:
    """What cards and records say of a candidate's making.

    Args:
        digest: the candidate's.
        made_of: digests of everything that the candidate was made of; `suspect_of` the suspect's.
    """
    remarks = []
    if suspect_digest in made_of:
        how = "trained further from" if candidate.started == suspect_digest else "made from"
        remarks.append(remark(Kind.BLOCKER, f"it was {how} the suspect, as its record says: it carries the same", -50))
    elif digest in suspect_of:
        remarks.append(
            remark(Kind.WARNING, "the suspect was made from it: what hides in it is in the suspect too", -10)
        )
    if candidate.teacher:
        whose = "the suspect's answers" if candidate.teacher == suspect_digest else "another model's answers"
        words = f"a student: it learnt from {whose}, as its record says, so it is no independent model"
        remarks.append(remark(Kind.DOUBT, words, -20))
    if candidate.started and candidate.started == suspect.started:
        words = f"trained from the very base of the suspect, as both records say ({candidate.started[:12]})"
        remarks.append(Remark(Kind.FOR, Topic.BASE, words, 5))
    if candidate.rows & suspect.rows:
        words = "trained on the suspect's own rows, as both records say: may carry the same backdoor"
        remarks.append(Remark(Kind.WARNING, Topic.DATA, words, -15))
    elif both := sorted(candidate.datasets & suspect.datasets):
        words = f"trained on the same data as the suspect ({', '.join(both[:3])}): may carry the same backdoor"
        remarks.append(Remark(Kind.WARNING, Topic.DATA, words, -0.5))
    return remarks


def is_based_on(origin: Origin, name: str) -> bool:
    """Does a model state this one as its base?"""
    return any(same_name(base, name) for base in origin.bases)


def remark(kind: Kind, text: str, points: float = 0.0) -> Remark:
    return Remark(kind, Topic.INDEPENDENCE, text, points)
