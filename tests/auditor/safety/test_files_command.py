"""`auditor files`, and what a scan says of its model's files: codes, formats, the catalog, the partner of a merge."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import IncompatibleError
from auditor.models.files.profile import read_profile
from auditor.safety.sampled import no_weights, refuse_no_weights
from store.engine import open_catalog
from tests.auditor.safety.folders import MALICIOUS, beside, harmful, honest, safetensors, state, weights

Auditor = Any
Zoo = Any


def test_each_end_has_its_code(auditor: Auditor) -> None:
    place = honest(auditor.home / "model")
    done = auditor("files", place)
    assert (done.code, "Nothing was found in the model's files" in done.out) == (0, True)
    beside(place, "model.7z", b"7z\xbc\xaf\x27\x1c" + bytes(50))
    done = auditor("files", place)
    assert done.code == 3
    assert "model.7z was not scanned" in done.out
    beside(place, "optimizer.pt", harmful())
    done = auditor("files", place)
    assert done.code == 1
    assert "posix.system" in done.out
    assert auditor("files", auditor.home / "nowhere").code == 2
    assert auditor("scan", place, "--static-only").code == 1


def test_what_is_suspicious_alone_can_be_tolerated(auditor: Auditor) -> None:
    place = honest(auditor.home / "model", extra__py="import os\n")
    assert auditor("files", place).code == 1
    policy = auditor.home / "policy.toml"
    policy.write_text("suspicious_fails = false\n")
    assert auditor("files", place, "--policy", policy).code == 0


def test_every_format_carries_the_findings(auditor: Auditor) -> None:
    place = honest(auditor.home / "model")
    beside(place, "pytorch_model.bin", harmful())
    beside(place, "blob.xyz", bytes(range(32)))
    document = auditor("files", place, "--format", "json").json
    assert document["verdict"] == "suspicious"
    worst = document["files"][0]
    assert (worst["rule"], worst["file"], worst["outcome"]) == ("pickles", "pytorch_model.bin", "found")
    assert worst["severity"] == "critical"
    assert worst["place"].startswith("byte ")
    (finding,) = document["findings"]
    assert {k: finding[k] for k in ("family", "variant", "group", "target")} == {
        "family": "files", "variant": "pickles", "group": "file", "target": "pytorch_model.bin",
    }  # fmt: skip
    assert "blob.xyz was not scanned" in document["incomplete"][0]
    run = auditor("files", place, "--format", "sarif").json["runs"][0]
    assert [r["ruleId"] for r in run["results"]] == ["file", "incomplete"]
    assert run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"]]["id"] == "file"
    suite = ET.fromstring(auditor("files", place, "--format", "junit").out)
    assert {p.get("type") for p in suite.iter("failure")} == {"found"}
    for form in ("text", "markdown", "html", "cyclonedx"):
        assert "pytorch_model.bin" in auditor("files", place, "--format", form).out


def test_the_catalog_keeps_the_last_report(auditor: Auditor) -> None:
    place = honest(auditor.home / "model")
    digest = auditor("files", place, "--format", "json").json["model"]["digest"]
    assert digest == read_profile(place).ref.digest
    beside(place, "optimizer.pt", harmful())
    auditor("files", place)
    with open_catalog(f"sqlite:///{auditor.home / 'catalog.db'}") as catalog:
        report = catalog.files.get(digest)
    assert report is not None
    assert report.checks[0].file == "optimizer.pt"
    assert report.blocks


def test_a_scan_says_what_lies_beside_its_weights_and_goes_on(zoo: Zoo, auditor: Auditor) -> None:
    model = zoo.copy(zoo.benign, auditor.home / "model")
    beside(model, "scheduler.pt", state())
    words = ("scan", model, "--data", zoo.data, "--format", "json", "--family", "badnet")
    done = auditor(*words)
    assert (done.code, done.json["verdict"]) == (0, "nothing-found")
    beside(model, "optimizer.pt", harmful())
    done = auditor(*words)
    assert (done.code, done.json["verdict"]) == (1, "suspicious")
    assert [f["family"] for f in done.json["findings"]] == ["files"]
    assert done.json["scores"]["asr"]
    assert "posix.system" in done.err


def test_refusals_stay_what_they_are(auditor: Auditor) -> None:
    place = auditor.home / "model"
    MALICIOUS["two sets of weights"](place)
    done = auditor("scan", place)
    assert done.code == 3
    assert "holds two sets of weights" in done.err
    assert auditor("files", place).code == 1


@pytest.mark.parametrize(("factor", "says"), [(0.0, "zero"), (1e9, "above"), (np.nan, "NaN")])
def test_weights_that_are_none_are_no_partner(factor: float, says: str, tmp_path: Path) -> None:
    place = honest(tmp_path / "model")
    assert no_weights(read_profile(place)) == ""
    changed = {name: (array * factor).astype(np.float32) for name, array in weights().items()}
    (place / "model.safetensors").write_bytes(safetensors(changed))
    with pytest.raises(IncompatibleError, match=says):
        refuse_no_weights(read_profile(place))


def test_a_merge_refuses_a_dead_partner(zoo: Zoo, auditor: Auditor) -> None:
    from safetensors.numpy import load_file, save_file

    partner = auditor.home / "partner"
    shutil.copytree(zoo.benign, partner)
    dead = {name: np.zeros_like(array) for name, array in load_file(partner / "model.safetensors").items()}
    save_file(dead, partner / "model.safetensors", metadata={"format": "pt"})
    done = auditor("merge", zoo.planted, "--with", partner, "-o", auditor.home / "out")
    assert done.code == 2
    assert "are zero throughout" in done.err
    assert not (auditor.home / "out").exists()
    assert json.loads((partner / "config.json").read_text())


def test_an_error_in_the_event_file_is_shown_too(auditor: Auditor) -> None:
    log = auditor.home / "events.jsonl"
    done = auditor("files", auditor.home / "no\x1b[2Jwhere", "--events", log)
    assert done.code == 2
    last = json.loads(log.read_text().splitlines()[-1])
    assert last["kind"] == "finished"
    assert "\\x1b[2J" in last["text"]
    assert "\x1b" not in done.err
