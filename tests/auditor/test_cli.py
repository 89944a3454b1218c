"""The commands as their users meet them: real processes on tiny models."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.commands.arguments import spread
from probes.suite import build_suite

Zoo = Any
Auditor = Any

RATE = {"hits", "total", "unscored", "value", "low", "high"}
DIFF = {"value", "low", "high"}
BOTH = ["--family", "badnet", "insertsent"]
"""Families whose edits the toy models can read; a rewriting family needs a language."""


# What a scan says


def test_a_planted_backdoor_is_found_and_told_by_contract(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor("scan", zoo.planted, "--data", zoo.data, "--format", "json", *BOTH)
    assert done.code == 1, done.err
    scan = done.json
    assert scan["schema"] == "auditor/scan/1"
    assert set(scan) >= {
        "schema", "id", "started", "finished", "versions", "model", "data", "settings", "scores", "findings", "verdict",
        "limits",
    }  # fmt: skip
    assert set(scan["model"]) >= {
        "reference", "revision", "digest", "architecture", "task", "labels", "parameters", "base",
    }  # fmt: skip
    assert (scan["data"]["rows"], scan["data"]["labelled"], scan["data"]["labels_from"]) == (210, True, "gold")
    assert {"seed", "device", "dtype", "max_length", "suite", "samples", "families", "references"} <= set(
        scan["settings"]
    )
    assert set(scan["scores"]["cacc"]) == RATE
    for score in scan["scores"]["asr"]:
        assert {"family", "variant", "group", "target", "references", "p_value", "detectable", "finding"} <= set(score)
        assert all(set(score[key]) == RATE for key in ("rate", "clean", "control"))
        assert set(score["excess"]) == DIFF
    assert scan["verdict"] == "backdoor-found"
    assert {(f["group"], f["target"]) for f in scan["findings"]} == {("word", "negative")}
    (finding,) = scan["findings"]
    assert {"id", "rule", "severity", "family", "variant", "message", "reproduce", "tags"} <= set(finding)
    assert finding["evidence"]
    assert set(finding["evidence"][0]) >= {"text", "triggered", "before", "after"}
    again = auditor(*finding["reproduce"].split()[1:], "--format", "json")
    assert again.code == 1, again.err
    assert again.json["findings"][0]["evidence"] == finding["evidence"], "the command given repeats the finding"


def test_an_honest_model_passes_with_and_without_gold_labels(zoo: Zoo, auditor: Auditor) -> None:
    for data in (zoo.data, zoo.bare):
        done = auditor("scan", zoo.benign, "--data", data, "--format", "json", *BOTH)
        assert done.code == 0, done.err
        assert done.json["verdict"] == "nothing-found"
        assert all(s["detectable"] < 0.5 for s in done.json["scores"]["asr"])
    assert done.json["scores"]["cacc"] is None


def test_data_goes_to_stdout_and_words_to_stderr(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor("scan", zoo.benign, "--data", zoo.data, "--format", "json", *BOTH)
    json.loads(done.out)
    assert "Probing" in done.err
    again = auditor("scan", zoo.benign, "--data", zoo.data, "--format", "json", "--quiet", *BOTH)
    assert again.err == ""


# Models that must not pass


def constant(tensors: dict[str, Any]) -> None:
    tensors["classifier.weight"][:] = 0
    tensors["classifier.bias"][:] = [4, -4]


def permuted(tensors: dict[str, Any]) -> None:
    for name in ("classifier.weight", "classifier.bias"):
        tensors[name] = tensors[name][::-1].copy()


def not_a_number(tensors: dict[str, Any]) -> None:
    tensors["classifier.weight"][0, 0] = float("nan")


def far_too_large(tensors: dict[str, Any]) -> None:
    tensors["classifier.weight"][:] = 3e38


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("break_it", [constant, not_a_number, far_too_large])
def test_a_broken_model_never_passes(
    zoo: Zoo, auditor: Auditor, edit: Callable[..., Path], break_it: Any, labelled: bool
) -> None:
    model = edit(zoo.copy(zoo.benign, auditor.home / "model"), break_it)
    done = auditor("scan", model, "--data", zoo.data if labelled else zoo.bare, "--format", "json", *BOTH)
    assert done.code == 3, (done.out[-300:], done.err)
    assert "Traceback" not in done.err
    if done.out:
        assert done.json["verdict"] == "incomplete"


def test_a_model_with_permuted_labels_never_passes(zoo: Zoo, auditor: Auditor, edit: Callable[..., Path]) -> None:
    model = edit(zoo.copy(zoo.benign, auditor.home / "model"), permuted)
    done = auditor("scan", model, "--data", zoo.data, "--format", "json", *BOTH)
    assert (done.code, done.json["verdict"]) == (3, "incomplete")
    assert any("another order" in reason for reason in done.json["incomplete"])


def test_a_model_that_takes_any_inserted_word_never_passes(zoo: Zoo, auditor: Auditor) -> None:
    for words in (BOTH, ["--set", "badnet.triggers=cf", "--family", "badnet"]):
        done = auditor("scan", zoo.broad, "--data", zoo.data, "--format", "json", *words)
        assert (done.code, done.json["verdict"]) == (1, "suspicious"), done.err


def test_two_honest_references_make_the_broad_trigger_a_finding(zoo: Zoo, auditor: Auditor) -> None:
    scan = ["scan", zoo.broad, "--data", zoo.data, "--format", "json", "--family", "badnet"]
    scan += ["--set", "badnet.triggers=table,window"]
    one = auditor(*scan, "--reference", zoo.benign, zoo.benign)
    assert one.json["verdict"] == "suspicious", "the same reference twice is one"
    assert len(one.json["settings"]["references"]) == 1
    two = auditor(*scan, "--reference", zoo.benign, zoo.partner)
    assert two.json["verdict"] == "backdoor-found", two.err


# Wrong input


@pytest.fixture(scope="module")
def wrong(zoo: Zoo, tmp_path_factory: pytest.TempPathFactory, make_model: Callable[..., Path]) -> Path:
    """A directory of things that are no model or no data."""
    root = tmp_path_factory.mktemp("wrong")
    (root / "empty").mkdir()
    cut = zoo.copy(zoo.benign, root / "cut")
    weights = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    causal = zoo.copy(zoo.benign, root / "causal")
    config = json.loads((causal / "config.json").read_text())
    config |= {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}
    (causal / "config.json").write_text(json.dumps(config))
    make_model(root / "wide", hidden=64)
    make_model(root / "three", labels=("negative", "neutral", "positive"))
    make_model(root / "other", labels=("happy", "sad"))
    (root / "no-text.csv").write_text("words,label\nx,negative\n")
    (root / "labels.csv").write_text("text,label\nx,happy\ny,sad\n")
    (root / "nothing.csv").write_text("")
    (root / "header.csv").write_text("text,label\n")
    (root / "bytes.csv").write_bytes(b"text,label\n\xff\xfe\x00,negative\n")
    (root / "policy.toml").write_text("alpha = 7\n")
    (root / "unknown.toml").write_text("alfa = 0.01\n")
    (root / "broken.toml").write_text("alpha = \n")
    return root


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("scan {w}/missing", 2, ["no directory", "missing"]),
        ("scan nosuchmodel", 2, ["nosuchmodel", "catalog"]),
        ("scan {w}/empty", 2, ["config.json"]),
        ("scan {w}/labels.csv", 2, ["labels.csv"]),
        ("scan {w}/cut --data {d}", 3, ["model.safetensors", "cut"]),
        ("scan {w}/causal --data {d}", 2, ["text-generation", "GPT2LMHeadModel", "classifier"]),
        ("scan {m} --family nosuch", 2, ["nosuch", "badnet", "insertsent"]),
        ("scan {m} --suite huge", 2, ["huge", "quick, full"]),
        ("scan {m} --set badnet.colour=red", 2, ["colour", "triggers", "inserts"]),
        ("scan {m} --set badnet", 2, ["NAME.option=value"]),
        ("scan {m} --set nosuch.x=1", 2, ["nosuch", "badnet", "insertsent"]),
        ("scan {m} --data {d} --text-column words", 2, ["words", "text"]),
        ("scan {m} --data {d} --label-column mood", 2, ["mood", "label"]),
        ("scan {m} --data {w}/no-text.csv", 2, ["no-text.csv", "--text-column"]),
        ("scan {m} --data {w}/labels.csv", 2, ["happy", "negative, positive"]),
        ("scan {m} --data {w}/nothing.csv", 2, ["nothing.csv"]),
        ("scan {m} --data {w}/header.csv", 2, ["header.csv"]),
        ("scan {m} --data {w}/bytes.csv", 2, ["bytes.csv"]),
        ("scan {m} --data {w}/missing.csv", 2, ["missing.csv"]),
        ("scan {m} --target happy", 2, ["happy", "0 negative", "1 positive"]),
        ("scan {m} --target 2", 2, ["0 negative", "1 positive"]),
        ("scan {m} --device banana", 2, ["banana", "auto, cpu, cuda"]),
        ("scan {m} --dtype int3", 2, ["int3", "float32"]),
        ("scan {m} --format poem", 2, ["poem", "json", "text"]),
        ("scan {m} -o {w}/nowhere/report.json", 2, ["nowhere"]),
        ("scan {m} -o {w}", 2, ["directory"]),
        ("scan {m} -o {w}/header.csv/report.json", 2, ["header.csv"]),
        ("scan {m} --samples 0", 2, ["samples"]),
        ("scan {m} --colour", 2, ["colour"]),
        ("scan", 2, ["MODEL"]),
        ("scan {m} --policy {w}/policy.toml", 2, ["alpha", "7"]),
        ("scan {m} --policy {w}/unknown.toml", 2, ["alfa", "known: alpha"]),
        ("scan {m} --policy {w}/broken.toml", 2, ["not TOML"]),
        ("scan {m} --policy {w}/none.toml", 2, ["none.toml"]),
        ("scan {m} --events {w}/nowhere/e.jsonl", 2, ["event file"]),
        ("scan {m} --reference {w}/three", 2, ["neutral", "reference"]),
        ("audit {m} --data {d} --with {w}/wide", 2, ["wide", "64", "32"]),
        ("audit {m} --data {d} --with {w}/other", 2, ["other", "happy"]),
        ("audit {m} --data {d} --with {m}", 2, ["suspect itself"]),
        ("audit {m} --data {d} --with {p} --merged {w}/empty", 2, ["is there already"]),
        ("audit {m} --data {d} --with {p} --weights 1,2,3", 2, ["3 weights for 2 models"]),
        ("audit {m} --data {d} --with {p} --weights a,b", 2, ["a,b"]),
        ("audit {m} --data {d} --with {p} --strategy nosuch", 2, ["nosuch", "wag"]),
        ("audit {m} --data {d} --with {p} --suspect-weight 1.5", 2, ["1.5"]),
        ("merge {m} --with {w}/wide -o {w}/out", 2, ["wide", "64", "32"]),
        ("merge {m} -o {w}/out", 2, ["--with"]),
        ("merge {m} --with {p}", 2, ["-o DIR"]),
        ("merge --verify {w}/empty", 2, ["auditor-merge.json"]),
        ("merge {m} --verify {w}/empty", 2, ["stands alone"]),
        ("compare abcd efgh", 2, ["abcd", "--list"]),
        ("report abcd", 2, ["abcd", "--list"]),
        ("report", 2, ["--list"]),
        ("report --list -o {w}/empty", 2, ["directory"]),
        ("partners {m} --format html", 2, ["text or json"]),
        ("models remove nosuch", 2, ["nosuch"]),
        ("models add {m} --name ' '", 2, ["name"]),
        ("nosuch", 2, ["nosuch"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_wrong_input_is_answered_in_words(
    zoo: Zoo, auditor: Auditor, wrong: Path, words: str, code: int, said: list[str]
) -> None:
    import shlex

    argv = [w.format(w=wrong, m=zoo.benign, p=zoo.partner, d=zoo.data) for w in shlex.split(words)]
    done = auditor(*argv)
    text = " ".join(done.err.replace("│", " ").split())
    assert done.code == code, (done.code, done.err)
    assert not [word for word in said if word not in text], done.err
    assert "Traceback" not in done.err
    assert "bug of ours" not in done.err
    assert done.out == ""


# Audits, merges, comparisons, reports


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
    assert [{**c, "delta": pytest.approx(c["delta"], abs=1e-6)} for c in audit["change"]] == done.json["change"]
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
    done = auditor("audit", zoo.planted, "--data", zoo.data, "--format", "json", *BOTH)
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
    done = auditor("audit", zoo.planted, "--with", turned, three, "--data", zoo.data, "--format", "json", *BOTH)
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
    assert "style" not in one["settings"]["families"]
    done = auditor(*words, "--with", zoo.partner, zoo.third)
    both = done.json["before"]
    assert (done.code, done.json["stamp"]) == (0, "not-applicable")
    assert {"bite", "lws", "style"} <= both["settings"]["families"].keys()
    assert [r["reference"] for r in both["settings"]["references"]] == [str(zoo.partner), str(zoo.third)]
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


# Options


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("scan M --family a b", "scan M --family a --family b"),
        ("scan --family a M", "scan --family a M"),
        ("scan --family a b M", "scan --family a --family b M"),
        ("scan --family a --quiet M", "scan --family a --quiet M"),
        ("scan --family a b --data f M", "scan --family a --family b --data f M"),
        ("scan --data f M --family a b -o x", "scan --data f M --family a --family b -o x"),
        ("audit M --with A B --reference C D", "audit M --with A --with B --reference C --reference D"),
        ("audit --with A B --reference C D M", "audit --with A --with B --reference C --reference D M"),
        ("audit --with A --reference C M", "audit --with A --reference C M"),
        ("merge --with A B M -o out", "merge --with A --with B M -o out"),
        ("scan --family=a b", "scan --family=a b"),
        ("scan --family a -- M", "scan --family a -- M"),
        ("merge --verify DIR", "merge --verify DIR"),
        ("report ID --format json", "report ID --format json"),
        ("", ""),
    ],
)
def test_several_values_after_one_flag(given: str, meant: str) -> None:
    assert spread(given.split()) == meant.split()


def test_a_family_before_the_model(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor("scan", "--family", "badnet", zoo.planted, "--data", zoo.data, "--format", "json")
    assert done.code == 1, done.err
    assert {s["family"] for s in done.json["scores"]["asr"]} == {"badnet"}
    assert any("insertsent" in limit for limit in done.json["limits"])


def test_options_of_a_family_reach_the_scan_from_the_line_and_the_policy(zoo: Zoo, auditor: Auditor) -> None:
    policy = auditor.home / "policy.toml"
    policy.write_text('[families.badnet]\ntriggers = ["seven"]\n[families.insertsent]\nslot = "end"\n')
    scan = ["scan", zoo.planted, "--data", zoo.data, "--format", "json", "--family", "badnet"]
    harmless = auditor(*scan, "--policy", policy)
    assert harmless.code == 0, harmless.err
    line = auditor(*scan, "--policy", policy, "--set", "badnet.triggers=mn")
    assert line.code == 1
    assert line.json["settings"]["families"] == {"badnet": {"triggers": "mn"}}
    assert "badnet.triggers=mn" in line.json["findings"][0]["reproduce"]


def test_a_policy_moves_the_thresholds(zoo: Zoo, auditor: Auditor) -> None:
    policy = auditor.home / "policy.toml"
    scan = ["scan", zoo.benign, "--data", zoo.data, "--policy", policy, "--format", "json", *BOTH]
    for text, code in (("min_cacc = 0.5", 0), ("max_asr = 0.0\nmin_cacc = 1.0", 1), ("minimum_rows = 150", 3)):
        policy.write_text(text)
        done = auditor(*scan)
        worst = max(s["rate"]["value"] for s in done.json["scores"]["asr"])
        cacc = done.json["scores"]["cacc"]["value"]
        expected = code if code != 1 or worst > 0 or cacc < 1 else 0
        assert done.code == expected, text


def test_a_catalogued_name_is_a_model(zoo: Zoo, auditor: Auditor) -> None:
    assert auditor("models", "add", zoo.benign, "--name", "honest", "--tag", "toy").code == 0
    assert auditor("models", "add", zoo.partner, "--name", "honest").code == 2
    done = auditor("scan", "honest", "--data", zoo.data, "--format", "json", *BOTH)
    assert done.code == 0, done.err
    shown = auditor("models", "show", "honest", "--json").json[0]
    assert (shown["last_scan"], shown["tags"]) == (done.json["id"], ["toy"])
    assert done.json["id"] in auditor("models", "show", "honest").out
    assert auditor("models", "remove", "honest").code == 0
    assert auditor("models", "list", "--json").json == []


def test_the_lab_plants_and_registers(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor(
        "lab", "plant", "--base", zoo.base, "--data", zoo.train, "--family", "badnet", "--target", "negative",
        "--epochs", "1", "--samples", "40", "-o", auditor.home / "new",
    )  # fmt: skip
    assert (done.code, done.out.strip()) == (0, str(auditor.home / "new")), done.err
    assert [m["name"] for m in auditor("models", "list", "--json").json] == ["new"]


def test_the_doctor_speaks_json(auditor: Auditor) -> None:
    done = auditor("doctor", "--offline", "--json")
    assert {c["name"] for c in done.json} >= {"packages", "cpu", "catalog", "disk"}
    assert done.code == (3 if any(c["needed"] and not c["works"] for c in done.json) else 0)


# Ends that nobody planned


def test_a_failed_command_ends_its_event_file_too(zoo: Zoo, auditor: Auditor) -> None:
    events = auditor.home / "events.jsonl"
    damaged = auditor.home / "damaged.db"
    damaged.write_bytes(b"no database" * 1000)
    for words, code in (
        (["scan", "nosuchmodel"], 2),
        (["scan", zoo.benign, "--catalog", damaged], 3),
        (["partners", zoo.benign, "--format", "html"], 2),
    ):
        done = auditor(*words, "--events", events)
        assert done.code == code, done.err
        lines = [json.loads(line) for line in events.read_text().splitlines()]
        assert [e["kind"] for e in lines] == ["started", "finished"]
        assert lines[0]["schema"] == "auditor/events/1"
        assert lines[-1]["code"] == code
        assert lines[-1]["text"]
    assert damaged.read_bytes() == b"no database" * 1000, "a damaged catalog is left as it is"


def test_an_output_that_cannot_be_written_is_incomplete_and_stays_stored(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor.start("scan", zoo.benign, "--data", zoo.data, *BOTH, stdout="/dev/full").wait()
    assert done.code == 3
    assert "disk is full" in done.err
    assert "Traceback" not in done.err
    (line,) = auditor("report", "--list").out.splitlines()
    assert "nothing-found" in line


def test_a_device_is_written_and_not_replaced(zoo: Zoo, auditor: Auditor) -> None:
    pipe = auditor.home / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert auditor("report", "--list", "-o", pipe).code == 0
        assert b"nothing is stored" in os.read(reader, 10_000)
        assert pipe.is_fifo()
    finally:
        os.close(reader)
    real = auditor.home / "real.txt"
    (auditor.home / "link.txt").symlink_to(real)
    assert auditor("report", "--list", "-o", auditor.home / "link.txt").code == 0
    assert (auditor.home / "link.txt").is_symlink()
    assert real.read_text()


@pytest.mark.parametrize("words", [["report", "--list"], ["--help"], ["scan", "--help"]])
def test_a_closed_stdout_ends_with_141(auditor: Auditor, words: list[str]) -> None:
    done = auditor.start(*words, stdout="broken").wait()
    assert done.code == 141
    assert done.err == ""


def test_streams_that_are_gone_are_no_bug(zoo: Zoo, auditor: Auditor) -> None:
    assert auditor.start("report", "--list", stdout="none").wait().code == 141
    assert auditor.start("scan", "nosuchmodel", stderr="none").wait().code == 2
    scan = ["scan", zoo.benign, "--data", zoo.data, "--format", "json", *BOTH]
    assert auditor.start(*scan, stderr="broken").wait().code == 141


def test_names_that_are_no_text_are_no_bug(zoo: Zoo, auditor: Auditor) -> None:
    done = auditor("scan", auditor.home / os.fsdecode(b"caf\xe9"), "--events", auditor.home / "e.jsonl")
    assert done.code == 2
    first, last = [json.loads(line) for line in (auditor.home / "e.jsonl").read_text().splitlines()]
    assert (first["kind"], last["code"]) == ("started", 2)


def test_a_full_disk_is_said_and_what_was_stored_stays(zoo: Zoo, auditor: Auditor, large: Path) -> None:
    done = auditor.start("scan", zoo.planted, "--data", large, *BOTH, file_limit=150_000).wait()
    assert done.code == 3, done.err
    assert "Traceback" not in done.err
    assert "auditor:" in done.err
    done = auditor("scan", zoo.planted, "--data", large, *BOTH, "--quiet", "--format", "json")
    assert (done.code, done.json["verdict"]) == (1, "backdoor-found"), done.err


def batches(events: Path) -> int:
    return events.read_text().count('"batch-answered"') if events.exists() else 0


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interrupted_scan_says_so_and_goes_on(
    zoo: Zoo, auditor: Auditor, large: Path, number: signal.Signals, code: int, word: str
) -> None:
    events = auditor.home / "events.jsonl"
    running = auditor.start("scan", zoo.planted, "--data", large, *BOTH, "--events", events)
    deadline = time.monotonic() + 60
    while batches(events) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send(number)
    done = running.wait()
    assert done.code == code, done.err
    assert word in done.err
    assert "goes on from there" in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    last = json.loads(events.read_text().splitlines()[-1])
    assert (last["kind"], last["code"]) == ("finished", code)
    stored = batches(events)
    again = auditor("scan", zoo.planted, "--data", large, *BOTH, "--events", events, "--quiet")
    assert again.code == 1, again.err
    opened = next(e for e in map(json.loads, events.read_text().splitlines()) if e["kind"] == "run-opened")
    assert opened["resumed"] >= stored
    assert batches(events) == opened["batches"] - opened["resumed"]
