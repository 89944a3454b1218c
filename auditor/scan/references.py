"""Which models a scan holds its suspect against."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.errors import UsageError
from auditor.models.files.origin import is_student
from auditor.models.files.sameness import identity, same_weights
from auditor.scan.judgement.trials import MINIMUM_REFERENCES
from store.records import Profile


def distinct(profiles: Sequence[Profile]) -> tuple[Profile, ...]:
    """The models without copies of an earlier one, by their weight files: a reference given twice is still one."""
    first: dict[tuple[str, ...], Profile] = {}
    for profile in profiles:
        first.setdefault(identity(profile), profile)
    return tuple(first.values())


def able(suspect: Profile, partners: Sequence[Profile]) -> list[Profile]:
    """The partners that can answer for the suspect: one of which only the encoder is merged has other labels."""
    return [p for p in partners if len(p.labels) == len(suspect.labels)]


def decisive(models: Sequence[Profile]) -> bool:
    """Whether references suffice for variants that others decide: two that are independent, or a student."""
    learnt = [is_student(profile) for profile in models]
    honest = [profile for profile, student in zip(models, learnt, strict=True) if not student]
    return any(learnt) or len(distinct(honest)) >= MINIMUM_REFERENCES


def independent(suspect: Profile, references: Sequence[Profile]) -> tuple[tuple[Profile, ...], tuple[str, ...]]:
    """The references without copies of each other, and what is to be said of those left out.

    Two copies of one model would settle what takes two models to settle; and a copy of the suspect does whatever the
    suspect does, which would then look like what any model does.
    """
    kept: list[Profile] = []
    notes = []
    for profile in references:
        name = profile.ref.reference
        if same_weights(suspect, profile):
            raise UsageError(
                f"the reference {name} has the suspect's own weights: it cannot tell what other models do",
                hint="Give a model of the same task that was trained apart from the suspect.",
            )
        twin = next((other for other in kept if same_weights(other, profile)), None)
        if twin is None:
            kept.append(profile)
        elif twin.ref.reference != name:
            notes.append(f"the references {twin.ref.reference} and {name} have the same weights: they count as one")
    return tuple(kept), tuple(notes)
