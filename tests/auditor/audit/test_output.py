"""Where an audit's merged model goes: the same audit takes what stands there already, another one never touches it."""

from __future__ import annotations

from typing import Any

BADNET = ("badnet",)


def test_the_same_audit_finds_its_merge_and_another_takes_a_number_or_is_refused(zoo: Any, auditor: Any) -> None:
    auditor("models", "add", zoo.planted, zoo.benign)
    words = ["audit", "planted", "--data", zoo.data, "--suite", "quick", "--family", "badnet", "--format", "json"]
    # The partner comes from the catalog: the second time the merged model is in it too, and is no partner.
    outputs = [auditor(*words, rescan=BADNET).json["merge"]["output"] for _ in range(2)]
    assert outputs[0] == outputs[1]
    assert auditor(*words, "--suspect-weight", "0.3", rescan=BADNET).json["merge"]["output"] == f"{outputs[0]}-2"

    output = auditor.home / "cured"
    named = [*words, "--merged", output]
    first = auditor(*named, rescan=BADNET)
    assert first.json["merge"]["output"] == str(output)
    written = (output / "model.safetensors").stat().st_mtime_ns
    again = auditor(*named, rescan=BADNET)
    assert again.code == first.code
    assert again.json["merge"] == first.json["merge"]
    assert (output / "model.safetensors").stat().st_mtime_ns == written

    other = auditor(*named, "--suspect-weight", "0.3")
    assert other.code == 2
    assert "is there already" in other.err
    (output / "config.json").write_text("{}")
    damaged = auditor(*named)
    assert damaged.code == 2
    assert "is there already" in damaged.err
    assert (output / "config.json").read_text() == "{}"


def test_a_searched_recipe_is_found_again_or_goes_beside(zoo: Any, auditor: Any) -> None:
    output = auditor.home / "searched"
    policy = auditor.home / "few.toml"
    policy.write_text("minimum_rows = 50\n", encoding="utf-8")
    words = ["audit", zoo.planted, "--with", zoo.benign, "--data", zoo.data, "--suite", "quick", "--family", "badnet"]
    words += ["--policy", policy, "--search", "--trials", "2", "--merged", output, "--format", "json"]
    first, again = (auditor(*words, rescan=BADNET) for _ in range(2))
    assert again.json["merge"] == first.json["merge"]
    other = auditor(*words, "--seed", "1", rescan=BADNET)
    assert other.json["merge"]["output"] == f"{output}-2"
    assert f"{output} holds another recipe's merge and is left alone" in other.err
