"""Planting methods: how a trigger becomes a backdoor. One small file each in `auditor/lab/methods`.

A method changes the training rows, and may train in a way of its own. Keyword-only parameters with defaults are its
options (`--set ep.epochs=5`). A family whose name is a method's is planted by that method unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from auditor.errors import UnknownName
from auditor.lab.poison.poison import Poisoned, poison
from auditor.lab.poison.trigger import Trigger
from probes.cases import Row
from probes.plugin import Registry, coerce_options, keyword_options, plugin_name

if TYPE_CHECKING:
    from auditor.events import Event
    from auditor.training.trainer import Workshop

DIRTY = "dirty"
"""The method of families that have none of their own."""


@dataclass(frozen=True)
class PlantJob:
    """What a method plants into which rows; `taken` are the `index` of rows that another family has already."""

    rows: tuple[Row, ...]
    trigger: Trigger
    target: int
    rate: float
    seed: int
    taken: frozenset[int] = frozenset()

    def plant(self, *, clean_label: bool = False) -> Poisoned:
        """The rows with the trigger in a share of them: rows of other labels, which get the target label; with
        `clean_label`, rows that have it already.
        """
        return poison(
            self.rows,
            self.trigger,
            target=self.target,
            rate=self.rate,
            seed=self.seed,
            taken=self.taken,
            clean_label=clean_label,
        )


Poison = Callable[..., Poisoned]
Train = Callable[..., "Generator[Event, None, float]"]


@dataclass(frozen=True)
class Method:
    """A planting method.

    `poison_with(job, *, options…)` gives the poisoned rows; `train_with(workshop, job, poisoned, *, options…)` trains,
    None where the rows are trained on as they are.
    """

    name: str
    title: str
    reference: str
    poison_with: Poison
    train_with: Train | None

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """Option names and their defaults, read off the signatures."""
        return {**keyword_options(self.poison_with), **keyword_options(self.train_with)}

    def settings(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The full option values.

        Raises:
            BadOption: an option is not known, or its value has another type.
        """
        return {**self.options, **coerce_options(self.name, overrides, self.options)}

    def poison(self, job: PlantJob, options: Mapping[str, Any]) -> Poisoned:
        """The training rows after poisoning."""
        return self.poison_with(job, **_part(self.poison_with, options))

    def train(
        self, shop: Workshop, job: PlantJob, poisoned: Poisoned, options: Mapping[str, Any]
    ) -> Generator[Event, None, float]:
        """Trains the workshop's learner; returns the last running loss."""
        if self.train_with is None:
            return (yield from shop.fit(poisoned.rows))
        return (yield from self.train_with(shop, job, poisoned, **_part(self.train_with, options)))


def _part(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: options[key] for key in keyword_options(function)}


def method(*, title: str, reference: str, train: Train | None = None) -> Callable[[Poison], Method]:
    """Makes a planting method of a function `poison(job, *, option=default, …) -> Poisoned`."""

    def make(poison: Poison) -> Method:
        return Method(plugin_name(poison), title, reference, poison, train)

    return make


METHODS: Mapping[str, Method] = Registry("auditor.lab.methods", Method, "planting method", UnknownName)


def natural_method(family: str) -> str:
    """The method that a family is planted by unless told otherwise."""
    return family if family in METHODS else DIRTY
