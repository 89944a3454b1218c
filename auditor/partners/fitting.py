"""Whether a candidate can be merged with a model: the rules of the merge, for adapters on their base too."""

from __future__ import annotations

from dataclasses import dataclass, replace

from auditor.merge.compatibility.compatibility import Comparison, Match, check_copies, match
from auditor.models.files.adapter import bare, is_adapter
from auditor.models.files.gguf.profile import is_gguf
from store.records import Profile


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Whether a candidate can be merged: what forbids it, and what would be reconciled by a rule."""

    ok: bool
    blockers: tuple[str, ...]
    reconciled: tuple[str, ...]


def assess(suspect: Profile, candidate: Profile) -> Compatibility:
    """Whether a candidate can be merged with the suspect, by the rules of the merge.

    Raises:
        ModelError: files are gone, damaged, or not those that were profiled.
    """
    by = Comparison()
    found = fit(suspect, candidate, by)
    blockers = found.blockers or tuple(copies(suspect, candidate, found, by))
    return Compatibility(not blockers, blockers, found.reconciled)


def fit(suspect: Profile, candidate: Profile, by: Comparison) -> Match:
    """How a candidate fits the suspect; weights are not read.

    An adapter on its base goes with other adapters, with whole models of what the two make, and with the base itself.

    Raises:
        ModelError: files are gone, damaged, or not those that were profiled.
    """
    name, other = candidate.ref.reference, bare(candidate)
    if is_gguf(other):
        return Match((f"{name} is a GGUF file: its weights are judged, and not merged",), ())
    if not suspect.parts or is_adapter(other):
        return match(bare(suspect), other, by)
    if is_base_of(suspect, candidate):
        return Match((), (f"{name} is the adapter's base: its part of the weight takes the changes back",))
    found = match(_whole(suspect), other, by)
    return replace(
        found, reconciled=(*found.reconciled, f"{name} is a whole model: merged with it, a whole model comes out")
    )


def copies(suspect: Profile, candidate: Profile, found: Match, by: Comparison) -> list[str]:
    """Blockers of tensors that must repeat others and do not, see `check_copies`, which raises the same."""
    return check_copies(_whole(suspect), bare(candidate), found, by)


def is_base_of(suspect: Profile, candidate: Profile) -> bool:
    """Whether a model is the base that the suspect, an adapter, stands on."""
    if not suspect.parts:
        return False
    base = suspect.parts[1].ref
    return candidate.ref.digest == base.digest or candidate.ref.path == base.path


def comparable(suspect: Profile, candidate: Profile) -> bool:
    """Whether what is sampled of two models' weights is of one kind: changes of a base, or weights."""
    return is_adapter(bare(suspect)) == is_adapter(bare(candidate))


def _whole(suspect: Profile) -> Profile:
    """An adapter on its base as the whole model that it makes: config and tokenizer are looked for at the base."""
    if not suspect.parts:
        return suspect
    base = suspect.parts[1]
    return replace(suspect, ref=replace(suspect.ref, path=base.ref.path), files=base.files, parts=())
