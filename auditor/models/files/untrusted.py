"""What may be read of files that nobody vouches for: JSON within bounds, plain names, and no code.

Every file of a model is opened by `probes.reading.open_regular`, or through what is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auditor.errors import ModelError
from probes.reading import parse_json, read_bytes

MAX_JSON = 200_000_000
MAX_TEXT = 10_000_000
"""Bytes of a text beside a model (a chat template), at most."""
AGAIN = "Fetch or copy the file again, and compare its size with the original's."


def read_json(path: Path, *, limit: int = MAX_JSON) -> dict[str, Any]:
    """A JSON object from an untrusted file.

    Raises:
        ModelError: unreadable, too large, not UTF-8, not JSON, not an object, or with a key given twice.
    """
    try:
        found = parse_json(read_bytes(path, limit), hook=unique)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged: not JSON ({error})", hint=AGAIN) from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} is damaged: a JSON object is expected", hint=AGAIN)
    return found


def read_text(path: Path, limit: int = MAX_TEXT) -> str:
    """A text file of a model; what is no UTF-8 is replaced.

    Raises:
        ModelError: unreadable, too large, or no regular file.
    """
    try:
        return read_bytes(path, limit).decode("utf-8", "replace")
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object's members. Two readers may differ in which of two equal keys they take, so there must be none."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def is_plain_name(name: str) -> bool:
    """Is it a file's name inside one directory, on every system?"""
    return bool(name) and name not in {".", ".."} and not set(name) & set("/\\:\0") and name == Path(name).name


def refuse_code(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuses a config (of a model or of a tokenizer) that asks for code which is not part of transformers.

    `auto_map` names Python files of the model's own; an attention or expert implementation with a slash is a compiled
    kernel fetched from the hub.

    Raises:
        ModelError: it does.
    """
    for key, value in _members(settings):
        if key == "auto_map" and value:
            raise ModelError(
                f"{path} wants to run its own code (auto_map: {_code_of(value)}); that is never done",
                hint="Audit a version of an architecture that transformers has itself, without auto_map.",
            )
        kernel = key.removeprefix("_") in {"attn_implementation", "experts_implementation"}
        if kernel and any("/" in name for name in _strings(value)):
            raise ModelError(
                f"{path} wants to run a kernel from the hub ({key}: {value!r}); that is never done",
                hint=f"Remove {key} from a copy of the file, if you trust the rest.",
            )


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a JSON value and of the values in it. The parser has bounded the depth."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Mapping):
            yield from current.items()
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [v for _, v in _members(value) if isinstance(v, str)] if isinstance(value, Mapping) else []


def _code_of(value: Any) -> str:
    names = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else [value]
    return listed_few([str(n) for n in names])


def listed_few(names: list[str], most: int = 3) -> str:
    """The first few of some names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
