"""Fisher merging: the mean weighted by what each model is sure of.

Source: Matena and Raffel, "Merging Models with Fisher-Weighted Averaging", arXiv:2111.09832, equation 4, with the
diagonal Fisher information of each model's own predictions on unlabelled texts. `floor` is added to every Fisher value
(the authors' code takes the larger of the two), so that elements that no model is sure of are averaged plainly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from auditor.merge.strategy import Array, Grain, Site, Tally, strategy


@strategy(title="Fisher-weighted average", reference="arXiv:2111.09832", grain=Grain.ELEMENT, statistics="fisher")
def blend(
    arrays: Sequence[Array],
    *,
    weights: Sequence[float],
    statistics: Sequence[Array],
    site: Site,
    tally: Tally,
    floor: float = 1e-6,
) -> Array:
    """Σ weight · Fisher · model / Σ weight · Fisher."""
    for array, weight, fisher in zip(arrays, weights, statistics, strict=True):
        fisher += floor
        fisher *= weight
        array *= fisher
    own = statistics[0]
    whole = own + 0
    total = arrays[0]
    for array, fisher in zip(arrays[1:], statistics[1:], strict=True):
        total += array
        whole += fisher
    total /= whole
    own /= whole
    tally.add(site, float(own.sum()), math.prod(total.shape))
    return total
