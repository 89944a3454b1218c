"""The commands as their users meet them: real processes on tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.cli import main
from tests.auditor.conftest import BOTH, DIFF, RATE, expanded, permuted

Zoo = Any
Auditor = Any

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
        assert f"auditor lab reference --like {zoo.broad} --base BASE --data {zoo.data} --count 2" in done.err


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
        ("scan {w}/causal --data {d}", 2, ["writes texts", "--prompts"]),
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
        ("audit {m} --data {d} --family badnet --with {w}/wide", 2, ["wide", "64", "32"]),
        ("audit {m} --data {d} --family badnet --with {w}/other", 2, ["other", "happy"]),
        ("audit {m} --data {d} --family badnet --with {m}", 2, ["suspect itself"]),
        ("audit {m} --data {d} --family badnet --with {p} --merged {w}/empty", 2, ["is there already"]),
        ("audit {m} --data {d} --family badnet --with {p} --weights 1,2,3", 2, ["3 weights for 2 models"]),
        ("audit {m} --data {d} --family badnet --with {p} --weights a,b", 2, ["a,b"]),
        ("audit {m} --data {d} --family badnet --with {p} --strategy nosuch", 2, ["nosuch", "wag"]),
        ("audit {m} --data {d} --family badnet --with {p} --suspect-weight 1.5", 2, ["1.5"]),
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
    assert "internal error" not in done.err
    assert done.out == ""


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
    assert expanded(given.split()) == meant.split()


@pytest.mark.parametrize("command", [[], ["audit"], ["models", "list"]])
def test_the_help_shows_no_value_behind_a_flag(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    said = capsys.readouterr().out
    assert "--help" in said
    assert "bool" not in said.lower()


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
