"""RegMean: linear layers merged so that their outputs come nearest to those of every model.

Source: Jin et al., "Dataless Knowledge Fusion by Merging Weights of Language Models", arXiv:2212.09849, section 3.2 and
algorithm 1: W = (Σ Gᵢ)⁻¹ Σ Gᵢ Wᵢ with Gᵢ = Xᵢᵀ Xᵢ over the layer's inputs, whose elements off the diagonal are scaled
by `diagonal` (the paper's α). Weights of linear layers are stored transposed. Every other tensor is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from auditor.errors import ModelError
from auditor.merge.numerics.random_draws import like
from auditor.merge.numerics.vectors import mean
from auditor.merge.strategy import Array, Grain, Site, strategy


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
    """(Σ weight · Wᵢ Gᵢ) (Σ weight · Gᵢ)⁻¹ for linear layers, over linear layers."""
    chosen = [
        (_host(array), _host(gram), weight)
        for array, gram, weight in zip(arrays, statistics, weights, strict=True)
        if weight != 0
    ]
    size = chosen[0][1].shape[0]
    whole = np.zeros((size, size))
    product = np.zeros((chosen[0][0].shape[0], size))
    for matrix, gram, weight in chosen:
        scaled = gram * (diagonal * weight)
        np.fill_diagonal(scaled, np.diagonal(gram) * weight)
        whole += scaled
        product += matrix @ scaled
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
            hint="Measure on more texts, or lower regmean.diagonal.",
        ) from None
    result = like(arrays[0], np.ascontiguousarray(merged))
    return result.astype(arrays[0].dtype) if isinstance(result, np.ndarray) else result


def _host(array: Array) -> npt.NDArray[np.float64]:
    """The array in double precision, in the computer's own memory."""
    found = array if isinstance(array, np.ndarray) else array.cpu().numpy()
    return np.asarray(found, np.float64)
