"""A copy is no second opinion: not of the suspect, not of another reference, not of a partner. And a finding stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ONE = ["--suite", "quick", "--family", "badnet", "--samples", "210"]


@pytest.fixture
def stored_anew(zoo: Any, edit: Any, tmp_path: Path) -> Any:
    """Another directory with a model's weights: another file, another config, another digest."""

    def made(model: Path, name: str) -> Path:
        place = Path(edit(zoo.copy(model, tmp_path / name), lambda tensors: None))
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps({**config, "note": name}))
        return place

    return made


def test_the_suspect_is_no_reference_of_itself(zoo: Any, auditor: Any, stored_anew: Any) -> None:
    for reference in (zoo.planted, stored_anew(zoo.planted, "upload")):
        done = auditor("scan", zoo.planted, "--data", zoo.data, *ONE, "--reference", reference)
        assert done.code == 2
        assert f"the reference {reference} has the suspect's own weights" in done.err
        assert "trained apart from the suspect" in done.err


def test_a_scan_that_finds_less_than_an_earlier_one_says_so(zoo: Any, auditor: Any) -> None:
    found = auditor("scan", zoo.planted, "--data", zoo.data, *ONE, "--format", "json")
    assert (found.code, "earlier" in found.err) == (1, False)
    other = ["--suite", "quick", "--family", "insertsent", "--samples", "210", "--quiet"]
    less = auditor("scan", zoo.planted, "--data", zoo.data, *other, "--format", "json")
    assert less.json["verdict"] != "backdoor-found"
    assert f"does not take that back: auditor report {found.json['id']}" in less.err
    assert "found earlier" in auditor("models", "list").out
    honest = auditor("scan", zoo.benign, "--data", zoo.data, *ONE)
    assert "earlier" not in honest.err


def test_two_copies_of_a_reference_count_as_one(zoo: Any, auditor: Any, stored_anew: Any) -> None:
    again = stored_anew(zoo.benign, "upload")
    words = ["--reference", zoo.benign, "--reference", again, "--format", "json"]
    done = auditor("scan", zoo.planted, "--data", zoo.data, *ONE, *words)
    assert done.code == 1
    assert f"the references {zoo.benign} and {again} have the same weights: they count as one" in done.err
    assert [r["reference"] for r in done.json["settings"]["references"]] == [str(zoo.benign)]
    assert all(len(s["references"]) == 1 for s in done.json["scores"]["asr"])


def test_partners_are_no_copies_of_the_suspect_or_of_each_other(zoo: Any, auditor: Any, stored_anew: Any) -> None:
    upload = stored_anew(zoo.planted, "upload")
    done = auditor("audit", zoo.planted, "--data", zoo.data, *ONE, "--with", zoo.benign, "--with", upload)
    assert done.code == 2
    assert f"{upload} has the same weights as the suspect itself" in done.err
    again = stored_anew(zoo.benign, "again")
    done = auditor("audit", zoo.planted, "--data", zoo.data, *ONE, "--with", zoo.benign, "--with", again)
    assert done.code == 2
    assert f"{again} has the same weights as the partner {zoo.benign}" in done.err
    words = ["--with", again, "--reference", zoo.benign]
    done = auditor("audit", zoo.planted, "--data", zoo.data, *ONE, *words)
    assert done.code == 2
    assert f"the partner {again} has the same weights as the reference {zoo.benign}" in done.err
    assert "Probing" not in done.err, "it is said before anything is asked"


def nudged(tensors: dict[str, Any]) -> None:
    """Nearly the same weights."""
    rng = np.random.default_rng(0)
    tensors.update({n: t + 1e-3 * t.std() * rng.standard_normal(t.shape, "f4") for n, t in tensors.items()})


def test_a_partner_with_a_backdoor_is_remembered(zoo: Any, auditor: Any, edit: Any, tmp_path: Path) -> None:
    """An audit finds it out: who looks for partners later is told."""
    carrier = edit(zoo.copy(zoo.planted, tmp_path / "carrier"), nudged)
    words = ["--with", zoo.benign, "--with", carrier, "--format", "json", "--events", tmp_path / "events"]
    audit = auditor("audit", zoo.planted, "--data", zoo.data, *ONE, *words, rescan=["badnet"]).json
    (said,) = [r for r in audit["reasons"] if "has a backdoor itself" in r]
    assert said.startswith(f"the partner {carrier} has a backdoor itself: word edit badnet/")
    events = [json.loads(text) for text in (tmp_path / "events").read_text().splitlines()]
    (told,) = [e for e in events if e["kind"] == "partner-scanned"]
    assert said.endswith(f"(scan {told['id']})")
    assert told["verdict"] == "backdoor-found"

    scan = auditor("report", told["id"], "--format", "json").json
    assert scan["model"]["reference"] == str(carrier)
    assert scan["findings"][0]["family"] == "badnet"
    # The same scan, asked for, finds its answers stored.
    again = auditor("scan", carrier, "--data", zoo.data, *ONE, "--format", "json")
    assert "stored batches" in again.err
    assert [s["rate"] for s in again.json["scores"]["asr"]] == [s["rate"] for s in scan["scores"]["asr"]]

    listed = {p["name"]: p for p in auditor("partners", zoo.benign, "--format", "json").json["partners"]}
    assert (listed["carrier"]["advised"], listed["carrier"]["last_verdict"]) == (False, "backdoor-found")


def test_partners_that_are_nearly_the_same_are_one_measure(zoo: Any, auditor: Any, edit: Any, tmp_path: Path) -> None:
    near = edit(zoo.copy(zoo.benign, tmp_path / "near"), nudged)
    for second, measures in ((near, 1), (zoo.partner, 2)):
        words = ["--with", zoo.benign, "--with", second, "--suspect-weight", "0.1", "--format", "json"]
        done = auditor("audit", zoo.planted, "--data", zoo.data, *ONE, *words, rescan=["badnet"])
        told = f"{second} and {zoo.benign} have nearly the same weights"
        assert (told in done.err) is (second is near)
        assert any(reason.startswith(told) for reason in done.json["reasons"]) is (second is near)
        assert done.json["left"]
        # The suspect, of whose word backdoor it is no measure, is one of what its partners show besides.
        assert {len(left["references"]) for left in done.json["left"] if left["group"] == "word"} == {measures}


def test_a_partner_that_is_the_merge_is_no_measure_of_it(zoo: Any, auditor: Any) -> None:
    """With no weight for the suspect the merge is the partner, and agrees with it in everything."""
    words = ["--with", zoo.benign, "--reference", zoo.partner, "--suspect-weight", "0", "--format", "json"]
    done = auditor("audit", zoo.planted, "--data", zoo.data, *ONE, *words, rescan=["badnet"])
    assert done.code == 1, done.err
    audit = done.json
    assert audit["stamp"] in {"replaced", "improved"}
    assert not any("weight below" in reason for reason in audit["reasons"]), "there is none below 0"
    assert len(audit["before"]["settings"]["references"]) == 2
    after = [r["reference"] for r in audit["after"]["settings"]["references"]]
    assert after == [str(zoo.partner), str(zoo.planted)], "the suspect may tell of others' backdoors"
    assert all(len(left["references"]) <= 1 for left in audit["left"])
