"""Errors in what the user gave: an unknown name, a bad option, data that cannot be read."""

from __future__ import annotations


class InputError(ValueError):
    """What is wrong, and (`hint`) what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message
