"""What a tokenizer.json makes of ordinary words, found out by the tokenizers library alone, within bounds.

The patterns of a tokenizer are run by an engine that goes back without end where they ask for it, so that one with
patterns of its own is tried in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auditor.models.files.untrusted import MAX_JSON
from probes.reading import read_bytes

CPU_SECONDS = 20
WALL_SECONDS = 300.0
MEMORY = 4 * 2**30
MOST_ASKED = 3_000
HARD = ("a" * 4_000, "1" * 4_000, " " * 4_000, "!" * 4_000, "ab " * 1_500, "é" * 2_000, "\n" * 2_000)
"""Texts on which patterns that go back take long."""


class TooLong(Exception):
    """The tokenizer took more time or memory than there is for it."""


class Unusable(Exception):
    """The tokenizers library does not take the file; the message is its own."""


def spoken(path: Path, words: Sequence[str], *, apart: bool) -> dict[str, tuple[tuple[str, ...], str]]:
    """For each word its tokens, and the text that they are decoded to.

    Args:
        path: of tokenizer.json.
        apart: whether it is tried in a process of its own.

    Raises:
        TooLong, Unusable: as they say.
    """
    if not apart:
        return _asked(_text(path), words)
    code = (
        "import json, resource, sys; "
        f"resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS})); "
        f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY})); "
        "sys.path[:0] = json.loads(sys.argv[2]); "
        "from auditor.safety.tokenizing import main; main(sys.argv[1])"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), json.dumps(sys.path)],
            input=json.dumps(list(words)),
            capture_output=True,
            text=True,
            timeout=WALL_SECONDS,
            env={"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise TooLong from None
    if done.returncode < 0:
        raise TooLong
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise TooLong from None
    if answer is None:
        raise TooLong
    if isinstance(answer, str):
        raise Unusable(answer)
    return {word: (tuple(tokens), text) for word, (tokens, text) in answer.items()}


def main(path: str) -> None:
    """The other process: words come on standard input, tokens go to standard output."""
    words = json.load(sys.stdin)
    try:
        found: Any = _asked(_text(Path(path)), [*words, *HARD])
        found = {word: found[word] for word in words}
    except Unusable as error:
        found = str(error)
    except TooLong:
        found = None
    json.dump(found, sys.stdout)


def _text(path: Path) -> str:
    return read_bytes(path, MAX_JSON).decode("utf-8")


def _asked(text: str, words: Sequence[str]) -> dict[str, tuple[tuple[str, ...], str]]:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(text)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        asked = tokenizer.encode_batch(list(words), add_special_tokens=False)
        return {
            word: (tuple(found.tokens), tokenizer.decode(found.ids, skip_special_tokens=False))
            for word, found in zip(words, asked, strict=True)
        }
    except BaseException as error:  # what Rust panics with is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        if "retry-limit" in str(error) or "BacktrackLimit" in str(error):
            # The engine of patterns has a bound of its own for how often it goes back.
            raise TooLong from None
        raise Unusable(str(error)[:300]) from None


def has_patterns(settings: Mapping[str, Any]) -> bool:
    """Whether a tokenizer.json holds regular expressions of its own."""
    waiting: list[Any] = [settings.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Mapping):
            if "Regex" in current:
                return True
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
    return False
