"""Models that come with a Python package, so that a demo needs no network."""

from __future__ import annotations

from auditor.models.runtime.sentences import minilm

__all__ = ["minilm"]
