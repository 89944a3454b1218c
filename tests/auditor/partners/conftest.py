"""Models as the merge tests make them."""

from __future__ import annotations

from tests.auditor.merge.conftest import light_heap, make

__all__ = ["light_heap", "make"]
