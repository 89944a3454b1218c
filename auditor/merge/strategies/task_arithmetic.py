"""Task arithmetic: the base plus a scaled sum of task vectors.

Source: Ilharco et al., "Editing Models with Task Arithmetic", arXiv:2212.04089, section 2: θ + λ Σ τ. The weights sum
to 1 here, so that the paper's λ over n even task vectors is `scale` = λ · n; a scale of 1 is their mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditor.merge.numerics.vectors import mean, task_vectors
from auditor.merge.strategy import Array, Grain, strategy


def keep(weights: Sequence[float], options: Mapping[str, Any]) -> float:
    """The scaled weight of the suspect's task vector."""
    return float(weights[0] * options["scale"])


@strategy(title="Task arithmetic", reference="arXiv:2212.04089", needs_base=True, grain=Grain.ELEMENT, keep=keep)
def blend(arrays: Sequence[Array], *, shares: Sequence[float], base: Array, scale: float = 1.0) -> Array:
    """base + scale · Σ weight · (model − base)."""
    merged = mean(task_vectors(arrays, base), shares)
    if scale != 1:
        merged *= scale
    merged += base
    return merged
