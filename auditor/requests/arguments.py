"""The commands that the application starts, as arguments of `auditor`. Pure: what is shown is what is run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

Arguments = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataChoice:
    """The rows that are probed; an empty source means the built-in sentences."""

    source: str = ""
    text_column: str = ""
    pair_column: str = ""
    label_column: str = ""

    def arguments(self) -> list[str]:
        named = {
            "--data": self.source,
            "--text-column": self.text_column,
            "--pair-column": self.pair_column,
            "--label-column": self.label_column,
        }
        return [part for flag, value in named.items() if value for part in (flag, value)]


@dataclass(frozen=True, slots=True)
class ScanChoice:
    """What a scan asks."""

    model: str
    data: DataChoice = DataChoice()
    suite: str = "quick"
    families: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    samples: int | None = None
    target: str = ""
    references: tuple[str, ...] = ()
    students: int = 0
    device: str = "auto"
    seed: int = 0
    policy: str = ""
    fresh: bool = False

    def arguments(self) -> Arguments:
        return ("scan", self.model, *self.options())

    def options(self) -> list[str]:
        """All but the command and the model: an audit takes them too."""
        words = [*self.data.arguments(), "--suite", self.suite]
        words += _each("--family", self.families) + _each("--set", self.sets)
        if self.samples is not None:
            words += ["--samples", str(self.samples)]
        if self.target:
            words += ["--target", self.target]
        words += _each("--reference", self.references)
        words += ["--students", str(self.students)] if self.students else []
        return [*words, *_everywhere(self.device, self.seed, self.policy), *(["--fresh"] if self.fresh else [])]


@dataclass(frozen=True, slots=True)
class MergeChoice:
    """What a merge makes. With `rescan` the whole audit is run instead: scan, merge, rescan, compare, stamp. With
    `search` as well, the audit searches the recipe, and strategy and weights are not used. With `make_partner` the
    audit trains so many students of the model as partners; the `suspect_weight` then stands for the weights.
    """

    model: str
    partners: tuple[str, ...]
    output: str
    strategy: str = "wag"
    weights: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    base: str = ""
    device: str = "auto"
    seed: int = 0
    policy: str = ""
    rescan: ScanChoice | None = None
    search: bool = False
    make_partner: int = 0
    suspect_weight: str = ""

    def arguments(self) -> Arguments:
        if self.rescan is not None and self.make_partner:
            words = [*_each("--with", self.partners), "--make-partner", str(self.make_partner)]
            words += ["--base", self.base] if self.base else []
            words += ["--search"] if self.search else []
            words += ["--suspect-weight", self.suspect_weight] if self.suspect_weight else []
            words += ["--merged", self.output] if self.output else []
            return ("audit", self.model, *words, *self.rescan.options())
        if self.rescan is not None and self.search:
            words = ["--search", *_each("--with", self.partners), *(["--merged", self.output] if self.output else [])]
            return ("audit", self.model, *words, *self.rescan.options())
        words = [*_each("--with", self.partners), "--strategy", self.strategy]
        if self.weights:
            words += ["--weights", ",".join(self.weights)]
        words += ["--base", self.base] if self.base else []
        words += _each("--set", self.sets)
        if self.rescan is not None:
            output = ["--merged", self.output] if self.output else []
            return ("audit", self.model, *words, *output, *self.rescan.options())
        return ("merge", self.model, *words, "--output", self.output, *_everywhere(self.device, self.seed, self.policy))


def add_arguments(reference: str, name: str = "", tags: Sequence[str] = ()) -> Arguments:
    """Adds a path or a hub model to the catalog."""
    return ("models", "add", reference, *(["--name", name] if name else []), *_each("--tag", tags))


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


def _each(flag: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]


def _everywhere(device: str, seed: int, policy: str) -> list[str]:
    words = ["--device", device] if device != "auto" else []
    words += ["--seed", str(seed)]
    return [*words, *(["--policy", policy] if policy else [])]
