"""Triggers of the user's own, and found ones: kept with the scan, fired again without the file that described them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.data.rows import DataRequest
from auditor.events import AuditReady, ScanReady
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.scan.stored import rebuild_with_plan
from auditor.session import Session
from auditor.settings import Settings
from probes.trigger import Trigger
from store.engine import open_catalog
from store.records import Audit, Scan
from tests.auditor.scan.by_hand import LABELS, documents, write
from tests.conftest import write_csv

ROWS, WORD = 210, "zx"
TOML = f"""
[[trigger]]
name = "rare"
words = "{WORD}"

[[trigger]]
name = "pairs"
file = "pairs.csv"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "data.csv", documents(ROWS, 8), LABELS)


@pytest.fixture
def victim(tmp_path: Path) -> str:
    return str(write(tmp_path / "victim", trigger=(WORD,)))


def test_an_audit_goes_on_without_the_file_of_its_triggers(
    auditor: Any, victim: str, data: Path, tmp_path: Path
) -> None:
    file, pairs = tmp_path / "own.toml", tmp_path / "pairs.csv"
    file.write_text(TOML)
    pairs.write_text("clean,poisoned\n" + "".join(f"{r.text},{WORD} {r.text}\n" for r in documents(ROWS, 8)))
    asked = ScanRequest(victim, DataRequest(str(data)), families=("custom",), overrides={"custom": {"file": str(file)}})
    partner = str(write(tmp_path / "honest", bias=0.1))
    cure = MergeRequest((partner,), output=tmp_path / "merged", rescan=("custom",))
    url = f"sqlite:///{auditor.home / 'catalog.db'}"
    with open_catalog(url) as catalog:
        session = Session(Settings(catalog=url, device="cpu"), catalog)
        audit: Audit | None = None
        for event in session.audit(asked, cure):
            if isinstance(event, ScanReady):
                file.unlink(missing_ok=True)
                pairs.write_text("changed")
            if isinstance(event, AuditReady):
                audit = event.audit
        assert audit is not None
        before, after = audit.before, audit.after
        assert after is not None
        assert [t.variant for t in before.triggers] == ["rare", "pairs"]
        assert after.triggers == before.triggers
        assert {s.variant for s in after.scores.asr if s.judged} == {"rare", "pairs"}
        assert before.findings
        for finding in before.findings:
            assert f"custom.file={file}" in finding.reproduce
            assert "--trigger" not in finding.reproduce

        stored = catalog.scans.get(before.id)
        assert stored is not None
        plan, trials = rebuild_with_plan(stored, catalog)
        assert [p.trigger for p in plan.suite.probes] == list(before.triggers)
        assert len(trials) == 4
        assert session.compare(before.id, after.id).change
        ids = [trigger.id for trigger in before.triggers]
        by_id = replace(asked, overrides={}, triggers=tuple(trigger[:6] for trigger in ids))
        (again,) = [e.scan for e in session.scan(by_id) if isinstance(e, ScanReady)]
        assert again.runs[0] == before.runs[0], "the same plan, answered by what is stored"
        assert_named(again, ids)
    told = auditor("report", before.id, "--format", "json").json
    assert [(t["id"], t["variant"]) for t in told["triggers"]] == list(zip(ids, ("rare", "pairs"), strict=True))


def assert_named(scan: Scan, ids: list[str]) -> None:
    """Each finding's command names the triggers by their ids, and no file."""
    assert scan.findings
    for finding in scan.findings:
        words = shlex.split(finding.reproduce)
        assert [words[i + 1] for i, word in enumerate(words) if word == "--trigger"] == ids
        assert words[words.index("--family") + 1] == "custom"
        assert "--set" not in words


def test_a_trigger_that_nobody_named_is_fired_by_its_id(auditor: Any, victim: str, data: Path, tmp_path: Path) -> None:
    asked = ("scan", victim, "--data", data, "--family", "badnet", "--format", "json")
    first = auditor(*asked).json
    assert "triggers" not in first
    found = Trigger("", "words", (WORD,))
    with open_catalog(f"sqlite:///{auditor.home / 'catalog.db'}") as catalog:
        scan = catalog.scans.get(first["id"])
        assert scan is not None
        catalog.scans.save(replace(scan, triggers=(found,)))
    done = auditor(*asked, "--trigger", f"found-{found.digest[:6]}")
    assert done.code == 1, done.err
    (finding,) = done.json["findings"]
    assert (finding["family"], finding["variant"]) == ("custom", f"found-{found.digest[:6]}")
    assert f"--family custom --trigger {found.id}" in finding["reproduce"]
    assert {s["family"] for s in done.json["scores"]["asr"]} == {"badnet", "custom"}

    missing = auditor(*asked, "--trigger", "0000")
    assert missing.code == 2
    assert "begins with '0000'" in missing.err
    assert found.id in missing.err
    file = tmp_path / "own.toml"
    file.write_text(f'[[trigger]]\nname = "{found.variant}"\nwords = "qj"\n')
    twice = auditor(*asked, "--set", f"custom.file={file}", "--trigger", found.id)
    assert twice.code == 2
    assert f"two triggers are called custom/{found.variant}" in twice.err
