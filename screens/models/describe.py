"""A catalogued model in words: profile, history with its trend, lineage as a tree."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from screens.models.kinds import adapter_words, base_of, chat_template, on_base
from screens.words import age, count, line, percent, short, size, spark, standing, verdict, writes

if TYPE_CHECKING:
    from store.catalog import Catalog
    from store.records import CatalogEntry, FileReport, Merge, Profile
    from store.scans import ScanRow

BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
HISTORY = 20
FILES = 6
"""Findings in files that are shown."""
DEPTH = 4


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that the details pane shows of a model."""

    entry: CatalogEntry
    scans: tuple[ScanRow, ...]
    lineage: tuple[str, ...]
    template: str = ""
    """Where the chat template of a model that writes is; empty for others."""
    files: FileReport | None = None
    """What was seen in its files; None where they were not looked at."""


def weight(profile: Profile) -> int:
    """Bytes of the model's tensors."""
    return sum(math.prod(t.shape) * BYTES.get(t.dtype, 1) for t in profile.tensors)


def read_dossier(catalog: Catalog, model_id: int) -> Dossier | None:
    """Reads what is known of a model; None where it is no longer catalogued."""
    entry = catalog.models.get(model_id)
    if entry is None:
        return None
    digest = entry.profile.ref.digest
    scans = tuple(catalog.scans.list(digest, limit=HISTORY))
    template = chat_template(entry.profile) if writes(entry.profile.task) else ""
    return Dossier(entry, scans, tuple(_lineage(catalog, digest)), template, catalog.files.get(digest))


def _lineage(catalog: Catalog, digest: str) -> list[str]:
    """The merges that made a model, and those that it went into, as a tree."""
    made = [m for m in catalog.audits.merges(digest) if m.digest == digest]
    lines = _parents(made[0], catalog.audits.merges, 0) if made else []
    onward = [m for m in catalog.audits.merges(digest) if m.suspect_digest == digest and m.digest != digest]
    if onward:
        lines.append("merged into")
        lines += [
            f"{'└' if i == len(onward) - 1 else '├'} {short(m.output)}  {m.strategy}, keeps {m.kept:.0%}"
            for i, m in enumerate(onward)
        ]
    return lines


def _parents(merge: Merge, merges: Callable[[str], Sequence[Merge]], depth: int) -> list[str]:
    sources = [(merge.suspect, merge.suspect_digest, merge.suspect_weight, "suspect")]
    sources += [(p.reference, p.digest, p.weight, "partner") for p in merge.partners]
    lines = [f"{merge.strategy} of"]
    for number, (reference, digest, share, role) in enumerate(sources):
        last = number == len(sources) - 1
        lines.append(f"{'└' if last else '├'} {share:.2f}  {short(reference)}  {role}")
        further = [m for m in merges(digest) if m.digest == digest] if depth < DEPTH else []
        if further:
            indent = "  " if last else "│ "
            lines += [indent + text for text in _parents(further[0], merges, depth + 1)]
    return lines


def _kind_facts(dossier: Dossier) -> list[tuple[str, str]]:
    """What is to be said of the kind of a model: its labels or its chat template, and what of it is an adapter."""
    profile = dossier.entry.profile
    facts = []
    if on_base(profile):
        facts.append(("adapter", adapter_words(profile)))
    if writes(profile.task):
        facts.append(("template", dossier.template))
    else:
        facts.append(("labels", ", ".join(profile.labels[:8]) + (", …" if len(profile.labels) > 8 else "")))
    return facts


def _files(report: FileReport | None) -> list[str | tuple[str, str]]:
    """What was seen in the files: what is to be settled, worst first, and how much there was."""
    if report is None:
        return []
    told = [check for check in report.checks if check.outcome != "passed"]
    words = f"{len(told)} to settle" if told else "nothing found"
    parts: list[str | tuple[str, str]] = [("\nfiles  ", "accent"), (f"{words}", "warn" if told else "dim")]
    parts.append(f" in {len(report.files)} files\n")
    for check in told[:FILES]:
        tone = "bad" if check.outcome == "found" else "warn"
        parts += [(f"{check.severity:<8} ", tone), f"{check.file}: {check.message}\n"]
    if len(told) > FILES:
        parts.append((f"{len(told) - FILES} more: auditor files lists them\n", "dim"))
    return parts


def describe(dossier: Dossier, now: datetime) -> Content:
    """The details pane's text."""
    entry, profile = dossier.entry, dossier.entry.profile
    words, tone = standing(entry)
    parts: list[str | tuple[str, str]] = [(f"{entry.name}\n", "bold")]
    none = " (answers have no gold labels)" if writes(profile.task) else ""
    parts += [(words, tone), f"  ASR {percent(entry.worst_asr)}  CACC {percent(entry.cacc)}{none}\n"]
    revision = f"@{profile.ref.revision[:10]}" if profile.ref.revision else ""
    facts = [
        ("source", profile.ref.reference + revision),
        ("digest", profile.ref.digest[:16]),
        ("type", f"{profile.architecture}  {profile.task}"),
        ("size", f"{count(profile.parameters)} parameters, {size(weight(profile))}, {profile.dtype}"),
        *_kind_facts(dossier),
        ("base", (base_of(profile) if on_base(profile) else profile.base) or "not stated"),
        ("licence", profile.licence or "not stated"),
        ("tags", ", ".join(entry.tags) or "none"),
        ("added", f"{age(entry.added, now)} ago" if age(entry.added, now) != "now" else "now"),
    ]
    if entry.planted:
        facts.append(("planted", entry.planted))
    for name, value in facts:
        parts += [(f"{name:<8} ", "dim"), f"{value}\n"]
    parts += _files(dossier.files)
    if dossier.lineage:
        parts += [("\nlineage\n", "accent"), "\n".join(dossier.lineage) + "\n"]
    if dossier.scans:
        values = [s.worst_asr for s in reversed(dossier.scans) if s.worst_asr is not None]
        trend = f"worst ASR {spark(values)} {percent(values[-1])}" if values else ""
        parts += [("\nscans  ", "accent"), f"{trend}\n"]
        for scan in dossier.scans:
            words, tone = verdict(scan.verdict)
            parts += [
                f"{age(scan.finished, now):>6}  {scan.suite:<5} ",
                (f"{words:<15}", tone),
                f" {percent(scan.worst_asr):>5}\n",
            ]
    else:
        parts.append(("\nnot scanned yet: s scans it\n", "dim"))
    return line(*parts)
