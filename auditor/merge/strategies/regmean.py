"""RegMean: linear layers merged so that their outputs come nearest to those of every model.

Source: Jin et al., "Dataless Knowledge Fusion by Merging Weights of Language Models", arXiv:2212.09849, section 3.2 and
algorithm 1: W = (Σ Gᵢ)⁻¹ Σ Gᵢ Wᵢ with Gᵢ = Xᵢᵀ Xᵢ over the layer's inputs, whose elements off the diagonal are scaled
by `diagonal` (the paper's α). Weights of linear layers are stored transposed. Every other tensor is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auditor.errors import ModelError
from auditor.merge.drawing import like
from auditor.merge.strategy import Array, Grain, Site, strategy
from auditor.merge.vectors import mean


@strategy(title="RegMean", reference="arXiv:2212.09849", grain=Grain.TENSOR, statistics="gram")
def blend(
    arrays: Sequence[Array],
    *,
    weights: Sequence[float],
    shares: Sequence[float],
    statistics: Sequence[Array],
    site: Site,
    diagonal: float = 0.9,
) -> Array:
    """(Σ weight · Wᵢ Gᵢ) (Σ weight · Gᵢ)⁻¹ for linear layers, else the mean."""
    if not statistics:
        return mean(arrays, shares)
    whole = product = None
    for array, weight, gram in zip(arrays, weights, statistics, strict=True):
        if weight == 0:
            continue
        matrix = _host(array)
        scaled = _host(gram) * (diagonal * weight)
        np.fill_diagonal(scaled, np.diagonal(_host(gram)) * weight)
        whole = scaled if whole is None else whole + scaled
        product = matrix @ scaled if product is None else product + matrix @ scaled
    # Inputs that are always zero leave a zero row: there any weight fits as well, and the mean is taken.
    silent = np.flatnonzero(np.diagonal(whole) <= 0)
    if silent.size:
        plain = mean([_host(array) for array in arrays], shares)
        whole[silent, silent] = 1.0
        product[:, silent] = plain[:, silent]
    try:
        merged = np.linalg.solve(whole.T, product.T).T
    except np.linalg.LinAlgError:
        raise ModelError(
            f"tensor {site.tensor}: the inputs' Gram matrices cannot be inverted",
            hint="measure on more texts, or lower regmean.diagonal",
        ) from None
    return like(arrays[0], np.ascontiguousarray(merged))


def _host(array: Array) -> np.ndarray:
    """The array in double precision, in the computer's own memory."""
    found = array if isinstance(array, np.ndarray) else array.cpu().numpy()
    return np.asarray(found, np.float64)
