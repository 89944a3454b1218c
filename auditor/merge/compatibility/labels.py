"""Which label of a partner is which of the suspect's: by name, by order where there are no names, or as stated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from auditor.errors import UsageError
from store.records import Profile, Task

UNNAMED = re.compile(r"label_\d+", re.IGNORECASE)


def relabelled(profile: Profile, stated: Mapping[str, str]) -> Profile:
    """A partner with those of its labels renamed that the user says are labels of the suspect."""
    labels = tuple(stated.get(label, label) for label in profile.labels)
    return profile if labels == profile.labels else replace(profile, labels=labels)


def note(stated: Mapping[str, str]) -> str:
    """What is to be said of stated labels."""
    return f"labels are taken as stated: {', '.join(f'{theirs} = {ours}' for theirs, ours in stated.items())}"


def check_stated(stated: Mapping[str, str], suspect: Profile, partners: Sequence[Profile] = ()) -> None:
    """Refuses names that no model has: they are misspelt.

    Args:
        partners: those that are named; none where they are yet to be chosen.

    Raises:
        UsageError: the suspect, or every partner, lacks a label that is stated.
    """
    unknown = [label for label in stated.values() if label not in suspect.labels]
    if unknown:
        raise UsageError(
            f"--labels: {suspect.ref.reference} has no label {unknown[0]!r}; it has {listed(suspect.labels)}",
            hint="A pair is PARTNER=SUSPECT: a partner's label, and the suspect's label that is the same.",
        )
    known = {label for partner in partners for label in partner.labels}
    unknown = [label for label in stated if label not in known]
    if partners and unknown:
        shown = "; ".join(f"{partner.ref.reference} has {listed(partner.labels)}" for partner in partners)
        raise UsageError(f"--labels: no partner has a label {unknown[0]!r}: {shown}")


def match_labels(suspect: Profile, candidate: Profile) -> tuple[tuple[int, ...] | None, list[str], list[str]]:
    """The candidate's row for each of the suspect's labels (None: the same order), blockers and notes."""
    ours, theirs, name = suspect.labels, candidate.labels, candidate.ref.reference
    if len(ours) != len(theirs):
        words = f"{name} has {len(theirs)} labels {listed(theirs)}, the suspect {len(ours)} {listed(ours)}"
        if suspect.task is not Task.CLASSIFICATION or not ours or not theirs:
            return None, [words], []
        return None, [], [f"{words}: only its encoder is merged, the suspect's head is kept"]
    if ours == theirs and len(set(ours)) == len(ours) and not _unnamed(ours):
        return None, [], []
    unnamed = [_unnamed(labels) for labels in (ours, theirs)]
    if any(unnamed):
        whose = "both" if all(unnamed) else ("the suspect's" if unnamed[0] else f"those of {name}")
        return None, [], [f"labels unnamed ({whose}): assumed same order in {name}"]
    if ours == theirs:
        return None, [], []
    keys, candidate_keys = [label.strip().casefold() for label in ours], [label.strip().casefold() for label in theirs]
    if len(set(keys)) < len(keys) or len(set(candidate_keys)) < len(candidate_keys):
        keys, candidate_keys = list(ours), list(theirs)
    if sorted(keys) != sorted(candidate_keys) or len(set(keys)) < len(keys):
        words = f"{name} has the labels {listed(theirs)}, the suspect {listed(ours)}"
        pairs = ",".join(f"{label}=…" for label in theirs[:2]) + (",…" if len(theirs) > 2 else "")
        return None, [f"{words}: where they mean the same, say which is which (--labels {pairs})"], []
    if keys == candidate_keys:
        return None, [], [f"labels of {name} are spelt otherwise: {listed(theirs)}"]
    rows = tuple(candidate_keys.index(key) for key in keys)
    return rows, [], [f"labels of {name} stand in another order {listed(theirs)}: its classifier rows are reordered"]


def _unnamed(labels: tuple[str, ...]) -> bool:
    return bool(labels) and all(UNNAMED.fullmatch(label) for label in labels)


def listed(labels: tuple[str, ...]) -> str:
    """Labels in brackets, six of them at most."""
    shown = ", ".join(labels[:6])
    return f"({shown}, …)" if len(labels) > 6 else f"({shown})"
