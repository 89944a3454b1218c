"""Is a model the base of another: its type, shapes and token ids, and the weights themselves where they tell?"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.errors import IncompatibleError
from auditor.merge.compatibility.weight_sample import read_sample, sites_of
from auditor.merge.tensors.modules import module_of
from auditor.merge.tensors.vocabulary import ROWS, Vocabularies
from auditor.models.files.names import is_spare, stored_as
from auditor.models.files.sameness import same_weights
from auditor.partners.independence import OTHER_BASE, Closeness, closeness
from store.records import Profile, TensorInfo

SHOWN = 3
"""Tensors that are named where shapes differ."""


def check_fit(suspect: Profile, base: Profile) -> tuple[str, ...]:
    """Can a model that is trained from this base stand beside the suspect? Returns what is to be said all the same.

    Raises:
        IncompatibleError: the base is the suspect, or of another type, other shapes, or other token ids.
        ModelError: files are gone or damaged.
    """
    name = base.ref.reference
    if suspect.parts:
        under = suspect.parts[1]
        if under.ref.digest != base.ref.digest:
            raise IncompatibleError(
                f"{suspect.ref.reference} is an adapter on {under.ref.reference}: its students start from that, not "
                f"from {name}",
                hint="Leave out --base, or name that model.",
            )
        return ()
    if same_weights(suspect, base):
        raise IncompatibleError(
            f"the base {name} has the suspect's own weights: what hides in them would be in the new model as well",
            hint="Name the model that the suspect was trained from with --base.",
        )
    if base.model_type != suspect.model_type:
        raise IncompatibleError(f"the base {name} is of type {base.model_type}, the suspect {suspect.model_type}")
    if odd := list(_other_shapes(suspect, base)):
        more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
        raise IncompatibleError(f"the base {name} does not fit the suspect: {'; '.join(odd[:SHOWN])}{more}")
    shared = Vocabularies().shared(suspect, base)
    if shared.why is not None:
        raise IncompatibleError(f"the base {name} {shared.why}")
    return tuple(_remarks(base, nearness(suspect, base)))


def nearness(suspect: Profile, base: Profile) -> Closeness:
    """How some thousands of the two models' weights lie to each other.

    Raises:
        ModelError: files are gone or damaged.
    """
    sites = tuple(site for site in sites_of(suspect) if not site.head)
    return closeness(
        sites, read_sample(suspect, sites), read_sample(base, sites, None, _stored(suspect, base)), None, ()
    )


def _remarks(base: Profile, found: Closeness) -> Iterator[str]:
    name = base.ref.reference
    if found.same_body:
        yield (
            f"below its classifier the suspect has the weights of the base {name}: what hides there is in the new "
            "model as well"
        )
    elif found.likeness is not None and found.likeness < OTHER_BASE:
        yield (
            f"the weights of the base {name} do not resemble the suspect's (cosine {found.likeness:.2f}): if it is "
            "another base, the new model can be a reference, but not be merged with the suspect"
        )


def _other_shapes(suspect: Profile, base: Profile) -> Iterator[str]:
    """What of the suspect's body the base lacks or has in another shape; a pooler may begin anew."""
    theirs = {t.name: t.shape for t in base.tensors}
    stored = _stored(suspect, base)
    for tensor in _body(suspect):
        place = stored.get(tensor.name, tensor.name)
        if place not in theirs:
            if module_of(tensor.name) != "pooler":
                yield f"it has no tensor {tensor.name}"
        # How many token ids mean the same is settled by the tokenizers.
        elif tensor.shape != theirs[place] and not (ROWS.search(place) and tensor.shape[1:] == theirs[place][1:]):
            yield f"its {place} is {_shape(theirs[place])}, the suspect's {_shape(tensor.shape)}"


def _body(profile: Profile) -> list[TensorInfo]:
    return [
        t
        for t in profile.tensors
        if module_of(t.name) != "head" and not is_spare(t.name, t.shape) and not t.name.endswith("position_ids")
    ]


def _stored(suspect: Profile, base: Profile) -> dict[str, str]:
    return stored_as({t.name for t in _body(suspect)}, {t.name for t in base.tensors})


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a scalar"
