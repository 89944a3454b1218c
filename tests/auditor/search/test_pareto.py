"""The search over recipes: what it tries, what it prefers, and that it repeats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.search.pareto import Candidate, Goal, Search, Space, Trial, Worth, choose

MODULES = {"embeddings": 600, "attention": 200, "feed-forward": 150, "norms": 10, "head": 40}


def even(weight: float, *partners: int) -> Candidate:
    return Candidate((weight,) * len(MODULES), (partners,) * len(MODULES))


def leaky(candidate: Candidate) -> Worth:
    """A backdoor in the feed-forward layers and the head; every other module of the suspect helps the accuracy."""
    shares = dict(zip(MODULES, candidate.suspect, strict=True))
    gap = max(0.0, shares["feed-forward"] + shares["head"] - 0.3)
    return Worth(gap, 0.8 + 0.1 * shares["attention"] + 0.05 * shares["embeddings"])


def run(trials: int = 80, seed: int = 0, partners: int = 3) -> Search:
    search = Search(Space(MODULES, partners), Goal(clean=0.85), leaky, trials, seed)
    list(search.run())
    return search


def test_weights_of_every_module_sum_to_one_and_name_all_partners() -> None:
    space = Space(MODULES, 3)
    for trial in run().done:
        weights = space.weights(trial.candidate)
        assert set(weights) == set(MODULES)
        for shares in weights.values():
            assert len(shares) == 4
            assert sum(shares) == pytest.approx(1)
        assert len(trial.candidate.partners) <= space.most_partners


def test_kept_is_the_mean_coefficient_by_elements() -> None:
    kept = Space(MODULES, 2).kept(Candidate((0.5, 0.0, 0.0, 0.0, 1.0), ((0,),) * 5))
    assert kept == pytest.approx((0.5 * 600 + 40) / 1000)


def test_the_same_seed_makes_the_same_trials_and_another_does_not() -> None:
    assert run().done == run().done
    assert run(seed=1).done != run().done


def test_fixed_recipes_come_first_and_every_partner_alone_is_among_them() -> None:
    tried = [t.candidate for t in run().done[:19]]
    assert tried[0] == even(0.25, 0, 1, 2)
    for partner in range(3):
        assert even(0.0, partner) in tried
        assert even(0.1, partner) in tried, "the least of the suspect that may be called its cure"


def test_nothing_is_tried_twice() -> None:
    tried = [t.candidate for t in run(200).done]
    assert len(set(tried)) == len(tried)


def test_the_search_finds_the_module_that_carries_the_backdoor() -> None:
    best = run(120).best(1)[0]
    weights = dict(zip(MODULES, best.candidate.suspect, strict=True))
    assert best.worth.gap <= 0.02
    assert weights["feed-forward"] + weights["head"] <= 0.33
    assert best.worth.clean > leaky(even(0.15, 0, 1, 2)).clean, "a module of the suspect that does no harm is kept"


def test_the_front_holds_what_nothing_dominates() -> None:
    search = run()
    front = search.front()
    assert front
    for trial in search.done:
        dominated = any(other.dominates(trial) for other in search.done)
        assert (trial in front) is not dominated


def test_a_used_up_space_ends_the_search() -> None:
    small = Search(Space({"all": 1}, 1), Goal(clean=0.5), lambda _: Worth(0.0, 0.5), 10_000, 0)
    assert len(list(small.run())) < 50


def test_a_stop_ends_the_search() -> None:
    search = Search(Space(MODULES, 2), Goal(clean=0.5), leaky, 100, 0, stop=lambda: len(search.done) >= 7)
    assert len(list(search.run())) == 7
    at_once = Search(Space(MODULES, 2), Goal(clean=0.5), leaky, 100, 0, stop=lambda: True)
    assert len(list(at_once.run())) == 1, "there is always something to choose"


def test_the_goal_prefers_what_keeps_enough_then_what_reaches_it_then_what_no_partner_does_alone() -> None:
    goal = Goal(clean=0.9, alone=(Worth(0.0, 0.88),))
    good = Trial(1, even(0.2, 0), Worth(0.01, 0.91), kept=0.2)
    wider = replace(good, worth=Worth(0.3, 0.95))
    replaced = replace(good, worth=Worth(0.0, 0.97), kept=0.0)
    broken = replace(good, worth=Worth(0.0, 0.5))
    like_partner = replace(good, worth=Worth(0.0, 0.88), kept=0.9)
    lossless = Goal(clean=0.88, alone=goal.alone)
    assert sorted([broken, replaced, wider, good], key=goal.rank) == [good, wider, broken, replaced]
    assert lossless.beaten(like_partner.worth)
    assert lossless.rank(good) < lossless.rank(like_partner)


def test_of_two_that_reach_the_goal_the_surer_one_is_chosen() -> None:
    """What just reaches it on the rows of a search misses it on half of all others."""
    goal = Goal(clean=0.9)
    tight = Trial(1, even(0.2, 0), Worth(0.019, 0.96), kept=0.2)
    ample = replace(tight, worth=Worth(-0.05, 0.93))
    assert goal.rank(ample) < goal.rank(tight)
    assert not replace(ample, worth=Worth(-0.3, 0.93)).dominates(ample), "below the partners is no merit of its own"


LAYERS = {"embeddings": 600, "attention 0": 100, "attention 1": 100, "feed-forward 0": 75, "feed-forward 1": 75}
KINDS = {name: name.partition(" ")[0] for name in LAYERS}


def test_a_kind_of_several_groups_is_changed_as_a_whole_and_in_parts() -> None:
    search = Search(Space(LAYERS, 2, kinds=KINDS), Goal(clean=0.5), lambda c: Worth(sum(c.suspect), 0.9), 150, 0)
    list(search.run())
    attention = [(t.candidate.suspect[1], t.candidate.suspect[2]) for t in search.done]
    assert any(one == other == 1.0 for one, other in attention)
    assert any(one != other for one, other in attention)
    own = [t.candidate.suspect for t in search.done[:16]]
    assert any(w[1] == w[2] == 0 and w[3] == w[4] > 0 for w in own), "a kind is taken from a partner in all its layers"


def test_other_strategies_are_tried_once_and_never_varied() -> None:
    other = Candidate((0.25,) * 5, ((0, 1),) * 5, "ties", (("scale", 1.0),))
    space = Space(MODULES, 2, others=(other,))

    def best(candidate: Candidate) -> Worth:
        return Worth(0.0, 1.0, kept=0.4) if candidate == other else leaky(candidate)

    search = Search(space, Goal(clean=0.85), best, 60, 0)
    list(search.run())
    assert [t.candidate for t in search.done if t.candidate.strategy != "wag"] == [other]
    (chosen,) = search.best(1)
    assert (chosen.candidate, chosen.kept) == (other, 0.4), "what it keeps is what the merge says"


def test_what_costs_nothing_is_tried_first_and_beaten_only_clearly() -> None:
    space = Space({"a": 1, "b": 1}, 2)
    assert [(c.suspect[0], c.sharers[0]) for c in space.averages] == [
        (pytest.approx(1 / 3), (0, 1)), (0.5, (0,)), (0.5, (1,))
    ]  # fmt: skip
    assert len(Space({"a": 1}, 4).averages) == 15, "every subset of five ingredients that holds the suspect"
    search = Search(space, Goal(0.9), lambda candidate: Worth(0.2, 0.9), 12, 0)
    list(search.run())
    assert [t.candidate for t in search.done[:5]] == [*space.averages, *space.singles]
    assert {*space.averages, *space.singles} <= {t.candidate for t in search.finalists(2)}

    goal, other = Goal(0.9), Candidate((0.2, 0.33), ((0, 1), (0,)))

    def chosen(worth: Worth, plain: Worth) -> Candidate:
        trials = [Trial(1, space.average, plain, 1 / 3), Trial(2, other, worth, 0.25)]
        return choose(trials, goal, space).candidate

    average = Worth(0.06, 0.90, mean=0.05)
    assert chosen(Worth(0.01, 0.90, mean=0.02), average) == other
    assert chosen(Worth(0.055, 0.90, mean=0.05), average) == space.average, "no better on so few rows"
    assert chosen(Worth(0.01, 0.90, mean=0.09), average) == space.average, "the mean over all attacks is worse"
    assert chosen(Worth(0.2, 0.90, mean=0.1), average) == space.average
