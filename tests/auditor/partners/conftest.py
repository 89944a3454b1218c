"""Models as the merge tests make them."""

from __future__ import annotations

from tests.auditor.merge.conftest import make

__all__ = ["make"]
