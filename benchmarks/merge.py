"""Speed and memory of merges, paired in one run: ours, plain sequential I/O of the same bytes, and mergekit.

    python benchmarks/merge.py --work DIR [--mergekit PYTHON] [--rounds 3] [--case NAME …] [--output FILE]

Every figure is a whole process, imports included, over random weights in a warm page cache: 3 × BERT-base (fp32) and
3 × a Llama of 1.1 billion parameters (bf16, 500 MB shards), and one more of each as the base of TIES. I/O reads every
input byte into one buffer and writes as many bytes as the merge does, with fsync, as the merge does. Memory: `peak` is
the most that was resident, `private` the most that was in no file. Without --mergekit the peer is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHARD = 500_000_000
STRATEGIES = {
    "linear": ("wag", {}, False, 3),
    "task_arithmetic": ("task_arithmetic", {}, True, 3),
    "ties": ("ties", {"density": 0.5}, True, 3),
    "slerp": ("slerp", {}, False, 2),
    "dare": ("dare", {"drop": 0.5}, True, 3),
}
CASES = (
    "bert-linear", "bert-slerp", "bert-ties", "bert-task_arithmetic", "llama-linear", "llama-slerp", "llama-ties",
)  # fmt: skip
MERGE = """
import json, sys
from pathlib import Path
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.profile import read_profile
plan = json.loads(sys.argv[1])
models = [read_profile(path, hash_weights=False) for path in plan["models"]]
base = read_profile(plan["base"], hash_weights=False) if plan["base"] else None
recipe = Recipe(models[0], tuple(models[1:]), strategy=plan["strategy"], options=plan["options"], base=base)
for _ in merge(recipe, Path(plan["output"])):
    pass
"""
PLAIN = """
import json, os, sys
plan = json.loads(sys.argv[1])
buffer = memoryview(bytearray(4 << 20))
left = plan["bytes"]
for path in plan["inputs"]:
    fd = os.open(path, os.O_RDONLY)
    while os.readv(fd, [buffer]):
        pass
    os.close(fd)
fd = os.open(plan["output"], os.O_WRONLY | os.O_CREAT)
while left > 0:
    left -= os.write(fd, buffer[: min(left, len(buffer))])
os.fsync(fd)
os.close(fd)
"""


MASKED = """
import hashlib, runpy, sys
import numpy as np
import torch
import mergekit.merge_methods.generalized_task_arithmetic as target
masks = np.load(sys.argv.pop(1))
def masked(delta, density, method, rescale_norm=None):
    mask = masks[hashlib.sha256(delta.contiguous().numpy().tobytes()).hexdigest()]
    return delta * torch.from_numpy(mask.reshape(tuple(delta.shape)))
target.sparsify = masked
runpy.run_module("mergekit.scripts.run_yaml", run_name="__main__")
"""


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds of the clock and of the processors, and the most megabytes resident and private."""

    seconds: float
    cpu: float
    peak: float
    private: float


def measure(command: list[str], environment: dict[str, str]) -> Cost:
    """Runs a process to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    # The kernel's own maximum (ru_maxrss) counts what the process had before it became this program.
    peak, private = [0], [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            found = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            if "VmHWM" in found:
                peak[0] = max(peak[0], int(found["VmHWM"].split()[0]))
                private[0] = max(private[0], int(found["RssAnon"].split()[0]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode} of {command[:3]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, peak[0] / 1024, private[0] / 1024)


def bert_shapes(
    hidden: int = 768, inner: int = 3072, layers: int = 12, words: int = 30522
) -> dict[str, tuple[int, ...]]:
    """BERT-base with a classifier of two labels, or a smaller one."""
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (words, hidden),
        "bert.embeddings.position_embeddings.weight": (512, hidden),
        "bert.embeddings.token_type_embeddings.weight": (2, hidden),
    }
    norms = ["bert.embeddings.LayerNorm"]
    linear = {"bert.pooler.dense": (hidden, hidden), "classifier": (2, hidden)}
    for layer in range(layers):
        place = f"bert.encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear[f"{place}.attention.{part}"] = (hidden, hidden)
        linear[f"{place}.intermediate.dense"] = (inner, hidden)
        linear[f"{place}.output.dense"] = (hidden, inner)
        norms += [f"{place}.attention.output.LayerNorm", f"{place}.output.LayerNorm"]
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}
    return shapes


def llama_shapes() -> dict[str, tuple[int, ...]]:
    """A Llama of 1.1 billion parameters."""
    hidden, inner, kv = 2048, 5632, 256
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (32000, hidden)}
    for layer in range(22):
        place = f"model.layers.{layer}"
        for part, shape in {
            "self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (kv, hidden), "self_attn.v_proj": (kv, hidden),
            "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }.items():  # fmt: skip
            shapes[f"{place}.{part}.weight"] = shape
        shapes |= {f"{place}.{part}.weight": (hidden,) for part in ("input_layernorm", "post_attention_layernorm")}
    return shapes | {"model.norm.weight": (hidden,), "lm_head.weight": (32000, hidden)}


CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": 768,
        "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072, "vocab_size": 30522,
        "max_position_embeddings": 512, "type_vocab_size": 2,
    },
    "llama": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 22,
        "num_attention_heads": 32, "num_key_value_heads": 4, "intermediate_size": 5632, "vocab_size": 32000,
        "max_position_embeddings": 2048, "tie_word_embeddings": False, "dtype": "bfloat16",
    },
    "tiny": {
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 500,
        "max_position_embeddings": 512, "type_vocab_size": 2,
    },
}  # fmt: skip


def write_file(path: Path, tensors: dict[str, tuple[int, ...]], kind: str, seed: int) -> None:
    """Random weights: a common start, and a small change of each model's own."""
    dtype, size = ("BF16", 2) if kind == "llama" else ("F32", 4)
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in tensors.items():
        stop = at + size * int(np.prod(shape))
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, stop]}
        at = stop
    header = json.dumps(table).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for name, shape in tensors.items():
            count = int(np.prod(shape))
            start = np.random.default_rng([*name.encode()]).standard_normal(count, np.float32) * np.float32(0.02)
            change = np.random.default_rng([seed, *name.encode()]).standard_normal(count, np.float32)
            values = start + change * np.float32(0.003) if seed else start
            raw = values if dtype == "F32" else (values.view(np.uint32) >> 16).astype(np.uint16)
            file.write(raw.tobytes())


def write_model(directory: Path, kind: str, seed: int) -> None:
    """A model with random weights; nothing is done where it is there already."""
    if (directory / "config.json").is_file():
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    tiny = {"hidden": 64, "inner": 128, "layers": 2, "words": 500}
    shapes = llama_shapes() if kind == "llama" else bert_shapes(**(tiny if kind == "tiny" else {}))
    if kind != "llama":
        write_file(directory / "model.safetensors", shapes, kind, seed)
    else:
        parts: list[dict[str, tuple[int, ...]]] = [{}]
        room = SHARD
        for name, shape in shapes.items():
            size = 2 * int(np.prod(shape))
            if size > room and parts[-1]:
                parts.append({})
                room = SHARD
            parts[-1][name] = shape
            room -= size
        places = {}
        for number, part in enumerate(parts, 1):
            file = f"model-{number:05}-of-{len(parts):05}.safetensors"
            write_file(directory / file, part, kind, seed)
            places |= dict.fromkeys(part, file)
        index = {"metadata": {"total_size": 0}, "weight_map": places}
        (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    (directory / "config.json").write_text(json.dumps(CONFIGS[kind]))


def weights(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.safetensors"))


def plan_of(work: Path, case: str) -> dict[str, Any]:
    """The models, base, strategy and options of a case."""
    kind, _, name = case.partition("-")
    strategy, options, based, count = STRATEGIES[name]
    return {
        "kind": kind, "method": name, "models": [str(work / f"{kind}-{n}") for n in range(1, count + 1)],
        "base": str(work / f"{kind}-0") if based else None, "strategy": strategy, "options": options,
    }  # fmt: skip


def mergekit_config(plan: dict[str, Any], path: Path) -> None:
    """The same merge in mergekit's words (JSON is YAML)."""
    share = 1 / len(plan["models"])
    method = {"dare": "dare_linear"}.get(plan["method"], plan["method"])
    own: dict[str, Any] = {"weight": share}
    if method == "ties":
        own["density"] = plan["options"]["density"]
    if method == "dare_linear":
        own["density"] = 1 - plan["options"]["drop"]
    config: dict[str, Any] = {
        "merge_method": method,
        "dtype": "float32" if plan["kind"] in ("bert", "tiny") else "bfloat16",
        "models": [{"model": model, "parameters": own} for model in plan["models"]],
    }
    if plan["base"]:
        config["base_model"] = plan["base"]
        config["parameters"] = {"normalize": method == "ties", "rescale": False}
    if method == "slerp":
        config |= {"base_model": plan["models"][0], "parameters": {"t": 0.5}}
        config["models"] = [{"model": model} for model in plan["models"]]
    path.write_text(json.dumps(config))


def ours(plan: dict[str, Any], output: Path) -> Cost:
    shutil.rmtree(output, ignore_errors=True)
    return measure([sys.executable, "-P", "-c", MERGE, json.dumps({**plan, "output": str(output)})], {})


def plain(plan: dict[str, Any], output: Path) -> Cost:
    inputs = [str(p) for m in (*plan["models"], *([plan["base"]] if plan["base"] else [])) for p in weights(Path(m))]
    size = sum(p.stat().st_size for p in weights(Path(plan["models"][0])))
    output.unlink(missing_ok=True)
    found = measure(
        [sys.executable, "-P", "-S", "-c", PLAIN, json.dumps({"inputs": inputs, "bytes": size, "output": str(output)})],
        {},
    )
    output.unlink()
    return found


def theirs(python: str, plan: dict[str, Any], work: Path, output: Path, masks: Path | None = None) -> Cost:
    shutil.rmtree(output, ignore_errors=True)
    mergekit_config(plan, work / "mergekit.yaml")
    start = ["-c", MASKED, str(masks)] if masks else ["-m", "mergekit.scripts.run_yaml"]
    command = [
        python, *start, str(work / "mergekit.yaml"), str(output),
        "--no-copy-tokenizer", "--quiet", "--out-shard-size", "500M",
    ]  # fmt: skip
    return measure(command, {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"})


def tensors_of(directory: Path) -> dict[str, np.ndarray]:
    """All tensors of a merged model, widened to fp32."""
    found = {}
    for path in weights(directory):
        raw = np.memmap(path, np.uint8, "r")
        length = int.from_bytes(raw[:8].tobytes(), "little")
        for name, entry in json.loads(raw[8 : 8 + length].tobytes()).items():
            if name == "__metadata__":
                continue
            start, stop = (8 + length + n for n in entry["data_offsets"])
            part = raw[start:stop]
            bits = part.view(np.uint16).astype(np.uint32) << 16 if entry["dtype"] == "BF16" else part.view(np.uint32)
            found[name] = bits.view(np.float32)
    return found


FAR = 1e-5


def difference(one: Path, other: Path) -> tuple[float, float, int]:
    """The largest difference of two models, the share of elements that differ at all, and how many by more than FAR."""
    first, second = tensors_of(one), tensors_of(other)
    largest, unequal, far, count = 0.0, 0, 0, 0
    for name in first.keys() & second.keys():
        gap = np.abs(first[name].astype(np.float64) - second[name])
        largest = max(largest, float(gap.max(initial=0)))
        unequal += int(np.count_nonzero(gap))
        far += int(np.count_nonzero(gap > FAR))
        count += gap.size
    return largest, unequal / count, far


def masks_of(plan: dict[str, Any], path: Path) -> None:
    """Our draws for a DARE merge, by the digest of the task vector that each belongs to."""
    from auditor.merge.strategies.dare import kept_elements
    from auditor.merge.strategy import Site

    base = tensors_of(Path(plan["base"]))
    shapes = bert_shapes(hidden=64, inner=128, layers=2, words=500)
    masks = {}
    for number, model in enumerate(plan["models"]):
        for name, array in tensors_of(Path(model)).items():
            digest = hashlib.sha256((array - base[name]).tobytes()).hexdigest()
            masks[digest] = kept_elements(Site(name, shapes[name], 0, 0), number, array.size, plan["options"]["drop"])
    np.savez(path, **masks)


def agreement(work: Path, mergekit: str) -> list[str]:
    """The largest difference from mergekit of every strategy that it has too, on a tiny BERT in fp32."""
    lines = ["", "| tiny BERT, fp32 | largest difference from mergekit |", "|---|---|"]
    for name in STRATEGIES:
        plan = plan_of(work, f"tiny-{name}")
        for model in (*plan["models"], *([plan["base"]] if plan["base"] else [])):
            write_model(Path(model), "tiny", int(model[-1]))
        ours(
            plan | {"options": plan["options"] | ({"scale": 1 - plan["options"]["drop"]} if name == "dare" else {})},
            work / "out",
        )
        masks = None
        if name == "dare":
            # mergekit rescales by norms, the paper by 1 / (1 - drop): both are left away, and our draws taken.
            masks_of(plan, work / "masks.npz")
            masks = work / "masks.npz"
        theirs(mergekit, plan, work, work / "peer", masks)
        largest, _, _ = difference(work / "out", work / "peer")
        lines.append(f"| {name} | {largest:.2e} |")
    return lines


def run_case(case: str, work: Path, rounds: int, mergekit: str | None) -> list[str]:
    """The lines of the table for one case."""
    plan = plan_of(work, case)
    for model in (*plan["models"], *([plan["base"]] if plan["base"] else [])):
        write_model(Path(model), plan["kind"], int(model[-1]))
    out, peer = work / f"{case}-out", work / f"{case}-peer"
    costs: dict[str, list[Cost]] = {"I/O": [], "auditor": [], "mergekit": []}
    for number in range(rounds):
        costs["I/O"].append(plain(plan, work / "plain"))
        costs["auditor"].append(ours(plan, out))
        if mergekit and number < max(1, rounds - 1):
            costs["mergekit"].append(theirs(mergekit, plan, work, peer))
    best = {name: min(c.seconds for c in found) for name, found in costs.items() if found}
    lines = []
    for name, found in costs.items():
        if not found:
            continue
        lines.append(
            f"| {case} | {name} | {best[name]:.2f} | {statistics.median(c.seconds for c in found):.2f} | "
            f"{min(c.cpu for c in found):.2f} | {best[name] / best['I/O']:.2f} | "
            f"{best[name] / best['auditor']:.2f} | {max(c.peak for c in found):.0f} | "
            f"{max(c.private for c in found):.0f} |"
        )
    if costs["mergekit"]:
        largest, share, far = difference(out, peer)
        words = f"{largest:.2e} | in {share:.2%} of elements; {far} by more than {FAR:g}"
        lines.append(f"| {case} | largest difference | {words} | | | | | |")
    for place in (out, peer):
        shutil.rmtree(place, ignore_errors=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a directory for the models; about 12 GB")
    parser.add_argument("--mergekit", help="the python of an environment that has mergekit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", action="append", choices=(*CASES, "none"))
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; NumPy {np.__version__}; best of {given.rounds}.",
        "",
        "| case | process | best s | median s | CPU s | × I/O | × auditor | peak MB | private MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for case in [c for c in given.case or CASES if c != "none"]:
        found = run_case(case, given.work, given.rounds, given.mergekit)
        print("\n".join(found), flush=True)
        lines += found
    if given.mergekit:
        found = agreement(given.work, given.mergekit)
        print("\n".join(found), flush=True)
        lines += found
    if given.output:
        given.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
