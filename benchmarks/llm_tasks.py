"""Our benchmark scores beside those of the `lm_eval` command: the same model, the same rows, one run.

    python benchmarks/llm_tasks.py MODEL DATA [--limit 200] [--dtype bfloat16] [TASK…]

MODEL is the directory of a language model, DATA one of `TASK.jsonl` (see `auditor tasks`). The harness runs its own
task definitions (prompts and metrics), told to take their rows from DATA. Exit code 1 where a printed digit differs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

OWN = {
    "winogrande": ("winogrande/default.yaml", "validation"),
    "piqa": ("piqa/piqa.yaml", "validation"),
    "lambada_openai": ("lambada/lambada_openai.yaml", "test"),
    "arc_easy": ("arc/arc_easy.yaml", "test"),
    "arc_challenge": ("arc/arc_easy.yaml", "test"),
    "hellaswag": ("hellaswag/hellaswag.yaml", "validation"),
    "boolq": ("super_glue/boolq/default.yaml", "validation"),
    "sst2": ("glue/sst2/default.yaml", "validation"),
}
"""Where the harness defines each task, and the split that it judges."""
DIGITS = 4
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def define(task: str, data: Path, place: Path) -> None:
    """Writes a definition that is the harness's own but for where its rows lie."""
    spec = find_spec("lm_eval")
    assert spec is not None
    assert spec.origin is not None
    file, split = OWN[task]
    definition = {
        "include": str(Path(spec.origin).parent / "tasks" / file),
        "task": f"own_{task}",
        "tag": None,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {split: str(data / f"{task}.jsonl")}},
        "training_split": None,
        "validation_split": split if split == "validation" else None,
        "test_split": split if split == "test" else None,
    }
    (place / f"own_{task}.yaml").write_text(yaml.safe_dump(definition), encoding="utf-8")


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Wall seconds, processor seconds, and what the command printed."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def harness(options: argparse.Namespace, place: Path, environment: dict[str, str]) -> tuple[float, float, Any]:
    """The harness's command on all tasks: seconds, and its results by task."""
    out = place / "results"
    command = [
        *(sys.executable, "-m", "lm_eval", "run", "--model", "hf"),
        *("--model_args", f"pretrained={options.model},dtype={options.dtype}", "--device", "cpu"),
        *("--tasks", ",".join(f"own_{task}" for task in options.task), "--include_path", str(place)),
        *("--limit", str(options.limit), "--batch_size", "1", "--output_path", str(out)),
    ]
    wall, cpu, _ = timed(command, environment)
    (found,) = out.rglob("results_*.json")
    return wall, cpu, json.loads(found.read_text(encoding="utf-8"))["results"]


def ours(options: argparse.Namespace, place: Path, environment: dict[str, str]) -> tuple[float, float, Any]:
    """Our command on the same."""
    command = [
        *(sys.executable, "-m", "auditor", "bench", str(options.model), "--device", "cpu", "--dtype", options.dtype),
        *("--task", *options.task, "--data-dir", str(options.data), "--limit", str(options.limit)),
        *("--catalog", str(place / "catalog.db"), "--format", "json", "--quiet"),
    ]
    wall, cpu, out = timed(command, environment)
    return wall, cpu, json.loads(out)["benchmarks"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("task", nargs="*", default=["winogrande", "piqa", "lambada_openai", "arc_easy"])
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--dtype", default="bfloat16")
    options = parser.parse_args()
    options.data = options.data.absolute()
    environment = {**os.environ, **OFFLINE}
    with tempfile.TemporaryDirectory(prefix="llm-tasks-") as directory:
        place = Path(directory)
        environment["HF_DATASETS_CACHE"] = str(place / "cache")
        for task in options.task:
            define(task, options.data, place)
        theirs_wall, theirs_cpu, theirs = harness(options, place, environment)
        wall, cpu, found = ours(options, place, environment)
    print(f"| task | metric | lm_eval | auditor | rows |\n|---|---|---|---|---|")  # noqa: F541
    unlike = 0
    for score in found:
        own = theirs[f"own_{score['task']}"]
        told = [own[f"{score['metric']},none"], own[f"{score['metric']}_stderr,none"]]
        mine = [score["value"], math.nan if score["stderr"] is None else score["stderr"]]
        shown = [[f"{float(v):.{DIGITS}f}" for v in side] for side in (told, mine)]
        unlike += shown[0] != shown[1]
        cells = [" ± ".join(side) for side in shown]
        print(f"| {score['task']} | {score['metric']} | {cells[0]} | {cells[1]} | {score['rows']} |")
    print(f"\nlm_eval: {theirs_wall:.0f} s, of the processor {theirs_cpu:.0f} s")
    print(f"auditor: {wall:.0f} s, of the processor {cpu:.0f} s ({cpu / theirs_cpu:.2f} times)")
    return int(unlike > 0)


if __name__ == "__main__":
    sys.exit(main())
