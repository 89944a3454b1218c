"""Model Stock: between the mean of the models and their base, by the angle between task vectors.

Source: Jang et al., "Model Stock: All we need is just a few fine-tuned models", arXiv:2403.19522, equations 1 and 2:
t = n cos θ / (1 + (n − 1) cos θ), merged = t · mean + (1 − t) · base, tensor by tensor; with more than two models cos θ
is the mean over all pairs. An obtuse mean angle gives t = 0, as does a task vector that is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from auditor.merge.numerics.vectors import dots, mean, task_vectors
from auditor.merge.strategy import Array, Grain, Site, Tally, View, strategy


def survey(view: View) -> float:
    """The share t of the mean."""
    parts: dict[tuple[int, int], list[float]] = {}
    count = 0
    for arrays, base in view.slices():
        vectors: list[Array] = [array - base for array in arrays]
        count = len(vectors)
        for one in range(count):
            for other in range(one, count):
                parts.setdefault((one, other), []).extend(dots(vectors[one], vectors[other]))
    products = {pair: math.fsum(values) for pair, values in parts.items()}
    cosines = []
    for one, other in combinations(range(count), 2):
        lengths = math.sqrt(products[one, one]) * math.sqrt(products[other, other])
        cosines.append(products[one, other] / lengths if lengths > 0 else 0.0)
    cosine = max(0.0, math.fsum(cosines) / len(cosines)) if cosines else 0.0
    return count * cosine / (1 + (count - 1) * cosine)


@strategy(title="Model Stock", reference="arXiv:2403.19522", needs_base=True, grain=Grain.ELEMENT, survey=survey)
def blend(
    arrays: Sequence[Array],
    *,
    weights: Sequence[float],
    shares: Sequence[float],
    base: Array,
    survey: float,
    site: Site,
    tally: Tally,
) -> Array:
    """base + t · mean task vector."""
    count = math.prod(base.shape)
    tally.add(site, survey * weights[0] * count, count)
    merged = mean(task_vectors(arrays, base), shares)
    merged *= survey
    merged += base
    return merged
