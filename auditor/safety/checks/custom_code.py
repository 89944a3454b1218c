"""Code that comes with a model: Python and other sources, machine code, and configs that ask for either."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.errors import ModelError
from auditor.models.files.untrusted import refuse_code
from auditor.safety.check import file_rule, found, passed, suspicious
from auditor.safety.folder import Folder
from auditor.safety.kinds import Kind
from store.records import FileCheck, Severity

TRUST = "It runs only where trust_remote_code is set, or by hand: read it before, or leave it out."


@file_rule(title="Code of the model's own")
def look(folder: Folder) -> Iterator[FileCheck]:
    """Names every source and library, and every config that has one run."""
    for entry in folder.entries:
        if entry.irregular:
            continue
        if entry.kind is Kind.NATIVE:
            yield found(entry.name, Severity.HIGH, "a program or a library in machine code", hint=TRUST)
        elif entry.kind is Kind.SOURCE:
            yield suspicious(entry.name, Severity.MEDIUM, "source code that is shipped with the model", hint=TRUST)
        elif entry.kind is Kind.JSON and entry.last.endswith("config.json"):
            settings = folder.json(entry.name)
            try:
                refuse_code(entry.path, settings)
            except ModelError as error:
                yield found(entry.name, Severity.HIGH, error.message.removeprefix(f"{entry.path} "), hint=error.hint)
            else:
                explicit = settings.get("transformers_weights")
                if isinstance(explicit, str) and not explicit.endswith((".safetensors", ".safetensors.index.json")):
                    yield found(entry.name, Severity.HIGH, f"it names {explicit!r} as the weights to be loaded",
                                place="transformers_weights", hint="Remove the entry.")  # fmt: skip
                yield passed(entry.name)
