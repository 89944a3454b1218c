"""Audits, merges and comparisons as their users meet them: real processes on tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probes.suite import build_suite
from tests.auditor.conftest import BOTH, DIFF, RATE, permuted

Zoo = Any
Auditor = Any


@pytest.fixture(scope="module")
def audited(
    zoo: Zoo, forkserver: Any, tmp_path_factory: pytest.TempPathFactory, make_auditor: Callable[..., Auditor]
) -> tuple[Auditor, dict[str, Any]]:
    """One audit of the planted model, and the home with its catalog."""
    auditor = make_auditor(forkserver, tmp_path_factory.mktemp("audited"))
    done = auditor(
        "audit", zoo.planted, "--with", zoo.benign, zoo.partner, "--suspect-weight", "0.1", "--data", zoo.data, *BOTH,
        "--family", "bite", "--merged", auditor.home / "merged", "--format", "json",
        "--events", auditor.home / "events.jsonl",
    )  # fmt: skip
    assert done.code in (0, 1), done.err
    return auditor, {**done.json, "code": done.code}


def test_an_audit_goes_the_whole_way(audited: tuple[Auditor, dict[str, Any]], zoo: Zoo) -> None:
    auditor, audit = audited
    assert audit["schema"] == "auditor/audit/1"
    assert audit["before"]["verdict"] == "backdoor-found"
    assert audit["before"]["data"]["digest"] == audit["after"]["data"]["digest"]
    assert len(audit["before"]["settings"]["references"]) == 2, "the partners are the references"
    assert audit["stamp"] in ("sanitised", "replaced", "improved", "not-sanitised", "worse")
    assert (audit["code"] == 0) == (audit["stamp"] == "sanitised")
    assert audit["reasons"]
    merge = audit["merge"]
    assert [round(p["weight"], 2) for p in merge["partners"]] == [0.45, 0.45]
    assert merge["kept"] == pytest.approx(0.1)
    assert {"strategy", "options", "suspect_weight", "output", "digest", "seconds", "peak_bytes", "device"} <= set(
        merge
    )
    assert merge["digest"] == audit["after"]["model"]["digest"]
    measures = {c["measure"]: c for c in audit["change"]}
    assert measures["cacc"]["before"] > 0.9
    assert measures["asr badnet/one → negative"]["before"] > 0.9
    assert all(set(c["delta"]) == DIFF for c in audit["change"])
    assert (auditor.home / "merged" / "auditor-merge.json").is_file()


def test_the_rescan_fires_the_full_suite_and_all_that_was_asked_for(audited: tuple[Auditor, dict[str, Any]]) -> None:
    _, audit = audited
    before, after = (
        {(s["family"], s["variant"]) for s in audit[side]["scores"]["asr"]} for side in ("before", "after")
    )
    assert {family for family, _ in before} == {"badnet", "insertsent", "bite"}
    assert before < after, "what was asked for by name is fired again, also where references alone decide"
    assert {(p.family.name, p.variant) for p in build_suite("full").probes} < after


def test_the_event_file_begins_and_ends_as_promised(audited: tuple[Auditor, dict[str, Any]]) -> None:
    auditor, audit = audited
    events = [json.loads(line) for line in (auditor.home / "events.jsonl").read_text().splitlines()]
    assert (events[0]["kind"], events[0]["schema"]) == ("started", "auditor/events/1")
    assert events[0]["command"][:2] == ["auditor", "audit"]
    assert events[0]["id"]
    assert (events[-1]["kind"], events[-1]["code"]) == ("finished", audit["code"])
    kinds = [e["kind"] for e in events]
    assert kinds.count("started") == kinds.count("finished") == 1
    assert {"stage", "progress", "run-opened", "batch-answered", "score-ready", "scan-ready", "merge-ready"} <= set(
        kinds
    )
    score = next(e for e in events if e["kind"] == "score-ready")["score"]
    assert set(score["rate"]) >= RATE


def test_a_merge_is_verified_and_a_changed_one_is_not(audited: tuple[Auditor, dict[str, Any]], zoo: Zoo) -> None:
    auditor, _ = audited
    done = auditor("merge", "--verify", auditor.home / "merged")
    assert done.code == 0, done.out
    assert "every tensor" in done.out
    changed = zoo.copy(auditor.home / "merged", auditor.home / "changed")
    (changed / "config.json").write_text((changed / "config.json").read_text() + " ")
    done = auditor("merge", "--verify", changed)
    assert done.code == 1
    assert "config.json" in done.out


def test_two_scans_are_compared_row_by_row(audited: tuple[Auditor, dict[str, Any]], zoo: Zoo) -> None:
    auditor, audit = audited
    before, after = audit["before"]["id"], audit["after"]["id"]
    done = auditor("compare", before, after, "--format", "json")
    assert done.code == 0, done.err
    own = [c for c in audit["change"] if " in " not in c["measure"]]  # the others tell of partners
    close = [{**c, **{part: pytest.approx(c[part], abs=1e-6) for part in ("before", "after", "delta")}} for c in own]
    assert close == done.json["change"]
    assert auditor("compare", before, after).out
    auditor("scan", zoo.benign, "--data", zoo.data, "--seed", "1", "--quiet", "--format", "json", *BOTH)
    other = auditor("compare", before, zoo.benign.name)
    assert (other.code, "same rows" in other.err) == (2, True)


@pytest.mark.parametrize("form", ["text", "json", "html", "markdown", "sarif", "junit", "cyclonedx"])
def test_reports_are_rendered_again_in_every_format(
    audited: tuple[Auditor, dict[str, Any]], form: str, tmp_path: Path
) -> None:
    auditor, audit = audited
    done = auditor("report", audit["id"], "--format", form)
    assert done.code == 0, done.err
    assert audit["before"]["model"]["digest"][:8] in done.out
    file = tmp_path / "report"
    assert auditor("report", audit["before"]["id"][:6], "--format", form, "-o", file).code == 0
    assert file.read_text()
    assert list(tmp_path.iterdir()) == [file]


def test_the_ending_of_the_file_names_the_format(audited: tuple[Auditor, dict[str, Any]], tmp_path: Path) -> None:
    auditor, audit = audited
    assert auditor("report", audit["id"], "-o", tmp_path / "a.json").code == 0
    assert json.loads((tmp_path / "a.json").read_text())["id"] == audit["id"]
    listed = auditor("report", "--list").out
    assert audit["id"] in listed
    assert audit["after"]["id"] in listed


def test_partners_are_listed_and_taken_from_the_catalog(zoo: Zoo, auditor: Auditor, make_model: Any) -> None:
    lonely = auditor("audit", zoo.planted, "--data", zoo.data, "--format", "json", *BOTH)
    assert (lonely.code, lonely.json["stamp"], lonely.json["after"]) == (1, None, None)
    wide = make_model(auditor.home / "wide", hidden=64)
    gone = zoo.copy(zoo.benign, auditor.home / "gone")
    twin = zoo.copy(zoo.partner, auditor.home / "twin")
    assert auditor("models", "add", zoo.benign, zoo.partner, wide, gone, twin).code == 0
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    done = auditor("partners", zoo.planted, "--format", "json")
    usable = {p["name"]: p["ok"] for p in done.json["partners"]}
    assert done.code == 0
    assert (usable["benign"], usable["partner"], usable["wide"], usable["planted"]) == (True, True, False, False)
    assert all(p["blockers"] for p in done.json["partners"] if not p["ok"])
    # Another model of a partner's name in the working directory is not the catalogued one.
    make_model(auditor.home / "benign", hidden=64)
    done = auditor("audit", zoo.planted, "--data", zoo.data, "--format", "json", *BOTH, rescan=BOTH[1:])
    assert done.json["merge"], done.err
    digests = [p["digest"] for p in done.json["merge"]["partners"]]
    assert len(set(digests)) == len(digests) == 2
    listed = {p["digest"]: p["advised"] for p in auditor("partners", zoo.planted, "--format", "json").json["partners"]}
    assert not listed[done.json["merge"]["digest"]], "its own merge is no partner of a model"


def test_partners_with_other_labels_are_read_right(
    zoo: Zoo, auditor: Auditor, edit: Callable[..., Path], make_model: Callable[..., Path]
) -> None:
    turned = edit(zoo.copy(zoo.benign, auditor.home / "turned"), permuted)
    config = json.loads((turned / "config.json").read_text())
    config |= {"id2label": {"0": "positive", "1": "negative"}, "label2id": {"positive": 0, "negative": 1}}
    (turned / "config.json").write_text(json.dumps(config))
    three = make_model(auditor.home / "three", labels=("negative", "neutral", "positive"))
    words = ["audit", zoo.planted, "--with", turned, three, "--data", zoo.data, "--format", "json", *BOTH]
    done = auditor(*words, rescan=BOTH[1:])
    assert done.code in (0, 1), done.err
    assert len(done.json["merge"]["partners"]) == 2
    assert [r["reference"] for r in done.json["before"]["settings"]["references"]] == [str(turned)]
    (score,) = [s for s in done.json["before"]["scores"]["asr"] if (s["variant"], s["target"]) == ("one", "negative")]
    assert all(r["value"] < 0.1 for r in score["references"])


def test_nothing_found_is_not_merged(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor("audit", zoo.benign, "--with", zoo.partner, "--data", zoo.data, "--format", "json", *BOTH)
    assert (done.code, done.json["stamp"], done.json["merge"]) == (0, "not-applicable", None)


def test_two_partners_decide_what_references_alone_can(zoo: Zoo, auditor: Auditor) -> None:
    """They are asked no more than that where nothing is found."""
    words = ["audit", zoo.benign, "--data", zoo.data, "--target", "negative", "--format", "json"]
    words += ["--events", auditor.home / "e.jsonl"]
    one = auditor(*words, "--with", zoo.partner).json["before"]
    assert "question" not in {s["variant"] for s in one["scores"]["asr"]}
    assert "style" in {s["family"] for s in one["screened"]}
    done = auditor(*words, "--with", zoo.partner, zoo.third)
    both = done.json["before"]
    assert (done.code, done.json["stamp"]) == (0, "not-applicable")
    assert {"bite", "lws", "style"} <= both["settings"]["families"].keys()
    assert [r["reference"] for r in both["settings"]["references"]] == [str(zoo.partner), str(zoo.third)]
    assert not both["screened"]
    assert "question" in {s["variant"] for s in both["scores"]["asr"]}
    answered = {s["family"]: len(s["references"]) for s in both["scores"]["asr"]}
    assert (answered["style"], answered["badnet"]) == (2, 0)
    events = [json.loads(line) for line in (auditor.home / "e.jsonl").read_text("utf-8").splitlines()]
    suspect, *partners = [e["total"] for e in events if e["kind"] == "stage" and e["name"] == "probe"]
    assert len(partners) == 2
    assert all(texts < 0.6 * suspect for texts in partners)


def test_merge_alone(zoo: Zoo, auditor: Auditor) -> None:
    out = auditor.home / "merged"
    done = auditor("merge", zoo.planted, "--with", zoo.benign, "-o", out, "--weights", "1,3")
    assert (done.code, done.out.strip()) == (0, str(out)), done.err
    record = json.loads((out / "auditor-merge.json").read_text())
    assert "0.25" in json.dumps(record)
    assert auditor("merge", zoo.planted, "--with", zoo.benign, "-o", out).code == 2
    listed = auditor("models", "list", "--json").json
    assert "merged" in {tag for m in listed for tag in m["tags"]}
