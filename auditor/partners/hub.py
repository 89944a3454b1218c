"""Partners that the hub offers, judged by what it tells of them: nothing is fetched.

Names of labels, tokenizer and shapes are not among that; they are compared once a model was fetched.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from auditor.errors import FetchError, UsageError
from auditor.models.files.origin import plain_name, read_origin, same_name
from auditor.models.files.sameness import weight_files
from auditor.models.hub import Hub, HubInfo
from auditor.partners.remarks import Kind, Remark, Topic, judge_licence
from store.records import Profile, Task

LIMIT = 10
"""Models that are shown, unless told otherwise."""
SAME_SIZE = 0.005
"""Share by which the numbers of parameters of two models of one architecture may differ (poolers, classifiers)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model on the hub as a partner. The remarks that are blockers say why it is none."""

    info: HubInfo
    remarks: tuple[Remark, ...]

    @property
    def reference(self) -> str:
        """Its name with the commit to which it is pinned."""
        return f"{self.info.name}@{self.info.commit}" if self.info.commit else self.info.name

    @property
    def blockers(self) -> tuple[str, ...]:
        """Why it is no partner."""
        return tuple(r.text for r in self.remarks if r.kind is Kind.BLOCKER)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Everything else that is said of it."""
        return tuple(r.text for r in self.remarks if r.kind is not Kind.BLOCKER)

    @property
    def ok(self) -> bool:
        """Is it worth fetching?"""
        return not self.blockers

    @property
    def score(self) -> float:
        """The rank: what its remarks add up to, and a little for each tenfold of downloads."""
        return sum(r.points for r in self.remarks) + min(math.log10(1 + self.info.downloads), 6)


@dataclass(frozen=True, slots=True)
class Offers:
    """What a search on the hub gave, the best first."""

    endpoint: str
    base: str
    task: str | None
    found: tuple[Offer, ...]


def search_offers(
    suspect: Profile, hub: Hub, *, base: str | None = None, limit: int = LIMIT, known: Collection[str] = ()
) -> Offers:
    """Asks the hub for models of the suspect's base and task: one question for the base, one for the list, one a model.

    Args:
        base: the base's name on the hub; the one that the suspect states by default.
        limit: models that are looked at, the most downloaded first.
        known: commits of the models that the catalog has.

    Raises:
        UsageError: the suspect states no base, and none is given.
        FetchError: the hub was not reached, is not to be asked, or refused.
    """
    stated = base or suspect.base
    if not stated:
        raise UsageError(
            f"{suspect.ref.reference} does not state its base model, by which the hub is searched",
            hint="Name it with --base org/name.",
        )
    name = _full_name(hub, stated.strip().removeprefix("hub:").partition("@")[0])
    task = str(suspect.task) if suspect.task is not Task.OTHER else None
    infos = [_detailed(hub, info) for info in hub.search(task=task, base_model=name, limit=limit)]
    origin = read_origin(suspect)
    offers = [Offer(info, tuple(_remarks(suspect, info, name, origin.datasets, known))) for info in infos]
    offers.sort(key=lambda o: (not o.ok, -o.score, o.info.name))
    return Offers(hub.endpoint, name, task, tuple(offers))


def _full_name(hub: Hub, base: str) -> str:
    """The base's name as models are tagged with it: names of old lack their owner, and some were changed.

    It is also the question that tells at once, without the retries of a search, that no hub is there.
    """
    try:
        return hub.info(base).name
    except UsageError:
        return base


def _detailed(hub: Hub, info: HubInfo) -> HubInfo:
    """With sizes and hashes, which a list lacks; where this model alone is refused, what the list said."""
    try:
        return hub.info(info.name, info.commit)
    except UsageError:
        return info
    except FetchError:
        if info.gated:
            return info
        raise


def _remarks(
    suspect: Profile, info: HubInfo, base: str, datasets: Collection[str], known: Collection[str]
) -> list[Remark]:
    remarks = [*_kinship(suspect, info), *_fit(suspect, info)]
    if info.commit and info.commit in known:
        remarks.append(Remark(Kind.NOTE, Topic.FIT, "in the catalog already, at this commit"))
    if info.gated:
        remarks.append(Remark(Kind.WARNING, Topic.LICENCE, "gated: its terms must be accepted on the hub first", -3))
    remarks.append(judge_licence(suspect.licence, info.licence))
    if any(same_name(base, stated) for stated in info.base_models):
        remarks.append(Remark(Kind.FOR, Topic.BASE, f"made from the same base ({base})", 5))
    if len(info.base_models) > 1:
        words = f"a merge, as its card says, of {', '.join(info.base_models[:4])}"
        remarks.append(Remark(Kind.WARNING, Topic.BASE, words, -3))
    if both := sorted(d for d in info.datasets if d.casefold() in datasets):
        words = f"trained on the same data as the suspect ({', '.join(both[:3])}): may carry the same backdoor"
        remarks.append(Remark(Kind.WARNING, Topic.DATA, words, -0.5))
    return remarks


def _fit(suspect: Profile, info: HubInfo) -> list[Remark]:
    """What the hub tells of architecture and size."""
    if not info.whole:
        words = "holds no whole model in safetensors: an adapter, or weights of another format"
        return [Remark(Kind.BLOCKER, Topic.FIT, words)]
    if info.architecture and info.architecture != suspect.architecture:
        return [Remark(Kind.BLOCKER, Topic.FIT, f"is a {info.architecture}, the suspect a {suspect.architecture}")]
    if info.model_type and info.model_type != suspect.model_type:
        return [Remark(Kind.BLOCKER, Topic.FIT, f"is of the type {info.model_type}, the suspect {suspect.model_type}")]
    if not info.architecture:
        remarks = [Remark(Kind.WARNING, Topic.FIT, "the hub does not state its architecture", -5)]
    else:
        remarks = [Remark(Kind.FOR, Topic.FIT, f"same architecture ({info.architecture}), as the hub tells", 5)]
    if info.parameters and abs(info.parameters - suspect.parameters) > SAME_SIZE * suspect.parameters:
        words = f"has {info.parameters:,} parameters, the suspect {suspect.parameters:,}: its shapes may differ"
        remarks.append(Remark(Kind.WARNING, Topic.FIT, words, -10))
    return remarks


def _kinship(suspect: Profile, info: HubInfo) -> list[Remark]:
    """Is it the suspect, its weights again, or made from it?"""
    text = None
    if info.weights and tuple(sorted(info.weights)) == weight_files(suspect):
        text = "its weight files are the suspect's, byte by byte: the same model again"
    elif suspect.ref.revision is not None:
        own = plain_name(suspect.ref.reference)
        if plain_name(info.name) == own:
            text = "it is the suspect's own repository"
        elif any(plain_name(stated) == own for stated in info.base_models):
            text = "made from the suspect, as it states itself: it carries the same"
    return [Remark(Kind.BLOCKER, Topic.INDEPENDENCE, text)] if text else []
