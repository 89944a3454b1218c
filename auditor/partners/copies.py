"""Which candidates are one and the same model, or nearly.

On a hub, and in a catalog after a few audits, one model stands under many names. Copies give no more to a merge than
one of them does, and what is known of one is true of all: a copy that nobody scanned is no better than its original,
in which a scan found a backdoor.

Two models count as nearly the same where they lie much nearer to each other than to the suspect: one was made from the
other, or both were hardly trained and still do what their base does. Measured on MiniLM classifiers of one base, honest
and not: any two that were trained apart 0.76 to 1.15 of their distance to a third, one and its copy with a thousandth
of noise 0.04.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditor.errors import ModelError
from auditor.merge.compatibility.weight_sample import Weights, read_sample, sites_of
from auditor.partners.independence import COPY, NEAR
from auditor.partners.remarks import Kind, Remark, Topic
from store.records import Profile

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Standing:
    """A candidate as its copies are looked for.

    Attributes:
        weights: the digests of its weight files; empty where they are not known.
        sample: sampled weights below the classifier, the same ones for all; None where nobody looked.
        head: those of the classifier, its rows in the order of the suspect's labels.
        doubts: what speaks against taking it, of its making and its scans.
    """

    name: str
    weights: tuple[str, ...]
    sample: Weights | None = None
    head: Weights | None = None
    doubts: tuple[str, ...] = ()


def judge_copies(
    standings: Sequence[Standing], suspect: Weights | None = None, base: Weights | None = None
) -> list[list[Remark]]:
    """What the candidates are to each other: for each its remarks.

    Args:
        standings: the best first: of copies, the first is the one that is taken.
        suspect, base: their sampled weights, in the order of the candidates'. Two candidates are nearly the same where
            their task vectors point the same way (arXiv:2212.04089); without the base, where they lie much nearer to
            each other than to the suspect.
    """
    found: list[list[Remark]] = [[] for _ in standings]
    group: dict[int, int] = {}
    for alike, (first, *later) in _groups(standings):
        known = _doubtful(standings, (first, *later))
        for place in (first, *later):
            if place in group:
                continue
            group[place] = group.get(first, first)
            if place != first:
                words = f"{alike.format(standings[first].name)}: both count as one partner"
                found[place].append(_remark(Kind.DOUBT, words, -30))
            found[place] += _passed_on(known, standings[place], "")
    for place, near, words in _near(standings, suspect, base):
        others = [o for o in near if o not in group or group[o] != group.get(place)]
        if others and others[0] < place and group.get(place, place) == place:
            text = f"nearly the weights of {standings[others[0]].name} ({words}): together little more than one partner"
            found[place].append(_remark(Kind.WARNING, text, -20))
        if not any(r.kind is Kind.DOUBT for r in found[place]):
            found[place] += _passed_on(_doubtful(standings, others), standings[place], "nearly ")
    return found


@dataclass(frozen=True)
class Double:
    """A model that is nearly an earlier one: together they are one opinion."""

    digest: str
    text: str


def doubles(suspect: Profile, models: Sequence[Profile]) -> list[Double]:
    """Of models that are asked beside the suspect, those that lie much nearer to an earlier one than to it.

    Models whose weights cannot be sampled are left out: who needs them says why not.
    """
    sites = sites_of(suspect)
    names = [site.name for site in sites if not site.head]

    def sampled(profile: Profile) -> Weights | None:
        try:
            sample = read_sample(profile, sites)
        except ModelError:
            return None
        return sample.vector(names) if all(name in sample.values for name in names) else None

    standings = [Standing(model.ref.reference, (), sampled(model)) for model in models]
    return [
        Double(
            models[place].ref.digest,
            f"{standings[place].name} and {standings[near[0]].name} have nearly the same weights ({words}): they are "
            "one measure of what models without a backdoor do",
        )
        for place, near, words in _near(standings, sampled(suspect), None)
        if near[0] < place
    ]


def _groups(standings: Sequence[Standing]) -> Iterator[tuple[str, list[int]]]:
    """The places of candidates that are one model, with what they have in common."""
    files: dict[tuple[str, ...], list[int]] = {}
    samples: dict[bytes, list[int]] = {}
    for place, standing in enumerate(standings):
        if standing.weights:
            files.setdefault(standing.weights, []).append(place)
        if standing.sample is not None and standing.sample.size and standing.head is not None:
            samples.setdefault(standing.sample.tobytes() + standing.head.tobytes(), []).append(place)
    yield from (("its weight files are those of {}, byte by byte", same) for same in files.values() if len(same) > 1)
    yield from (("its weights are those of {} wherever it was looked", s) for s in samples.values() if len(s) > 1)


def _doubtful(standings: Sequence[Standing], places: Sequence[int]) -> Standing | None:
    return next((standings[place] for place in places if standings[place].doubts), None)


def _passed_on(known: Standing | None, other: Standing, how: str) -> list[Remark]:
    """What speaks against one speaks against the other, unless that has doubts of its own."""
    if known is None or other.doubts:
        return []
    return [_remark(Kind.DOUBT, f"{how}the weights of {known.name}, of which is known: {known.doubts[0]}", -60)]


def _near(
    standings: Sequence[Standing], suspect: Weights | None, base: Weights | None
) -> Iterator[tuple[int, list[int], str]]:
    """Candidates with those that are nearly the same, the best first, and the first's measurement in words."""
    if suspect is None or not suspect.size:
        return
    size = suspect.size
    looked = [i for i, s in enumerate(standings) if s.sample is not None and s.sample.size == size]
    if len(looked) < 2:
        return
    samples = np.stack([s for i in looked if (s := standings[i].sample) is not None])
    if base is not None and base.size == size:
        table, words = _cosines(samples - base), "cosine {:.2f} of the task vectors"
        hits = table >= COPY
    else:
        table, words = _distances(samples), "apart by {:.2f} of their distance to the suspect"
        away = np.linalg.norm(samples - suspect, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            table = table / np.minimum.outer(away, away)
        hits = table < NEAR
    for j, place in enumerate(looked):
        others = [i for i in range(len(looked)) if i != j and hits[i, j]]
        if others:
            yield place, [looked[i] for i in others], words.format(table[others[0], j])


def _cosines(vectors: Table) -> Table:
    sizes = np.linalg.norm(vectors, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((vectors @ vectors.T) / np.outer(sizes, sizes))


def _distances(vectors: Table) -> Table:
    squares = np.einsum("ij,ij->i", vectors, vectors)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T, 0.0)))


def _remark(kind: Kind, text: str, points: float) -> Remark:
    return Remark(kind, Topic.INDEPENDENCE, text, points)
