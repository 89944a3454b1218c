"""Plug-ins: one small module each in a package, found by the file's name; keyword-only parameters are their options.

The package is named, never imported here, so a plug-in may import the module that holds its registry.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from probes.errors import InputError


class BadOption(InputError):
    """An option that a plug-in does not have, or a value of another type."""


class Plugin(Protocol):
    """What a module of the package defines: an object that bears the module's name."""

    @property
    def name(self) -> str: ...


P = TypeVar("P", bound=Plugin)


class Registry(Mapping[str, P]):
    """The plug-ins of a package by name. Names are listed without importing; a module is imported when it is read.

    Modules whose name begins with an underscore are none. A directory that is added to the package's `__path__` adds
    its modules.

    Args:
        package: the package's name.
        kind: the class of the plug-ins.
        what: what one of them is called in messages.
        unknown: the error for a name that is none, made with its message.
    """

    def __init__(self, package: str, kind: type[P], what: str, unknown: type[KeyError]) -> None:
        self._package = package
        self._kind = kind
        self._what = what
        self._unknown = unknown

    def __getitem__(self, name: str) -> P:
        if name not in self:
            raise self._unknown(f"unknown {self._what} {name!r}; known: {', '.join(self)}")
        module = importlib.import_module(f"{self._package}.{name}")
        made = [v for v in vars(module).values() if isinstance(v, self._kind) and v.name == name]
        if len(made) != 1:
            raise TypeError(f"{module.__name__} must define one {self._kind.__name__}, not {len(made)}")
        return made[0]

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> list[str]:
        found = pkgutil.iter_modules(importlib.import_module(self._package).__path__)
        return sorted(m.name for m in found if not m.name.startswith("_"))


def plugin_name(function: Callable[..., Any]) -> str:
    """The name of the plug-in that a function makes: its module's."""
    return function.__module__.rpartition(".")[2]


def plugin_doc(function: Callable[..., Any], title: str) -> str:
    """What is told of a plug-in: the function's docstring, else its module's, else its title."""
    return inspect.getdoc(function) or inspect.getdoc(inspect.getmodule(function)) or title


def keyword_options(function: Callable[..., Any] | None) -> dict[str, Any]:
    """Keyword-only parameters with a default, and the defaults; none of no function."""
    if function is None:
        return {}
    return {
        p.name: p.default
        for p in inspect.signature(function).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is not inspect.Parameter.empty
    }


def coerce_options(owner: str, given: Mapping[str, Any] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The values that were given, each in the type of its option's default.

    Raises:
        BadOption: no such option, or a value does not fit.
    """
    return {key: coerce_option(owner, key, value, options) for key, value in (given or {}).items()}


def coerce_option(owner: str, key: str, value: Any, options: Mapping[str, Any]) -> Any:
    """A value, given as text or as TOML gives it, in the type of the option's default.

    Raises:
        BadOption: no such option, or the value does not fit.
    """
    if key not in options:
        raise BadOption(f"{owner} has no option {key!r}; known: {', '.join(options) or 'none'}")
    default = options[key]
    try:
        if isinstance(default, bool):
            if isinstance(value, bool):
                return value
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[str(value).lower()]
        if isinstance(default, int):
            number = int(str(value))
            if number < 0:
                raise ValueError(value)
            return number
        if isinstance(default, float):
            return float(value)
        if isinstance(default, tuple):
            items = tuple(str(p).strip() for p in split_list(value) if str(p).strip())
            if not items:
                raise ValueError(value)
            return items
        return None if value is None else str(value)
    except (ValueError, KeyError, TypeError):
        kind = {tuple: "a comma-separated list"}.get(type(default), f"a value of type {type(default).__name__}")
        raise BadOption(f"{owner}.{key} takes {kind}, not {value!r}") from None


def split_list(value: Any) -> list[Any]:
    """A list as it is, or text cut at `|` where it holds one (entries with commas), else at commas."""
    if isinstance(value, str):
        return value.split("|" if "|" in value else ",")
    return list(value)
