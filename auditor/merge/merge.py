"""A merge as a user asks for it: models read, measured where the strategy wants that, merged, and catalogued."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from auditor.data.rows import read_texts
from auditor.errors import UsageError
from auditor.events import Event, MergeReady
from auditor.events.journal import journal
from auditor.merge.compatibility.labels import check_stated, relabelled
from auditor.merge.engine import engine
from auditor.merge.recipe import Measured, Recipe
from auditor.merge.sealing import merged_profile, seal_from
from auditor.merge.statistics import measure
from auditor.merge.strategy import STRATEGIES
from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import is_adapter
from auditor.models.files.staging import refuse_existing
from auditor.models.resolver import Resolver
from auditor.models.runtime.device import driver_gpus, pick_device
from auditor.requests.merge import MergeRequest
from auditor.settings import Settings, statistics_cache
from store.catalog import Catalog
from store.records import Profile


def merge(
    reference: str, request: MergeRequest, resolver: Resolver, settings: Settings
) -> Generator[Event, None, None]:
    """Merges a model with partners into a directory; the catalog learns of all of them.

    Raises:
        UsageError: no output, or one that exists; a recipe that does not fit; texts that are missing or not wanted.
        FetchError, ModelError, IncompatibleError: a model cannot be had, is damaged, or does not go with the others.
        DiskError: the merged model could not be written.
    """
    if request.output is None:
        raise UsageError("a merge needs a directory to write to", hint="Name it with -o DIR.")
    refuse_existing(request.output)
    # Unless something is measured first, the weights are hashed once, as the merge reads them.
    measures = STRATEGIES[request.strategy].statistics is not None

    def read(name: str) -> Profile:
        return resolver.profile(name, register=False, hash_weights=measures)

    names = (reference, *request.partners)
    models = [read(name) for name in names]
    if request.base is None and any(is_adapter(model) for model in models):
        # Whether a whole model among them is the adapters' own base hangs on what their files say.
        models = [resolver.profile(name, register=False) for name in names]
    base = read(request.base) if request.base else None
    check_stated(request.labels, models[0], models[1:])
    measured = yield from _measure(models, request, settings)
    partners = [relabelled(model, request.labels) for model in models[1:]]
    recipe = recipe_of(request, models[0], partners, base, settings.seed, measured)
    budget = request.memory << 20 if request.memory else None
    catalog = resolver.catalog
    with closing(journal(write(recipe, request.output, settings, budget), catalog)) as events:
        for event in events:
            yield event
            if isinstance(event, MergeReady):
                for model in seal_from(request.output, [*models, *([base] if base else [])]):
                    catalog.models.add(model)
                catalogue_merged(request.output, catalog, recipe.stands_on)


def write(recipe: Recipe, output: Path, settings: Settings, budget: int | None = None) -> Generator[Event, None, None]:
    """Makes the model of a recipe; the last event carries the merge.

    Args:
        budget: bytes of scratch memory, at most.

    Raises:
        ModelError, IncompatibleError, DiskError: see `auditor.merge.engine.engine.merge`.
    """
    # torch, which takes seconds to import, is asked for GPUs only where there are several to deal tensors to.
    stays = settings.device == "auto" and driver_gpus() < 2
    device = "cpu" if stays else settings.device
    yield from engine.merge(recipe, output, device=device, threads=settings.threads, budget_bytes=budget)


def catalogue_merged(output: Path, catalog: Catalog, base: Profile | None = None) -> Profile:
    """The profile of a directory that was just merged; the catalog learns of it.

    Args:
        base: what a merged adapter stands on, where that is known.
    """
    found = merged_profile(output)
    if base is not None and is_adapter(found):
        found = on_base(found, base)
    catalog.models.add(found, tags=("merged",))
    return found


def recipe_of(
    request: MergeRequest,
    suspect: Profile,
    partners: Sequence[Profile],
    base: Profile | None,
    seed: int,
    statistics: tuple[Measured, ...] = (),
) -> Recipe:
    """The recipe that a request asks for.

    Raises:
        UsageError, IncompatibleError: see `Recipe`; or a suspect's weight beside weights, or out of range.
    """
    weights = request.weights
    if request.suspect_weight is not None:
        if weights is not None:
            raise UsageError("--weights and --suspect-weight say the same thing: give one of them")
        if not 0 <= request.suspect_weight < 1:
            raise UsageError(f"the suspect's weight lies from 0 to below 1, not at {request.suspect_weight}")
        rest = (1 - request.suspect_weight) / max(len(partners), 1)
        weights = (request.suspect_weight, *[rest] * len(partners))
    return Recipe(
        suspect=suspect,
        partners=tuple(partners),
        strategy=request.strategy,
        weights=weights,
        options=request.options,
        seed=seed,
        base=base,
        statistics=statistics,
        labels=request.labels,
    )


def _measure(
    models: Sequence[Profile], request: MergeRequest, settings: Settings
) -> Generator[Event, None, tuple[Measured, ...]]:
    """What the strategy must know of the models beforehand, measured on the request's texts."""
    kind = STRATEGIES[request.strategy].statistics
    if kind is None:
        if request.texts:
            raise UsageError(f"strategy {request.strategy} measures nothing: it takes no --texts")
        return ()
    if not request.texts:
        raise UsageError(
            f"strategy {request.strategy} measures the models on unlabelled texts ({kind})",
            hint="Give some with --texts FILE.",
        )
    texts = read_texts(request.texts)
    found = []
    for model in models:
        device = pick_device(settings.device)
        made = yield from measure(model, kind, texts, statistics_cache(), device=device, seed=settings.seed)
        found.append(made)
    return tuple(found)
