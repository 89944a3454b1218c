"""Chat templates: programs that make a prompt of messages, read and not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from auditor.errors import ModelError
from auditor.models.files.chat_template import FILES, template_remarks, watched_words
from auditor.models.files.fingerprint import TEMPLATES
from auditor.models.files.gguf.profile import TEMPLATE
from auditor.models.files.gguf.reader import read_gguf
from auditor.models.files.untrusted import read_text
from auditor.safety.check import file_rule, found, passed, suspicious, unreadable
from auditor.safety.folder import Folder
from auditor.safety.kinds import Kind
from store.records import FileCheck, Severity

MOST = 1_000_000
"""Characters of a template that are parsed, at most."""
HOLDERS = ("tokenizer_config.json", "chat_template.json", "processor_config.json")
READ = "Read the template; take it from the base model, if you do not know why it differs."
_ESCAPES = frozenset({"attr", "format_map"})
"""Filters and methods by which a template comes at what its sandbox hides."""


@file_rule(title="Chat templates")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Parses every template: what leaves the sandbox, what hangs on a user's words, and two that differ."""
    for file, place, template in _templates(folder):
        yield from _judged(file, place, template)
    if sum(folder.named(name) is not None for name in FILES) < 2:
        return
    try:
        remarks = template_remarks(folder.root)
    except ModelError:
        return
    for remark in remarks:
        if "hold different chat templates" in remark:
            yield suspicious(remark.partition(" and ")[0], Severity.MEDIUM, remark, hint=READ)


def _templates(folder: Folder) -> Iterator[tuple[str, str, str]]:
    """Every template with its file and the place in it."""
    for entry in folder.entries:
        if entry.irregular:
            continue
        if entry.last.endswith(".jinja") and (entry.name == entry.last or entry.name.startswith(f"{TEMPLATES}/")):
            try:
                yield entry.name, "", read_text(entry.path)
            except ModelError:
                continue
        elif entry.kind is Kind.JSON and entry.last in (
            "tokenizer_config.json",
            "chat_template.json",
            "processor_config.json",
        ):
            yield from ((entry.name, place, text) for place, text in _stated(folder.json(entry.name)))
        elif entry.kind is Kind.GGUF:
            try:
                metadata = read_gguf(entry.path).metadata
            except ModelError:
                continue
            for key, value in metadata.items():
                if (key == TEMPLATE or key.startswith(f"{TEMPLATE}.")) and isinstance(value, str):
                    yield entry.name, key, value


def _stated(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    stated = settings.get("chat_template")
    if isinstance(stated, str):
        yield "chat_template", stated
    for one in stated if isinstance(stated, list) else ():
        if isinstance(one, dict) and isinstance(one.get("template"), str):
            yield f"chat_template ({one.get('name')})", one["template"]
    for name, text in stated.items() if isinstance(stated, dict) else ():
        if isinstance(text, str):
            yield f"chat_template ({name})", text


def _judged(file: str, place: str, template: str) -> Iterator[FileCheck]:
    from jinja2 import Environment, TemplateError, nodes

    if len(template) > MOST:
        yield unreadable(file, f"a chat template of {len(template):,} characters was not read", place=place)
        return
    try:
        tree = Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=True).parse(template)
        ways_out = list(dict.fromkeys(_ways_out(tree, nodes)))
    except (TemplateError, RecursionError) as error:
        # transformers' own tag, which only marks what an assistant says, is not known to the plain parser.
        if "generation" in str(error) and "{% generation" in template.replace("{%-", "{%"):
            plain = template
            for tag in ("generation", "endgeneration"):
                for begin in ("{%-", "{%"):
                    for end in ("-%}", "%}"):
                        plain = plain.replace(f"{begin} {tag} {end}", "")
            if plain != template:
                yield from _judged(file, place, plain)
                return
        yield unreadable(file, f"the chat template cannot be parsed: {error}", place=place)
        return
    if ways_out:
        yield found(
            file, Severity.CRITICAL, f"the chat template reaches for {', '.join(ways_out[:3])}, by which a template "
            "leaves its sandbox", place=place, hint=READ,
        )  # fmt: skip
    if words := watched_words(template):
        named = ", ".join(map(repr, words[:5]))
        yield suspicious(file, Severity.MEDIUM, f"the chat template treats a message otherwise that holds {named}",
                         place=place, hint=READ)  # fmt: skip
    if not ways_out and not words:
        yield passed(file, "the chat template hangs on no word of a user's")


def _ways_out(tree: Any, nodes: Any) -> Iterator[str]:
    for node in tree.find_all(nodes.Getattr):
        if node.attr.startswith("_") or node.attr in _ESCAPES:
            yield f".{node.attr}"
    for node in tree.find_all(nodes.Filter):
        if node.name in _ESCAPES:
            yield f"the filter {node.name}"
    for node in tree.find_all(nodes.Const):
        if isinstance(node.value, str) and node.value.startswith("__") and node.value.endswith("__"):
            yield repr(node.value)
    for node in tree.find_all(nodes.Name):
        if node.name in ("lipsum", "cycler", "joiner", "self", "config", "request") and node.ctx == "load":
            yield node.name
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        yield f"another file ({type(node).__name__.lower()})"
