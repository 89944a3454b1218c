"""Time of `auditor files` on weights of a gigabyte, as a multiple of reading and hashing them once.

    python benchmarks/files.py [--mebibytes 1024] [--times 3]

The weights are random numbers in bfloat16, in a file of its own that is removed afterwards. Reading once is what a scan
does anyway: every byte through SHA-256, in blocks of a mebibyte. Both are timed in turns, after a first reading that
fills the page cache; the median of each is compared.
"""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from auditor.models.files.fingerprint import hash_file
from auditor.safety.inspect import inspect_files

LIMIT = 1.3
LAYER = (4096, 4096)


def make(place: Path, mebibytes: int) -> Path:
    """A model's folder with so many weights."""
    count = max(1, mebibytes * 2**20 // (2 * LAYER[0] * LAYER[1]))
    size = 2 * LAYER[0] * LAYER[1]
    head = {
        f"layers.{n}.weight": {"dtype": "BF16", "shape": LAYER, "data_offsets": [n * size, (n + 1) * size]}
        for n in range(count)
    }
    raw = json.dumps(head).encode()
    layer = (np.random.default_rng(0).normal(0, 0.02, LAYER).astype(np.float32).view(np.uint32) >> 16).astype("<u2")
    path = place / "model.safetensors"
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(raw)) + raw)
        for _ in range(count):
            out.write(layer.tobytes())
    (place / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}))
    return path


def took(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of all the processor's threads."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - own


def inspect(place: Path) -> None:
    for _ in inspect_files(place):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        path = make(place, given.mebibytes)
        hash_file(path)
        reading, looking = [], []
        for _ in range(given.times):
            reading.append(took(lambda: hash_file(path)))
            looking.append(took(lambda: inspect(place)))
        once, all_of_it = (median(wall for wall, _ in found) for found in (reading, looking))
        own, all_own = (median(cpu for _, cpu in found) for found in (reading, looking))
        print(f"{path.stat().st_size / 1e9:.2f} GB; read and hashed once: {once:.2f} s ({own:.2f} s of processor)")
        print(
            f"all checks: {all_of_it:.2f} s ({all_own:.2f} s of processor): {all_of_it / once:.2f} times by the clock,"
        )
        print(f"{all_own / own:.2f} times by the processor; the limit is {LIMIT}")


if __name__ == "__main__":
    main()
