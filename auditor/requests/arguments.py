"""Commands as arguments of `auditor`. Pure: what the application shows is what it runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Arguments = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Options that mean the same in every command."""

    device: str = "auto"
    seed: int = 0
    policy: str = ""

    def arguments(self) -> list[str]:
        words = ["--device", self.device] if self.device != "auto" else []
        words += ["--seed", str(self.seed)]
        return [*words, *(["--policy", self.policy] if self.policy else [])]


def add_arguments(reference: str, name: str = "", tags: Sequence[str] = ()) -> Arguments:
    """Adds a path or a hub model to the catalog."""
    return ("models", "add", reference, *(["--name", name] if name else []), *each("--tag", tags))


def remove_arguments(model: str) -> Arguments:
    """Forgets a model."""
    return ("models", "remove", model)


def pull_arguments(model: str) -> Arguments:
    """Fetches a model from the hub."""
    return ("models", "pull", model)


def compare_arguments(before: str, after: str) -> Arguments:
    """Compares two stored scans."""
    return ("compare", before, after, "--format", "json")


def report_arguments(record: str, format_name: str, output: str) -> Arguments:
    """Renders a stored scan or audit into a file."""
    return ("report", record, "--format", format_name, "--output", output)


def demo_arguments(directory: str, catalog: str) -> Arguments:
    """Plants a backdoor in a small model, finds it, merges it away; its models come into the given catalog."""
    return ("demo", "--directory", directory, "--catalog", catalog)


def shown(arguments: Sequence[str], catalog: str = "") -> str:
    """The command line as one types it; with `--catalog` where it is not the default one."""
    named = ["--catalog", catalog] if catalog and "--catalog" not in arguments else []
    return shlex.join(["auditor", *arguments, *named])


def each(flag: str, values: Sequence[str]) -> list[str]:
    """The flag before each of the values."""
    return [part for value in values for part in (flag, value)]


def sets(name: str, options: Mapping[str, Any]) -> list[str]:
    """`--set NAME.option=value` for each option of a family or a strategy."""
    return each("--set", [f"{name}.{key}={_as_text(value)}" for key, value in options.items()])


def _as_text(value: Any) -> str:
    """An option's value as `--set` reads it: a list is cut at `|`, also one whose only entry holds a comma."""
    return "".join(f"{entry}|" for entry in value) if isinstance(value, list | tuple) else str(value)
