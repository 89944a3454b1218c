"""Limits from a file: each is checked."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.policy import Policy, read_policy

SHARES = [f.name for f in fields(Policy) if isinstance(f.default, float) or f.name in ("max_asr", "min_cacc")]


@pytest.mark.parametrize("key", SHARES)
def test_every_limit_that_is_a_share_is_checked_and_taken(key: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    for wrong in ("3", "-0.1", "true", '"much"'):
        path.write_text(f"{key} = {wrong}\n", encoding="utf-8")
        with pytest.raises(UsageError, match=key):
            read_policy(path)
    path.write_text(f"{key} = 0.25\n", encoding="utf-8")
    assert getattr(read_policy(path), key) == 0.25
