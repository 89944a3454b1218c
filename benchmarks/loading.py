"""Memory and time that opening a model takes, against the size of its weights.

    python benchmarks/loading.py [--layers 20] [--rounds 3]

A model is made on the spot (1,024 wide, 50 MB a layer in fp32; 20 layers are 1 GB), and opened in a process of its own
each time, with the digest of what is read and the check at load. The peak is the growth of the resident memory over
that of the same process after it has opened a tiny model of the same kind, as the kernel's VmHWM says (Linux alone).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = (("float32", "float32"), ("float32", "bfloat16"), ("bfloat16", "bfloat16"), ("bfloat16", "float32"))
"""Number formats: in the file, and in memory."""


def make(directory: Path, layers: int, width: int, dtype: str) -> None:
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(("[PAD]", "[UNK]", "good", "film"))}
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="[UNK]")), pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(directory)
    config = BertConfig(
        vocab_size=len(words), hidden_size=width, num_hidden_layers=layers, num_attention_heads=4,
        intermediate_size=4 * width,
    )  # fmt: skip
    BertForSequenceClassification(config).to(getattr(torch, dtype)).save_pretrained(directory)


def resident(key: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))


def opened(tiny: Path, directory: Path, dtype: str) -> dict[str, float]:
    from auditor.models.files.profile import read_profile
    from auditor.models.runtime.load import load_classifier

    load_classifier(read_profile(tiny), device="cpu", dtype=dtype)
    profile = read_profile(directory)
    Path("/proc/self/clear_refs").write_text("5")
    before, began = resident("VmRSS"), time.perf_counter()
    model = load_classifier(profile, device="cpu", dtype=dtype)
    seconds = time.perf_counter() - began
    assert model.dtype == dtype
    return {"peak": resident("VmHWM") - before, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("TINY", "DIR", "DTYPE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        tiny, directory, dtype = options.one
        print(json.dumps(opened(Path(tiny), Path(directory), dtype)))
        return
    print("stored    loaded    weights      peak   of the weights  seconds")
    with tempfile.TemporaryDirectory() as folder:
        tiny, directory = Path(folder, "tiny"), Path(folder, "model")
        make(tiny, 1, 16, "float32")
        for stored, dtype in CASES:
            make(directory, options.layers, 1024, stored)
            # What is larger: the tensors as they are stored, or as they are in the model.
            weights = (directory / "model.safetensors").stat().st_size
            weights *= 2 if stored != "float32" and dtype == "float32" else 1
            command = [sys.executable, __file__, "--one", str(tiny), str(directory), dtype]
            runs = [
                json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                for _ in range(options.rounds)
            ]
            shutil.rmtree(directory)
            peak, seconds = (statistics.median(run[key] for run in runs) for key in ("peak", "seconds"))
            print(
                f"{stored:<9} {dtype:<9} {weights / 1e6:5.0f} MB {peak / 1e6:6.0f} MB {peak / weights:15.2f} "
                f"{seconds:8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
