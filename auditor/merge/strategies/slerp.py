"""Spherical linear interpolation of two models, tensor by tensor.

Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985, section 3.3, on flattened tensors, as the
field uses it: the angle is that between the two tensors, whose lengths are interpolated along. Tensors that are
parallel or opposite within 0.0005 of the cosine, or zero, are interpolated linearly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from auditor.merge.numerics.vectors import dots
from auditor.merge.strategy import Array, Grain, View, strategy

PARALLEL = 0.9995


def survey(view: View) -> float:
    """The cosine of the angle between the two tensors; 1 where one of them is zero."""
    product: list[float] = []
    first: list[float] = []
    second: list[float] = []
    for (one, other), _ in view.slices():
        product += dots(one, other)
        first += dots(one, one)
        second += dots(other, other)
    lengths = math.sqrt(math.fsum(first)) * math.sqrt(math.fsum(second))
    return max(-1.0, min(1.0, math.fsum(product) / lengths)) if lengths > 0 else 1.0


@strategy(
    title="Spherical interpolation", reference="doi:10.1145/325334.325242", grain=Grain.ELEMENT, survey=survey,
    pair=True,
)  # fmt: skip
def blend(arrays: Sequence[Array], *, weights: Sequence[float], survey: float) -> Array:
    """sin(w₀ θ) / sin θ · suspect + sin(w₁ θ) / sin θ · partner."""
    one, other = weights
    if abs(survey) <= PARALLEL:
        angle = math.acos(survey)
        one, other = (math.sin(weight * angle) / math.sin(angle) for weight in weights)
    suspect, partner = arrays
    suspect *= one
    partner *= other
    suspect += partner
    return suspect
