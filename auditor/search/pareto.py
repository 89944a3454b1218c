"""The antidote: a search over recipes with a weight for each group of modules, and its Pareto front.

Pure: what a candidate is worth comes from a function that is handed in, so the search is the same for a classifier on
a CPU and a generator on a GPU. The same seed and the same scores give the same choice.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from auditor.merge.strategy import PLACES

GRID = (0.0, 0.1, 0.2, 0.33, 0.5, 1.0)
"""Weights of the suspect that a module may have."""
EVEN = (0.5, 0.33, 0.25, 0.15, 0.1)
"""Weights of the suspect that are tried for the whole model first."""
WAG = "wag"
"""The strategy whose recipes are varied, group by group."""
GAP_ERROR = 2.0
"""How many times as uncertain a gap is as a clean accuracy, on the same rows."""
FIXED_SHARE = 0.5
"""Recipes that keep one group alone are tried where they and the other fixed ones are no more of the trials."""
PARENTS = 6
"""The best recipes so far, one of which is varied next."""
TIE = 0.005
"""A slack that is larger by less is no better on so few rows."""
REPEATS = 1000
"""Changes in a row that were all tried before: the space is used up."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe: for each group of modules, the suspect's weight and which partners share the rest evenly.

    `partners` are places in the list of partners; `suspect` and `sharers` are in the order of the space's modules.
    Another strategy than the weight average, with options, has one weight for the whole model.
    """

    suspect: tuple[float, ...]
    sharers: tuple[tuple[int, ...], ...]
    strategy: str = WAG
    options: tuple[tuple[str, float], ...] = ()

    @property
    def partners(self) -> tuple[int, ...]:
        """The partners that have any weight."""
        used = {p for weight, shared in zip(self.suspect, self.sharers, strict=True) if weight < 1 for p in shared}
        return tuple(sorted(used))


@dataclass(frozen=True)
class Space:
    """What can be chosen: groups of modules with their numbers of elements, and the number of partners, best first.

    `kinds` says of which kind a group is, where it is not the whole kind; `others` are recipes of other strategies,
    which are tried as they are.
    """

    modules: Mapping[str, int]
    partners: int
    most_partners: int = 4
    kinds: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Candidate, ...] = ()

    def kind(self, module: str) -> str:
        """The kind of a group."""
        return self.kinds.get(module, module)

    @property
    def averages(self) -> tuple[Candidate, ...]:
        """The plain averages of the suspect with every subset of the partners, the largest first: of all models where
        a recipe may have so many.
        """
        most = min(self.partners, self.most_partners)
        subsets = (
            shared for size in range(most, 0, -1) for shared in itertools.combinations(range(self.partners), size)
        )
        modules = len(self.modules)
        return tuple(Candidate((1 / (1 + len(shared)),) * modules, (shared,) * modules) for shared in subsets)

    @property
    def average(self) -> Candidate:
        """The plain average of all models, or of as many as a recipe may have."""
        return self.averages[0]

    @property
    def singles(self) -> tuple[Candidate, ...]:
        """Each partner alone."""
        modules = len(self.modules)
        return tuple(Candidate((0.0,) * modules, ((partner,),) * modules) for partner in range(self.partners))

    def weights(self, candidate: Candidate) -> dict[str, tuple[float, ...]]:
        """By group, one weight a model: the suspect's first, then every partner's."""
        found = {}
        for name, own, shared in zip(self.modules, candidate.suspect, candidate.sharers, strict=True):
            rest = (1 - own) / len(shared)
            found[name] = (own, *(rest if p in shared else 0.0 for p in range(self.partners)))
        return found

    def kept(self, candidate: Candidate) -> float:
        """The mean coefficient over the suspect's task vector, by elements, 0 to 1."""
        total = sum(self.modules.values())
        return round(sum(w * n for w, n in zip(candidate.suspect, self.modules.values(), strict=True)) / total, PLACES)


@dataclass(frozen=True, slots=True)
class Worth:
    """What a candidate is worth on the rows of the search; fractions.

    `gap` is how far its worst attack success rate stands above the floor (negative: below), `clean` its clean
    accuracy, or agreement with the suspect, `kept` the share of the suspect where its weights alone do not tell. `push`
    is how much more than at the floor the worst trigger raises the probability of its target: a gap that shows
    before answers flip. Without one the gap stands for it. `mean` is the mean attack success rate over all attacks.
    """

    gap: float
    clean: float
    kept: float | None = None
    push: float | None = None
    mean: float | None = None

    @property
    def score(self) -> float:
        """√(clean × (1 − mean ASR)): accuracy and safety in one figure, 0 to 1."""
        return math.sqrt(self.clean * (1 - (self.excess if self.mean is None else self.mean)))

    @property
    def excess(self) -> float:
        """The gap, 0 where it is negative: to stand below the floor is luck and no merit."""
        return max(0.0, self.gap)

    @property
    def left(self) -> float:
        """What is left of the backdoor, by the worse of its two signs."""
        return self.gap if self.push is None else max(self.gap, self.push)


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate with its worth and the share of the suspect that it keeps."""

    number: int
    candidate: Candidate
    worth: Worth
    kept: float

    def dominates(self, other: Trial) -> bool:
        """At least as good in everything, and better in something."""
        mine = (-self.worth.excess, self.worth.clean, self.kept)
        others = (-other.worth.excess, other.worth.clean, other.kept)
        return mine != others and all(m >= o for m, o in zip(mine, others, strict=True))


@dataclass(frozen=True)
class Goal:
    """What a recipe must reach to be chosen first; fractions.

    `clean` is the clean accuracy (or agreement) that the suspect has on the same rows, and `loss` how much of it may
    go; `gap` is how far the attack success rate may stand above the floor. `alone` is what each partner by itself
    is worth: a recipe that is no better than one of them is not worth making.
    """

    clean: float
    alone: tuple[Worth, ...] = ()
    loss: float = 0.01
    kept: float = 0.10
    gap: float = 0.02

    def beaten(self, worth: Worth) -> bool:
        """Whether a partner alone is as good in both."""
        return any(a.excess <= worth.excess and a.clean >= worth.clean for a in self.alone)

    def slack(self, worth: Worth) -> float:
        """By how much the goal is reached, or missed (negative), in the worse of its two parts.

        Both are estimates from few rows, and the one with more slack reaches the goal more surely on other rows. A gap
        is measured on the triggered rows alone, without pairing: its error is about twice that of a clean accuracy.
        """
        return min((self.gap - worth.left) / GAP_ERROR, worth.clean - (self.clean - self.loss))

    def rank(self, trial: Trial) -> tuple[float, bool, bool, float, float, float]:
        """Smaller is better: first what keeps enough of the suspect, then what reaches the goal and is no worse than a
        partner alone, then by the slack.
        """
        short, slack = max(0.0, self.kept - trial.kept), self.slack(trial.worth)
        beaten = slack >= 0 and self.beaten(trial.worth)
        return short, slack < 0, beaten, -slack, -trial.worth.clean, -trial.kept


Score = Callable[[Candidate], Worth]


def choose(confirmed: Sequence[Trial], goal: Goal, space: Space) -> Trial:
    """Of recipes on rows that no search saw, the best of what costs nothing, unless another is clearly better.

    Another one must come before the best plain average or partner by rank, with a slack that is larger by `TIE` where
    both reach what a rank asks first, and its score must be no lower than that of the best and of the average of all:
    ties go to the simpler recipe.

    Args:
        confirmed: must hold the plain averages.
    """
    simple = (*space.averages, *space.singles)
    plain = min((t for t in confirmed if t.candidate in simple), key=goal.rank)
    best = min(confirmed, key=goal.rank)
    least = max(t.worth.score for t in confirmed if t is plain or t.candidate == space.average)
    first, second = goal.rank(best), goal.rank(plain)
    clearly = first[:3] < second[:3] or goal.slack(best.worth) >= goal.slack(plain.worth) + TIE
    return best if clearly and best.worth.score >= least else plain


@dataclass
class Search:
    """Tries candidates until `trials` are done or `stop` says so; one is tried in any case.

    First what costs nothing (the plain average of every subset, each partner alone), then other fixed recipes (even
    averages with less of the suspect, one module kind from the partners, other strategies, and where the trials allow,
    one group from the suspect alone), then changes of the best averages found so far. Nothing is tried twice.
    """

    space: Space
    goal: Goal
    score: Score
    trials: int
    seed: int
    stop: Callable[[], bool] = lambda: False
    done: list[Trial] = field(default_factory=list)

    def run(self) -> Iterator[Trial]:
        """Yields each trial as it is done."""
        rng = random.Random(self.seed)
        seen: set[Candidate] = set()
        repeats = 0
        fixed, alone = list(self._fixed()), list(self._alone())
        if len(fixed) + len(alone) <= FIXED_SHARE * self.trials:
            fixed += alone
        for candidate in itertools.chain(fixed, self._changes(rng)):
            if len(self.done) >= self.trials or (self.done and self.stop()):
                return
            if candidate in seen:
                repeats += 1
                if repeats > REPEATS:
                    return
                continue
            seen.add(candidate)
            repeats = 0
            worth = self.score(candidate)
            kept = self.space.kept(candidate) if worth.kept is None else worth.kept
            trial = Trial(len(self.done) + 1, candidate, worth, kept)
            self.done.append(trial)
            yield trial

    def front(self) -> list[Trial]:
        """The trials that no other dominates, smallest gap first."""
        best = [t for t in self.done if not any(o.dominates(t) for o in self.done)]
        return sorted(best, key=lambda t: (t.worth.excess, -t.worth.clean, -t.kept, t.number))

    def best(self, count: int) -> list[Trial]:
        """The trials that come nearest to the goal."""
        return sorted(self.done, key=lambda t: (*self.goal.rank(t), t.number))[:count]

    def finalists(self, count: int) -> list[Trial]:
        """What is worth being confirmed on other rows: the best so many, and all that costs nothing, tried or not."""
        found = self.best(count)
        known = {t.candidate: t for t in self.done}
        for candidate in (*self.space.averages, *self.space.singles):
            trial = known.get(candidate)
            if trial is None:
                worth = self.score(candidate)
                kept = self.space.kept(candidate) if worth.kept is None else worth.kept
                trial = Trial(len(self.done) + 1, candidate, worth, kept)
                self.done.append(trial)
            if trial not in found:
                found.append(trial)
        return found

    def _fixed(self) -> Iterator[Candidate]:
        modules = len(self.space.modules)
        yield from self.space.averages
        yield from self.space.singles
        widest = tuple(range(min(self.space.partners, self.space.most_partners)))
        for weight in EVEN:
            yield Candidate((weight,) * modules, (widest,) * modules)
        for weight in (0.0, EVEN[-1]):
            for partner in range(self.space.partners):
                yield Candidate((weight,) * modules, ((partner,),) * modules)
        even = 1 / (1 + len(widest))
        for chosen in (("feed-forward", "head"), ("attention",), ("feed-forward",), ("embeddings",)):
            own = tuple(0.0 if self.space.kind(name) in chosen else even for name in self.space.modules)
            yield Candidate(own, (widest,) * modules)
        yield from self.space.others

    def _alone(self) -> Iterator[Candidate]:
        """One group of the suspect, everything else from the partners: a backdoor is not in every group."""
        modules = len(self.space.modules)
        widest = tuple(range(min(self.space.partners, self.space.most_partners)))
        for place in range(modules):
            yield Candidate(tuple(float(place == at) for at in range(modules)), (widest,) * modules)

    def _changes(self, rng: random.Random) -> Iterator[Candidate]:
        """Endless: one or two changes of one of the best."""
        while True:
            parents = [t for t in self.best(len(self.done)) if t.candidate.strategy == WAG][:PARENTS]
            parent = parents[min(int(rng.expovariate(0.7)), len(parents) - 1)].candidate
            yield self._changed(parent, rng)

    def _changed(self, parent: Candidate, rng: random.Random) -> Candidate:
        suspect, sharers = list(parent.suspect), list(parent.sharers)
        for _ in range(rng.choice((1, 1, 2))):
            places = self._places(rng)
            if rng.random() < 0.7 or self.space.partners == 1:
                weight = rng.choice([g for g in GRID if any(g != suspect[at] for at in places)])
                for at in places:
                    suspect[at] = weight
            else:
                size = rng.randint(1, min(self.space.partners, self.space.most_partners))
                shared = tuple(sorted(rng.sample(range(self.space.partners), size)))
                for at in places:
                    sharers[at] = shared
        changed = Candidate(tuple(suspect), tuple(sharers))
        if len(changed.partners) > self.space.most_partners:
            keep = changed.partners[: self.space.most_partners]
            sharers = [tuple(p for p in shared if p in keep) or keep for shared in changed.sharers]
            changed = Candidate(changed.suspect, tuple(sharers))
        return changed

    def _places(self, rng: random.Random) -> list[int]:
        """One group; or, half of the time where groups are parts of a kind, all groups of its kind."""
        kinds = [self.space.kind(name) for name in self.space.modules]
        at = rng.randrange(len(kinds))
        if len(set(kinds)) == len(kinds) or rng.random() < 0.5:
            return [at]
        return [place for place, kind in enumerate(kinds) if kind == kinds[at]]
