from __future__ import annotations

import pytest
from scipy import stats

from probes.rates import upper_bound


def test_the_exact_upper_bound_is_that_of_the_binomial() -> None:
    # With this rate the chance of no hit in 12 trials is 5 %.
    assert upper_bound(0, 12) == pytest.approx(1 - 0.05 ** (1 / 12))
    assert upper_bound(0, 12) == pytest.approx(0.2209, abs=1e-4)
    assert stats.binom.cdf(3, 40, upper_bound(3, 40)) == pytest.approx(0.05)
    assert (upper_bound(0, 0), upper_bound(5, 5)) == (1.0, 1.0)
    with pytest.raises(ValueError, match="6 hits in 5"):
        upper_bound(6, 5)
