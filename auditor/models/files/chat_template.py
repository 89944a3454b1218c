"""Chat templates, read and not run: which are there, and whether one heeds what a user writes.

A template is a program that makes a prompt of messages. One that looks for a word in them can change what the model is
asked, whatever its weights are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auditor.models.files.untrusted import read_json, read_text

FILES = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")
"""Where a template stands, the first one that is there is taken (transformers' order)."""
MARK = re.compile(r"[<\[{|].*|.*[>\]}|]|\W*")
"""What is no word of a user's: a model's own marks, such as `</think>`."""


def template_remarks(directory: Path) -> tuple[str, ...]:
    """What a report should say of a model's chat templates.

    Raises:
        ModelError: a file that may hold one is no JSON.
    """
    found = {name: text for name in FILES for text in [_template(directory / name)] if text}
    if not found:
        return ()
    used = next(iter(found))
    remarks = [
        f"{used} and {name} hold different chat templates: {used} was used, and what servers that take the other would "
        "answer was not judged."
        for name, text in found.items()
        if text.strip() != found[used].strip()
    ]
    words = watched_words(found[used])
    if words:
        named = ", ".join(map(repr, words))
        remarks.append(
            f"The chat template in {used} treats a message otherwise that holds {named}: read it, since a template can "
            "carry a backdoor of its own."
        )
    return tuple(remarks)


def watched_words(template: str) -> tuple[str, ...]:
    """The words of which a template's conditions look for in what messages say; marks of the model's own left out."""
    from jinja2 import Environment, TemplateError, nodes

    try:
        tree = Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=True).parse(template)
        contents = _names_of_content(tree, nodes)
        tests = [node.test for node in tree.find_all(nodes.If)]
        tests += [node.test for node in tree.find_all(nodes.CondExpr)]
        words = [
            str(const.value)
            for test in tests
            for part in _parts(test, nodes)
            if any(_is_content(node, contents, nodes) for node in part.find_all(nodes.Expr))
            for const in part.find_all(nodes.Const)
            if isinstance(const.value, str) and const.value != "content" and not MARK.fullmatch(const.value.strip())
        ]
    # One that cannot be parsed cannot be run either: that is said when the model is asked.
    except (TemplateError, RecursionError):
        return ()
    return tuple(dict.fromkeys(words))


def _parts(test: Any, nodes: Any) -> Iterator[Any]:
    """The conditions that a test joins by and, or, not."""
    if isinstance(test, nodes.And | nodes.Or):
        yield from _parts(test.left, nodes)
        yield from _parts(test.right, nodes)
    elif isinstance(test, nodes.Not):
        yield from _parts(test.node, nodes)
    else:
        yield nodes.Output([test])


def _names_of_content(tree: Any, nodes: Any) -> set[str]:
    """Variables that hold what a message says."""
    known: set[str] = set()
    while True:
        more = {
            assign.target.name
            for assign in tree.find_all(nodes.Assign)
            if isinstance(assign.target, nodes.Name)
            and any(_is_content(node, known, nodes) for node in nodes.Output([assign.node]).find_all(nodes.Expr))
        }
        if more <= known:
            return known
        known |= more


def _is_content(node: Any, known: set[str], nodes: Any) -> bool:
    if isinstance(node, nodes.Name):
        return node.name in known
    if isinstance(node, nodes.Getattr):
        return bool(node.attr == "content")
    return isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and node.arg.value == "content"


def _template(path: Path) -> str:
    if not path.is_file():
        return ""
    if path.suffix == ".jinja":
        return read_text(path)
    stated = read_json(path).get("chat_template")
    if isinstance(stated, list):
        # Several by name; the default one is taken.
        named = {str(one.get("name")): one.get("template") for one in stated if isinstance(one, dict)}
        stated = named.get("default")
    return stated if isinstance(stated, str) else ""
