"""What is imported, by whom and when."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "textual", "sqlalchemy", "peft", "scipy", "lm_eval", "datasets")
CONSOLE = Path(sysconfig.get_path("scripts")) / "auditor"

LOADED = """
import json, sys
from auditor.cli import main
try:
    main({words!r})
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["scan", "--help"],
        ["audit", "--help"],
        ["lab", "student", "--help"],
        ["bench", "--help"],
        ["--version"],
    ],
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = LOADED.format(words=words)
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "typer" in loaded
    assert not set(HEAVY) & set(loaded)


def test_imports_run_downwards() -> None:
    pytest.importorskip("importlinter")
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]


def test_the_command_works_beside_folders_of_the_same_names(tmp_path: Path) -> None:
    """A project of the user's may well have a `store/` of its own."""
    for name in ("auditor", "store", "probes", "screens"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('the wrong {name}')\n")
    environ = {**os.environ, "AUDITOR_CATALOG": str(tmp_path / "catalog.db")}
    environ.pop("PYTHONPATH", None)
    for words in (["report", "--list"], ["scan", "nosuchmodel"]):
        done = subprocess.run([CONSOLE, *words], capture_output=True, text=True, cwd=tmp_path, env=environ, check=False)
        assert "wrong" not in done.stdout + done.stderr
        assert done.returncode == (0 if words[0] == "report" else 2), done.stderr
