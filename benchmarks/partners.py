"""Who is proposed as a partner, why, and how fast: real models in a catalog of a thousand.

    python benchmarks/partners.py --models DIR --suspect NAME --sibling NAME --data DIR --work DIR [--entries 1000]

`--models` holds models of one base (such as those of `paper.py`), the suspect and an honest sibling of it among them.
From these two it makes what must not be mistaken for a partner: a copy under another name, a copy in half precision, a
further fine-tune of the suspect on clean rows, a model of another base (the sibling with each inner tensor shuffled);
and the sibling with its labels in another order, which can be one. Records of how the models were made are left out:
what is said must come from their files. The catalog is filled to `--entries` with directories that have the models'
files and a configuration of their own. Prints the ranking of all but those with the main reason of each, the seconds of
the ranking without and with them, and those of the whole command `auditor partners`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from auditor.lab.plant import plant
from auditor.models.runtime.device import pick_device
from auditor.partners.ranking import Proposal
from auditor.requests.plant import PlantRequest
from auditor.session import Session
from auditor.settings import Settings, catalog_url
from store.engine import open_catalog

WEIGHTS, CONFIG = "model.safetensors", "config.json"
MADE = ("copy-renamed", "copy-halved", "tuned-on", "other-base", "labels-turned")
HEAD = ("classifier.weight", "classifier.bias")


def copied(source: Path, output: Path, **config: Any) -> Path:
    """A model's directory, without its records, with other values in its configuration."""
    shutil.copytree(source, output, ignore=shutil.ignore_patterns("auditor-*.json", "README.md", "*.png"))
    known = json.loads((output / CONFIG).read_text(encoding="utf-8"))
    (output / CONFIG).write_text(json.dumps(known | config, indent=1), encoding="utf-8")
    return output


def stored(output: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    save_file({name: t.contiguous() for name, t in tensors.items()}, output / WEIGHTS, metadata={"format": "pt"})
    return output


def shuffled(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Inner tensors with their elements in another order: as large as before, and of no kin."""
    rng = np.random.default_rng(0)
    out = dict(tensors)
    for name, tensor in tensors.items():
        if tensor.ndim == 2 and name not in HEAD:
            flat = tensor.numpy().ravel().copy()
            rng.shuffle(flat)
            out[name] = torch.from_numpy(flat.reshape(tensor.shape))
    return out


def turned(sibling: Path, output: Path) -> Path:
    """A model that says the same with its labels in another order."""
    names = list(json.loads((sibling / CONFIG).read_text(encoding="utf-8"))["id2label"].values())[::-1]
    copied(
        sibling,
        output,
        id2label={str(i): n for i, n in enumerate(names)},
        label2id={n: i for i, n in enumerate(names)},
    )
    tensors = load_file(sibling / WEIGHTS)
    return stored(output, tensors | {name: tensors[name].flip(0) for name in HEAD})


def make(suspect: Path, sibling: Path, data: Path, work: Path) -> list[Path]:
    """What is no independent partner, and one that only looks unlike."""
    work.mkdir(parents=True, exist_ok=True)
    found = [work / name for name in MADE]
    renamed, halved, tuned, other, labels = found
    if not renamed.exists():
        copied(suspect, renamed, uploaded_as="another/name")
    if not halved.exists():
        stored(
            copied(suspect, halved, dtype="bfloat16"),
            {n: t.bfloat16() for n, t in load_file(suspect / WEIGHTS).items()},
        )
    if not tuned.exists():
        request = PlantRequest(
            base=suspect,
            output=tuned,
            family="none",
            data=data,
            samples=800,
            epochs=1,
            seed=7,
            device=pick_device("auto"),
        )
        for _ in plant(request):
            pass
        (tuned / "auditor-lab.json").unlink()  # its origin must show by its weights
    if not other.exists():
        stored(copied(sibling, other), shuffled(load_file(sibling / WEIGHTS)))
    if not labels.exists():
        turned(sibling, labels)
    return found


def linked(source: Path, output: Path, **config: Any) -> Path:
    """A model's files under another name, without records of how it was made."""
    if not output.exists():
        output.mkdir(parents=True)
        for file in source.iterdir():
            if file.name != CONFIG and not file.name.startswith("auditor-"):
                (output / file.name).symlink_to(file.resolve())
        known = json.loads((source / CONFIG).read_text(encoding="utf-8"))
        (output / CONFIG).write_text(json.dumps(known | config), encoding="utf-8")
    return output


def reason(proposal: Proposal) -> str:
    """What decides: a blocker, a doubt, or the first reasons."""
    if not proposal.compatibility.ok:
        return proposal.compatibility.blockers[0]
    return "; ".join(proposal.doubts[:1] or proposal.reasons[:2])


def ranked(
    url: str, suspect: Path, real: Sequence[Path], crowd: Sequence[Path], rounds: int
) -> tuple[list[Proposal], list[float]]:
    """The ranking over a catalog of these models, and the seconds of each round."""
    taken = []
    with open_catalog(url) as catalog:
        session = Session(Settings(url), catalog)
        there = {entry.name for entry in session.entries()}
        for path in [*real, *crowd]:
            if path.name not in there:
                session.catalog.models.add(session.profile(str(path), register=False, hash_weights=path in real))
        for _ in range(rounds):
            began = time.perf_counter()
            proposals = session.partners(str(suspect))
            taken.append(time.perf_counter() - began)
    return proposals, taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--suspect", required=True, help="a directory's name in --models")
    parser.add_argument("--sibling", required=True, help="an honest model of the same task in --models")
    parser.add_argument("--data", type=Path, required=True, help="clean rows of the task, for the further fine-tune")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    given = sorted(path for path in options.models.iterdir() if (path / CONFIG).exists())
    known = [linked(path, options.work / "models" / path.name) for path in given]
    suspect, sibling = (options.work / "models" / name for name in (options.suspect, options.sibling))
    real = [*known, *make(suspect, sibling, options.data, options.work)]
    others = itertools.cycle(path for path in known if path != suspect)
    names = [f"crowd-{number:04}" for number in range(options.entries - len(real))]
    crowd = [linked(next(others), options.work / "crowd" / name, uploaded_as=name) for name in names]
    url, few = (catalog_url(str(options.work / name)) for name in ("catalog.db", "few.db"))
    proposals, taken = ranked(few, suspect, real, (), options.rounds)
    print(
        f"{len(proposals)} models; {sum(p.compatibility.ok for p in proposals)} can be merged, "
        f"{sum(p.advised for p in proposals)} are advised\n"
    )
    print("| place | model | advised | why |\n|---|---|---|---|")
    for place, proposal in enumerate(proposals, 1):
        said = "can be merged" if proposal.compatibility.ok else "no"
        print(f"| {place} | {proposal.entry.name} | {'yes' if proposal.advised else said} | {reason(proposal)} |")
    print(
        f"\nRanking of these: {statistics.median(taken):.2f} s (median of {options.rounds}, the first "
        f"{taken[0]:.2f} s)."
    )
    proposals, taken = ranked(url, suspect, real, crowd, options.rounds)
    whole = []
    for _ in range(options.rounds):
        began = time.perf_counter()
        command = [
            sys.executable,
            "-P",
            "-m",
            "auditor",
            "partners",
            str(suspect),
            "--catalog",
            url,
            "--format",
            "json",
        ]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ), check=True)
        whole.append(time.perf_counter() - began)
    print(
        f"Ranking of {len(proposals):,}, of which {sum(p.compatibility.ok for p in proposals)} can be merged: "
        f"{statistics.median(taken):.2f} s (the first {taken[0]:.2f} s); the whole command: "
        f"{statistics.median(whole):.2f} s."
    )


if __name__ == "__main__":
    main()
