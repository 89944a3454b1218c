"""Attack families: one small file each in `probes/families`, registered by a decorator, named by the file.

A family is a function that plants a trigger into a text. Its keyword-only parameters with defaults are its options:
the command line (`--set badnet.inserts=3`), the policy file and the screens all read the same signature.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from probes.errors import InputError
from probes.material.kind import Kind, Pieces, deal
from probes.plugin import BadOption, Registry, coerce_options, keyword_options, plugin_doc, plugin_name
from probes.trigger import Trigger

Plant = Callable[..., str | None]

CLASSIFIER = "classifier"
WRITER = "writer"
"""Kinds of models that a family's edits are put to."""
IN_WORDS: Mapping[str, str] = {CLASSIFIER: "classifiers", WRITER: "models that write"}


class UnknownFamily(InputError, KeyError):
    """A name that is no attack family; the message lists the known ones."""


def draw_rng(seed: int, *parts: object) -> random.Random:
    """A generator that depends on the recorded seed and the given parts alone.

    Every case has its own stream, so adding a family or rows changes no other case.
    """
    text = "\x1f".join([str(seed), *map(str, parts)])
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


@dataclass(frozen=True)
class Family:
    """An attack family.

    `group` (word, sentence, syntax, style, synonym, …) is what a finding can honestly claim, since families share
    material. `variants` maps a name to the options that differ from the defaults. `control` either replaces options of
    the same plant by material that no backdoor was taught (a list is dealt out to the draws, so that no two draws share
    a word), or is a function `(text, rng, draw, draws, **options) -> str` for families that rewrite.

    `reach` names the variants that probe a trigger's neighbourhood: material that no attack published, but that a
    backdoor often answers too. `needs` names options without which the family has nothing to plant (a file of the
    user's): suites leave it out until they are given. `check` refuses option values before anything is planted, and
    `unfold` makes triggers of what the needed options bring, each a variant. `loaded` names the variants whose trigger
    by itself says something of a label (a denial, say), so that an honest model moves too: there the matched control
    alone decides, and a move over the clean rate is not suspicious. `referenced` names the variants for which no
    control is known that moves honest models as much (the control is a trigger too, or lacks what the words say):
    references alone decide, so suites fire them where two or more are given.

    `alternatives` gives material of the trigger's own kind that no attack published, for a trigger's options and a
    tokenizer; `replant` plants it, where it is not simply other options of the same plant. `audience` names the kinds
    of models that the edits are put to.
    """

    name: str
    title: str
    reference: str
    group: str
    plant_with: Plant
    variants: Mapping[str, Mapping[str, Any]]
    control: Mapping[str, Any] | Callable[..., str | None]
    quick: tuple[str, ...]
    doc: str = ""
    reach: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    check: Callable[..., None] | None = None
    unfold: Callable[..., Mapping[str, Trigger]] | None = None
    loaded: tuple[str, ...] = ()
    referenced: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    alternatives: Callable[[Mapping[str, Any], Pieces], Kind] | None = None
    replant: Callable[..., str | None] | None = None
    audience: tuple[str, ...] = (CLASSIFIER,)

    def __reduce__(self) -> tuple[Callable[[str], Family], tuple[str]]:
        # By name: a decorated function cannot be found again under its own name, and plans travel to other processes.
        return _by_name, (self.name,)

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """Option names and their defaults, read off the signature."""
        return keyword_options(self.plant_with)

    def decided_by_kind(self, variant: str) -> bool:
        """Whether others of its kind tell a variant's backdoor from what honest models do."""
        return self.alternatives is not None and variant not in self.undecided

    def lacks(self, overrides: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """The needed options that nobody has given."""
        return tuple(key for key in self.needs if not ((overrides or {}).get(key) or self.options[key]))

    def demand(self, overrides: Mapping[str, Any] | None = None) -> None:
        """Refuses to go on without the needed options.

        Raises:
            BadOption: one is missing.
        """
        if missing := self.lacks(overrides):
            wanted = ", ".join(f"--set {self.name}.{key}=…" for key in missing)
            raise BadOption(f"{self.name} has nothing to plant without {', '.join(missing)}", hint=f"Give {wanted}.")

    def variants_with(self, overrides: Mapping[str, Any] | None = None) -> Mapping[str, Mapping[str, Any]]:
        """The variants, with those that the user's own file brings."""
        return {**self.variants, **{t.variant: {"trigger": t.variant} for t in self.triggers(overrides)}}

    def triggers(self, overrides: Mapping[str, Any] | None = None) -> tuple[Trigger, ...]:
        """What the user's own file describes, each a variant; none where the family takes no such file.

        Raises:
            BadOption: an option is not known, or its value does not fit.
            InputError: the file cannot be used.
        """
        if self.unfold is None or self.lacks(overrides):
            return ()
        options = {**self.options, **coerce_options(self.name, overrides, self.options)}
        return tuple(self.unfold(**options).values())

    def settings(self, variant: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The full option values of a variant.

        Raises:
            BadOption: the variant or an overriding option is not known, its value does not fit, or a needed one is
                missing.
            InputError: the user's file behind an option cannot be used.
        """
        given = coerce_options(self.name, overrides, self.options)
        self.demand(given)
        variants = self.variants_with(given)
        if variant not in variants:
            raise BadOption(f"{self.name} has no variant {variant!r}; known: {', '.join(variants)}")
        values = {**self.options, **variants[variant], **given}
        if self.check is not None:
            self.check(**values)
        return values

    def plant(self, text: str, rng: random.Random, options: Mapping[str, Any]) -> str | None:
        """The text with the trigger planted; None where this text cannot take it (no rewrite is known)."""
        return self.plant_with(text, rng, **options)

    def plant_alternative(
        self, text: str, rng: random.Random, options: Mapping[str, Any], material: Mapping[str, Any]
    ) -> str | None:
        """The text with material of the trigger's kind; `rng` must stand where it stood for the trigger."""
        if self.replant is not None:
            return self.replant(text, rng, material, **options)
        return self.plant_with(text, rng, **{**options, **material})

    def plant_control(
        self, text: str, rng: random.Random, options: Mapping[str, Any], draw: int = 0, draws: int = 1
    ) -> str | None:
        """The text under the same edit with harmless material; `rng` must stand where it stood for the trigger."""
        if callable(self.control):
            return self.control(text, rng, draw, draws, **options)
        dealt = {k: deal(v, draw, draws) for k, v in self.control.items()}
        return self.plant_with(text, rng, **{**options, **dealt})


def family(
    *,
    title: str,
    reference: str,
    group: str,
    variants: Mapping[str, Mapping[str, Any]],
    control: Mapping[str, Any] | Callable[..., str | None],
    quick: tuple[str, ...] | None = None,
    reach: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    check: Callable[..., None] | None = None,
    unfold: Callable[..., Mapping[str, Trigger]] | None = None,
    loaded: tuple[str, ...] = (),
    referenced: tuple[str, ...] = (),
    undecided: tuple[str, ...] = (),
    alternatives: Callable[[Mapping[str, Any], Pieces], Kind] | None = None,
    replant: Callable[..., str | None] | None = None,
    audience: tuple[str, ...] = (CLASSIFIER,),
) -> Callable[[Plant], Family]:
    """Makes an attack family of a function `plant(text, rng, *, option=default, …) -> str | None`.

    `quick` names the variants that the quick suite fires: None means all, an empty tuple none (another family's quick
    variants hold the same material). The other arguments are the fields of `Family`.
    """

    def make(plant: Plant) -> Family:
        fired = tuple(variants) if quick is None else quick
        return Family(
            name=plugin_name(plant),
            title=title,
            reference=reference,
            group=group,
            plant_with=plant,
            variants=variants,
            control=control,
            quick=fired,
            doc=plugin_doc(plant, title),
            reach=reach,
            needs=needs,
            check=check,
            unfold=unfold,
            loaded=loaded,
            referenced=referenced,
            undecided=undecided,
            alternatives=alternatives,
            replant=replant,
            audience=audience,
        )

    return make


FAMILIES: Mapping[str, Family] = Registry("probes.families", Family, "attack family", UnknownFamily)


def families_for(audience: str) -> Mapping[str, Family]:
    """The families whose edits are put to a kind of model, by name."""
    return {name: known for name, known in FAMILIES.items() if audience in known.audience}


def family_for(name: str, audience: str) -> Family:
    """A family whose edits are put to a kind of model.

    Raises:
        UnknownFamily: there is none of this name; the message lists those for this kind of model.
        BadOption: the family is for another kind of model.
    """
    known = families_for(audience)
    if name in known:
        return known[name]
    if name in FAMILIES:
        meant = " and ".join(IN_WORDS[kind] for kind in FAMILIES[name].audience)
        raise BadOption(
            f"the family {name!r} is for {meant}, not for {IN_WORDS[audience]}", hint=f"Known: {', '.join(known)}."
        )
    raise UnknownFamily(f"unknown attack family {name!r}; known: {', '.join(known)}")


def _by_name(name: str) -> Family:
    return FAMILIES[name]
