"""The words of messages: hints are sentences, and what the program says of itself is plain English."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("auditor", "screens", "store", "probes")
ODD = re.compile(r"bug of ours|words are off|lies behind|[Gg]ive fewer|[Ll]eave [^.]* away|Searching a ")


def texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be; what is filled in is `…`."""
    if isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value


def sentence(text: str) -> bool:
    """Whether it begins with a capital (or a name) and ends with a stop, or with an example to copy behind a colon."""
    return not text[0].islower() and (text[-1] in ".?!…" or ": " in text)


def test_hints_are_sentences() -> None:
    found = []
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "hint":
                    found += [f"{path.relative_to(ROOT)}:{node.value.lineno}: {t}" for t in texts(node.value)
                              if not sentence(t)]  # fmt: skip
    assert not found, "\n".join(found)


def test_no_odd_words() -> None:
    found = []
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            if "material" in path.parts or "families" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found += [f"{path.relative_to(ROOT)}:{node.lineno}: {odd}" for odd in ODD.findall(node.value)]
    assert not found, "\n".join(found)
