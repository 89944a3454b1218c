"""The numbers of the weights: none that is no number, no layer that is dead or out of all proportion."""

from __future__ import annotations

import math
from collections.abc import Iterator

from auditor.models.files.names import is_buffer
from auditor.safety.check import file_rule, found, passed, suspicious
from auditor.safety.folder import Folder
from auditor.safety.streaming import Numbers
from store.records import FileCheck, Severity

EXTREME = 1e4
"""Above this a weight is out of all proportion: of published models the largest are a few hundred."""
_SHOWN = 3


@file_rule(title="Numbers of the weights")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Names the tensors with NaN, infinities, numbers out of all proportion, and the same number throughout."""
    for name, numbers in folder.numbers.items():
        told = [*_file(name, numbers)]
        yield from told or [passed(name, f"{len(numbers)} tensors of finite numbers")]


def _file(name: str, numbers: tuple[Numbers, ...]) -> Iterator[FileCheck]:
    own = [n for n in numbers if not is_buffer(n.stored.info.name, n.stored.info.shape)]
    layers = [n for n in own if len(n.stored.info.shape) > 1 and math.prod(n.stored.info.shape) > 1]
    # A LoRA adapter begins with a factor of zeros, and may be shipped so where a layer was not trained.
    layers = [n for n in layers if "lora_" not in n.stored.info.name]
    odd = [n for n in own if not math.isfinite(n.largest)]
    yield from _several(name, odd, "holds NaN or infinity", Severity.HIGH, "found")
    yield from _several(name, [n for n in layers if n.zero], "is zero throughout", Severity.MEDIUM, "suspicious")
    constant = [n for n in layers if n.same and not n.zero and math.isfinite(n.largest)]
    yield from _several(name, constant, "is one number throughout", Severity.MEDIUM, "suspicious")
    huge = [n for n in layers if EXTREME < n.largest < math.inf]
    yield from _several(name, huge, f"holds numbers above {EXTREME:,.0f}", Severity.MEDIUM, "suspicious")


def _several(file: str, of: list[Numbers], what: str, severity: Severity, outcome: str) -> Iterator[FileCheck]:
    if not of:
        return
    names = ", ".join(n.stored.info.name for n in of[:_SHOWN])
    more = f" and {len(of) - _SHOWN} more" if len(of) > _SHOWN else ""
    make = found if outcome == "found" else suspicious
    yield make(file, severity, f"{names}{more} {what}", place=of[0].stored.info.name)
