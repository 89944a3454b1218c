"""What is planted, from the names that the user gave: family, variant, options, method, rewrites."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import UsageError
from auditor.lab.method import DIRTY, METHODS, Method, natural_method
from auditor.lab.poison.trigger import ByRule, Trigger, read_rewrites
from auditor.requests.plant import BENIGN, PlantRequest
from probes.family import FAMILIES, UnknownFamily
from probes.plugin import BadOption
from probes.probe import Probe
from probes.reading import read_bytes

GIVEN = "given"
"""The method of a set that came poisoned."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Planting:
    """One family with its trigger and its method; `rewrites` is the digest of the file that the trigger is from."""

    family: str
    variant: str | None
    options: Mapping[str, Any]
    trigger: Trigger
    method: Method
    settings: Mapping[str, Any]
    rewrites: str | None = None


def plantings(request: PlantRequest, source: Path) -> tuple[Planting, ...]:
    """What a request plants; nothing for a benign model and for a set that is poisoned already.

    Raises:
        UsageError: an unknown name, an option that nothing planted has, or methods that do not go together.
    """
    names = request.families
    if len(set(names)) < len(names):
        raise UsageError(f"--family names {', '.join(names)}: give each once")
    if not names or request.train is not None:
        _refuse_unused(request, names)
        return ()
    if request.rewrites is not None and len(names) > 1:
        raise UsageError("rewrites from a file stand for one family", hint="Name one with --family.")
    if request.variant and len(names) > 1:
        raise UsageError("--variant fits one family", hint="Use --set FAMILY.option=value for each of several.")
    found = tuple(_planting(request, name, source, alone=len(names) == 1) for name in names)
    known = {name for p in found for name in (p.family, p.method.name)}
    if unused := set(request.options) - known:
        raise UsageError(f"--set names {', '.join(sorted(unused))}, which is not planted here")
    return found


def _refuse_unused(request: PlantRequest, names: tuple[str, ...]) -> None:
    for name in names:
        _check_name(name)
    if request.variant or request.options or request.method or request.rewrites:
        if request.train is not None:
            raise UsageError(
                "--train takes a set that is poisoned already, so nothing can be planted into it",
                hint="Give --family and --target alone to say what is in it, or clean rows with --data.",
            )
        raise UsageError("--variant, --method, --rewrites and --set need a family", hint="Name one with --family.")


def _planting(request: PlantRequest, name: str, source: Path, *, alone: bool) -> Planting:
    method = _method(request, name, alone=alone)
    given = {**request.options.get(name, {}), **request.options.get(method.name, {})}
    own = {key: value for key, value in given.items() if key in method.options}
    rest = {key: value for key, value in given.items() if key not in method.options}
    try:
        settings = method.settings(own)
        if request.rewrites is not None:
            _check_name(name)
            if rest or request.variant:
                unknown = ", ".join([*rest, *(["--variant"] if request.variant else [])])
                raise UsageError(f"rewrites from a file take no option of the family: {unknown}")
            split = request.rewrites_split or source.stem
            trigger: Trigger = read_rewrites(request.rewrites, split=split, slot=request.slot)
            mark = hashlib.sha256(read_bytes(request.rewrites, 2**31)).hexdigest()
            return Planting(name, None, {}, trigger, method, settings, mark)
        family = FAMILIES[name]
        variant = request.variant or next(iter(family.variants))
        # A word list that belongs to both (sos.words) goes to both: what is planted must be what is trained.
        both = {key: value for key, value in own.items() if key in family.options}
        probe = Probe(family, variant, family.settings(variant, {**rest, **both}))
    except UnknownFamily as error:
        raise UsageError(f"{error.message}, {BENIGN}") from None
    except BadOption as error:
        raise UsageError(str(error)) from None
    return Planting(name, variant, probe.options, ByRule(probe, request.slot), method, settings)


def _method(request: PlantRequest, family: str, *, alone: bool) -> Method:
    """The method asked for, or the family's own; one that trains in its own way cannot share the rows."""
    if request.method is None:
        own = METHODS[natural_method(family)]
        return own if alone or own.train_with is None else METHODS[DIRTY]
    method = METHODS[request.method]
    if not alone and method.train_with is not None:
        raise UsageError(
            f"--method {method.name} trains in its own way, so it plants one family at a time",
            hint="Leave out --method: a mix is planted with dirty labels, bite with clean ones.",
        )
    return method


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a family", hint="Use letters, digits, dots, dashes and underscores.")
