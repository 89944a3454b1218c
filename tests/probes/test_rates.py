from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from probes.inference import (
    Paired,
    chance_p_value,
    detectable_excess,
    detectable_share,
    holm,
    inverted_p_value,
    p_more_often,
    swapped,
)
from probes.rates import Rate


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(hits: int, total: int, low: float, high: float) -> None:
    assert Rate(hits, total).interval() == pytest.approx((low, high), abs=5e-5)


def test_a_rate_is_honest_at_its_ends() -> None:
    assert (Rate(20, 20).high, Rate(0, 20).low) == (1.0, 0.0)
    assert Rate(20, 20).low == pytest.approx(1 - Rate(0, 20).high)
    assert (Rate(0, 0, 7).value, Rate(0, 0, 7).interval()) == (0.0, (0.0, 1.0))
    assert Rate(5, 10).interval(0.99)[0] < Rate(5, 10).interval(0.9)[0]


def error_of_two_outcomes(rows: int, low: float, high: float, margin: float, alpha: float) -> float:
    """The exact chance of a false alarm where d is `low` or `high` with the mean at the margin."""
    share = (margin - low) / (high - low)
    wrong = 0.0
    for k in range(rows + 1):
        d = np.repeat([high, low], [k, rows - k])
        if Paired.of(d, np.zeros(rows)).p_above(margin) <= alpha:
            wrong += float(stats.binom.pmf(k, rows, share))
    return wrong


@pytest.mark.parametrize("alpha", [0.01, 0.0005])
@pytest.mark.parametrize("rows", [100, 400])
@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (0.0, 1 / 3), (-1 / 3, 1.0)],
    ids=["hits alone", "part of the draws", "skewed to the right"],
)
def test_a_difference_at_the_margin_is_rarely_above_it(rows: int, alpha: float, low: float, high: float) -> None:
    assert error_of_two_outcomes(rows, low, high, 0.1, alpha) <= alpha


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-1.0, 1 / 3)], ids=["both ways", "skewed to the left"])
def test_where_every_row_is_moved_the_error_stays_below_twice_alpha(low: float, high: float) -> None:
    assert error_of_two_outcomes(100, low, high, 0.1, 0.01) <= 0.02


@pytest.mark.parametrize(
    ("clean", "trigger", "both"), [(0.05, 0.15, 0.05), (0.2, 0.3, 0.1), (0.0, 0.1, 0.0), (0.45, 0.55, 0.4)]
)
def test_the_error_stays_within_alpha_on_paired_answers(clean: float, trigger: float, both: float) -> None:
    rng, rows, alpha, runs = np.random.default_rng(7), 150, 0.01, 3000
    shares = [both, clean - both, trigger - both, 1 - clean - trigger + both]
    wrong = 0
    for counts in rng.multinomial(rows, shares, size=runs):
        first = np.repeat([1.0, 0.0, 1.0, 0.0], counts)
        second = np.repeat([1.0, 1.0, 0.0, 0.0], counts)
        wrong += Paired.of(first, second).p_above(0.1) <= alpha
    # Three standard errors of the simulation above alpha.
    assert wrong / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_averaged_draws_count_as_one_row() -> None:
    rng = np.random.default_rng(3)
    trigger = (rng.random(120) < 0.5).astype(float)
    control = (rng.random((120, 3)) < 0.2).mean(axis=1)
    once = Paired.of(trigger, control)
    assert once.rows == 120
    assert once.mean == pytest.approx(trigger.mean() - control.mean())
    thrice = Paired.of(np.repeat(trigger, 3), np.repeat(control, 3))
    assert thrice.p_above(0.1) < once.p_above(0.1), "more rows must be stronger evidence than more draws"


def test_unscored_rows_are_left_out_of_a_difference() -> None:
    nan = float("nan")
    found = Paired.of([1, nan, 1, 0], [0, 0, nan, 0])
    assert (found.rows, found.mean) == (2, 0.5)
    nothing = Paired.of([nan, nan], [0, 1])
    assert (nothing.rows, nothing.p_above(0.1)) == (0, 1.0)
    assert (nothing.interval().low, nothing.interval().high) == (-1.0, 1.0)


def test_an_interval_holds_the_mean_and_is_never_a_point() -> None:
    for d in (np.ones(100), np.zeros(100), -np.ones(100)):
        found = Paired.of(d, np.zeros(100)).interval()
        assert found.low <= found.value <= found.high
        assert found.high - found.low > 0.01
        assert found.low >= -1
        assert found.high <= 1


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04; times 4, 3, 2, 1; then never below an earlier one.
    assert holm([0.01, 0.04, 0.03, 0.005], 4) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_what_was_not_tested_still_counts() -> None:
    assert holm([0.01, 0.04], 10) == pytest.approx([0.1, 0.36])
    assert holm([0.2, 0.9], 10) == [1.0, 1.0]
    assert holm([], 10) == []
    with pytest.raises(ValueError, match="3 p-values for 2"):
        holm([0.1, 0.1, 0.1], 2)


def test_the_claimed_power_is_about_what_a_simulation_finds() -> None:
    rows, noise, alpha, comparisons = 150, 0.05, 0.01, 12
    excess = detectable_excess(rows, noise, margin=0.1, alpha=alpha, comparisons=comparisons)
    assert 0.1 < excess < 0.5
    rng, runs, hits = np.random.default_rng(11), 1000, 0
    for up, down in rng.multinomial(rows, [excess + noise / 2, noise / 2, 1 - excess - noise], size=runs)[:, :2]:
        d = np.repeat([1.0, -1.0, 0.0], [up, down, rows - up - down])
        hits += Paired.of(d, np.zeros(rows)).p_above(0.1) <= alpha / comparisons
    assert 0.75 <= hits / runs <= 0.95


def test_power_grows_with_rows_and_falls_with_noise_and_comparisons() -> None:
    def needed(rows: int = 200, noise: float = 0.05, comparisons: int = 12) -> float:
        return detectable_excess(rows, noise, margin=0.1, alpha=0.01, comparisons=comparisons)

    assert needed(rows=400) < needed() < needed(noise=0.2)
    assert needed() < needed(comparisons=200)
    assert needed(rows=1) == 1.0
    assert needed(rows=4) == 1.0


def test_inverted_labels_are_told_from_chance() -> None:
    gold = [0, 1] * 100
    assert inverted_p_value(gold, [1 - g for g in gold]) < 1e-10
    assert inverted_p_value(gold, gold) > 0.99
    assert inverted_p_value(gold, [0] * 200) > 0.4
    assert inverted_p_value([], []) == 1.0


def test_chance_is_told_from_skill() -> None:
    gold = [0, 1] * 100
    assert chance_p_value(gold, gold) < 1e-10
    assert chance_p_value(gold, [1 - g for g in gold]) > 0.99
    assert chance_p_value(gold, [0] * 200) > 0.4, "one answer for all is half right by chance alone"
    assert chance_p_value([], []) == 1.0
    skewed = [0] * 190 + [1] * 10
    assert chance_p_value(skewed, [0] * 200) > 0.4, "95 % right says nothing where 95 % are of one label"
    assert chance_p_value(skewed, [0] * 192 + [1] * 8) < 0.01


def test_swapped_labels_are_seen_among_many() -> None:
    gold = [0, 1, 2, 3] * 50
    names = {0: 0, 1: 2, 2: 1, 3: 3}
    assert chance_p_value(gold, [names[g] for g in gold]) < 0.01, "half of the answers are right all the same"
    first, second, p = swapped(gold, [names[g] for g in gold])
    assert ((first, second), p < 1e-10) == ((1, 2), True)
    cycle = {0: 1, 1: 2, 2: 0, 3: 3}
    assert swapped(gold, [cycle[g] for g in gold])[2] < 1e-10
    assert swapped(gold, gold)[2] == 1.0
    assert swapped(gold, [0] * 200)[2] == 1.0
    assert swapped([], [])[2] == 1.0
    rng = np.random.default_rng(5)
    assert swapped(gold, rng.integers(0, 4, 200).tolist())[2] > 0.01


@pytest.mark.parametrize(("more", "less", "same"), [(0, 0, 5), (1, 0, 9), (5, 0, 0), (5, 2, 3), (2, 5, 1), (6, 6, 0)])
def test_the_exact_test_counts_how_often_chance_alone_gives_as_much(more: int, less: int, same: int) -> None:
    """Each discordant row is as likely in either column: all ways to deal them out are counted."""
    first = [1.0] * more + [0.0] * less + [1.0] * same + [np.nan]
    second = [0.0] * more + [1.0] * less + [1.0] * same + [1.0]
    ways = list(product((0, 1), repeat=more + less))
    expected = sum(sum(way) >= more for way in ways) / len(ways)
    assert p_more_often(first, second) == pytest.approx(expected)


def test_what_the_exact_test_would_have_found() -> None:
    share = detectable_share(200, alpha=0.05, comparisons=10)
    needed = next(n for n in range(200) if 10 * p_more_often([1.0] * n, [0.0] * n) <= 0.05)
    assert stats.binom.sf(needed - 1, 200, share) == pytest.approx(0.8)
    assert detectable_share(needed - 1, alpha=0.05, comparisons=10) == 1.0
