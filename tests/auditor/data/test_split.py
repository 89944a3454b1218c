"""Which rows judge and which are left to a search."""

from __future__ import annotations

import pytest

from auditor.data.split import held_back
from auditor.errors import UsageError


def test_rows_are_held_back_for_the_search() -> None:
    assert held_back(1821, 1000, 200) == 800
    assert held_back(400, 400, 200) == 133
    assert held_back(400, 240, 200) == 160
    assert held_back(270, 270, 200) == 70, "enough are left to judge"
    with pytest.raises(UsageError, match="there are 220"):
        held_back(220, 220, 200)
