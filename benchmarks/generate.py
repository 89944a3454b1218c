"""Speed of generation, paired in one run: against a hand-written batched loop, and one prompt at a time.

    python benchmarks/generate.py --model DIR [--prompts 96] [--tokens 32] [--rows 64] [--dtype float32] [--rounds 3]

The same prompts go through all in each round, in turn. By hand: sorted by length, padded on the left, so many rows a
batch, `generate` of transformers. One at a time: the same with one row, on fewer prompts (`--alone`). Tokens are those
that were written, up to the end of each answer. The model's weights are shared by all, and the peaks of the resident
memory are those of each way over what lay there before it (Linux alone).
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_writer
from auditor.models.runtime.writing.writer import Writer
from probes.input import Generate, Text

ASKED = (
    "Explain to {who} how {thing} works", "Write a short story about {thing} for {who}",
    "Give three reasons why {thing} matters", "Summarise what {who} should know about {thing}",
    "Draft a polite e-mail in which {who} asks for help with {thing}", "List the steps that lead to {thing}",
    "Compare {thing} with what people did before it existed", "What questions would {who} ask about {thing}?",
)  # fmt: skip
WHO = ("a child of ten", "a new colleague", "an old friend", "a farmer", "the head of a school", "a careful reader")
THINGS = (
    "a bicycle gear", "the water cycle", "a public library", "bread that rises", "a lighthouse", "double entry",
    "a compost heap", "the night bus", "a vaccine", "sorting a list of numbers", "a good apology", "the tides",
)  # fmt: skip
MORE = (
    "Keep the answer short and use plain words.", "Do not use any numbers.", "Begin with the most important point.",
    "Use an example from everyday life, and say where the example falls short of the real thing.",
    "If something is uncertain, say so, and name what one would have to look up in order to be sure of it.",
    "Write in the second person, in the present tense, and end with a question that invites an answer.",
)  # fmt: skip


def instructions(count: int) -> list[str]:
    """So many different instructions of about 7 to 60 words."""
    rng = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < count:
        asked = rng.choice(ASKED).format(who=rng.choice(WHO), thing=rng.choice(THINGS))
        found[" ".join([f"{asked}.".replace("?.", "?"), *rng.sample(MORE, rng.randint(0, 3))])] = None
    return list(found)


def by_hand(model: Any, tokenizer: Any, prompts: Sequence[str], tokens: int, rows: int) -> list[list[int]]:
    """What one would write for this alone."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    answers: list[list[int]] = [[] for _ in prompts]
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        batch = tokenizer(
            [prompts[i] for i in chosen], padding=True, padding_side="left", add_special_tokens=False,
            return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            found = model.generate(**batch, max_new_tokens=tokens, do_sample=False)
        for i, row in zip(chosen, found[:, batch["input_ids"].shape[1] :].tolist(), strict=True):
            answers[i] = row
    return answers


def resident(key: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))


def timed(run: Callable[[], int]) -> tuple[float, float]:
    """Tokens a second, and the growth of the resident memory at its peak in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    before, began = resident("VmRSS"), time.perf_counter()
    written = run()
    return written / (time.perf_counter() - began), resident("VmHWM") - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--alone", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    asked = instructions(options.prompts)
    how = Generate(tokens=options.tokens)
    began = time.perf_counter()
    writer: Writer = load_writer(read_profile(options.model), device="cpu", dtype=options.dtype)
    print(f"loaded and checked in {time.perf_counter() - began:.1f} s; prompts are asked {writer.sharing}", flush=True)
    # The writer's own model and tokenizer: the same numbers, and none of them twice.
    model, tokenizer = writer._network.model, writer._prompts._tokenizer
    model.generation_config.update(eos_token_id=sorted(writer.ends), pad_token_id=writer._network.fill)
    prompts = [writer.prompt(Text(text)) for text in asked]
    few = random.Random(2).sample(range(len(asked)), options.alone)

    def length(answer: list[int]) -> int:
        return next((at for at, token in enumerate(answer) if token in writer.ends), len(answer))

    def ours() -> int:
        return len(writer.generate([Text(text) for text in asked], how).logprobs)

    def batched() -> int:
        return sum(map(length, by_hand(model, tokenizer, prompts, options.tokens, options.rows)))

    def alone() -> int:
        return sum(map(length, by_hand(model, tokenizer, [prompts[i] for i in few], options.tokens, 1)))

    given = writer.generate([Text(text) for text in asked], how).texts
    plain = by_hand(model, tokenizer, prompts, options.tokens, options.rows)
    same = sum(
        a == tokenizer.decode(b[: length(b)], skip_special_tokens=True) for a, b in zip(given, plain, strict=True)
    )
    runs = {"auditor": ours, "by hand": batched, "one at a time": alone}
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    peaks: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            speed, peak = timed(run)
            speeds[name].append(speed)
            peaks[name].append(peak)
    words = [len(text.split()) for text in asked]
    print(
        f"{len(asked)} instructions of {min(words)} to {max(words)} words, {options.tokens} tokens at most, "
        f"{options.dtype}, {torch.get_num_threads()} threads, {options.rounds} rounds; {same} answers are equal"
    )
    for name, found in speeds.items():
        ratio = statistics.median(own / other for own, other in zip(speeds["auditor"], found, strict=True))
        print(
            f"{name:<14} {statistics.median(found):7.1f} tokens/s   auditor is {ratio:.2f} times as fast   "
            f"peak memory +{statistics.median(peaks[name]) / 1e6:.0f} MB"
        )
    print(f"resident at the end: {resident('VmRSS') / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
