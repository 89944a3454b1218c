"""The examples in CONTRIBUTING.md: each is dropped into its package as it stands and run by a command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Zoo

ROOT = Path(__file__).parent.parent
EXAMPLE = re.compile(r"^```python\n# (\S+)/(\w+)\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)

RUN = """
import importlib, json, sys
from auditor.cli import main

places, commands = json.loads(sys.stdin.read())
for package, directory in places.items():
    importlib.import_module(package).__path__.append(directory)
for words in commands:
    try:
        main(words)
    except SystemExit as end:
        assert (end.code or 0) in (0, 1), (words, end.code)
"""


def test_the_examples_run(zoo: Zoo, tmp_path: Path) -> None:
    places: dict[str, str] = {}
    for place, name, code in EXAMPLE.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8")):
        directory = tmp_path / place
        directory.mkdir(parents=True)
        (directory / f"{name}.py").write_text(code, "utf-8")
        places[place.replace("/", ".")] = str(directory)
    assert set(places) == {
        "probes.families", "auditor.lab.methods", "auditor.merge.strategies", "auditor.reports.formats",
        "auditor.safety.checks",
    }  # fmt: skip
    planted, merged = str(tmp_path / "planted"), str(tmp_path / "merged")
    plant = ["--family", "hashtag", "--method", "twice", "--set", "twice.again=1", "--target", "negative"]
    train = [
        "--data",
        str(zoo.train),
        "--epochs",
        "4",
        "--lr",
        "3e-3",
        "--batch",
        "16",
        "--device",
        "cpu",
        "-o",
        planted,
    ]
    blend = ["--strategy", "damped", "--set", "damped.scale=0.5", "--base", str(zoo.base), "-o", merged]
    probe = ["--data", str(zoo.data), "--family", "hashtag", "--format", "line", "-o", str(tmp_path / "scan.line")]
    commands = [
        ["lab", "plant", "--base", str(zoo.base), *plant, *train],
        ["merge", planted, "--with", str(zoo.benign), *blend],
        ["merge", "--verify", merged],
        ["files", merged],
        ["scan", planted, "--device", "cpu", "--set", "hashtag.count=2", *probe],
    ]
    environ = {**os.environ, "AUDITOR_CATALOG": str(tmp_path / "catalog.db")}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps([places, commands]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((Path(planted) / "auditor-lab.json").read_text("utf-8"))
    assert (record["family"], record["method"], record["plants"][0]["settings"]) == ("hashtag", "twice", {"again": 1})
    manifest = json.loads((Path(merged) / "auditor-merge.json").read_text("utf-8"))
    assert (manifest["strategy"], manifest["options"]) == ("damped", {"scale": 0.5})
    assert manifest["kept"] == pytest.approx(0.25, abs=0.01), "half of the suspect's weight of a half"
    assert re.fullmatch(r".*planted: [\w-]+\n", (tmp_path / "scan.line").read_text("utf-8"))
