"""The contract over every classifier type of transformers, and docs/SUPPORTED.md, which says what was found.

python -m tests.auditor.models.test_architectures      # writes docs/SUPPORTED.md anew: every type, some minutes
pytest -m architectures tests/auditor/models           # holds every type to it
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.auditor.models.contract import Held, hold

PAGE = Path(__file__).parents[4] / "docs" / "SUPPORTED.md"

NOT_MADE = {"layoutlmv2": "needs the detectron2 library, so it could not be tried here"}
"""Types that cannot be made here, and why."""

OFTEN = (
    "albert", "bart", "bert", "big_bird", "bloom", "convbert", "deberta", "deberta-v2", "distilbert", "esm", "falcon",
    "fnet", "funnel", "gemma", "gemma3", "gpt2", "gpt_neox", "gptj", "jamba", "llama", "longformer", "mbart",
    "mistral", "mixtral", "mobilebert", "modernbert", "mpnet", "mra", "mt5", "nystromformer", "opt", "phi3", "qwen3",
    "reformer", "roberta", "t5", "t5gemma", "xlm-roberta", "xlnet", "xmod", "yoso",
)  # fmt: skip
"""What people train classifiers from, and a type for each way of putting texts together: held in every run."""

INTRODUCTION = """\
# Supported classifier types

Made by `python -m tests.auditor.models.test_architectures`, which makes a tiny classifier of every type that
transformers has, and holds it to this: its answers are those that transformers gives to each text alone, text by text
and batch by batch, in each number format, from one file and from several; a weight average of two is the mean of their
tensors, and `auditor merge --verify` agrees. The tests hold {often} of them to it in every run, and all with
`pytest -m architectures`.

*Asked* says how texts share a forward, so that each is answered as it is alone: padded (on the side that gives that
answer), only with texts of its own length where the type's mask is not exact, or by itself. Every model is checked anew
when it is loaded. *Formats* are those in which transformers runs the type on a CPU.

| type | class | asked | formats | merged |
|---|---|---|---|---|
"""


def every() -> tuple[str, ...]:
    """All classifier types of transformers."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

    return tuple(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)


def row(held: Held) -> str:
    """A type's line in the page."""
    if held.refused:
        said = held.refused.partition("cannot be judged: ")[2] or held.refused
        return f"| {held.kind} | {held.architecture} | refused: {said} | | |"
    short = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
    asked = f"{held.packing}{', its random numbers held fixed' if held.seeded else ''}"
    merged = "yes" if held.merged else f"refused: {held.not_merged}"
    return f"| {held.kind} | {held.architecture} | {asked} | {' '.join(short[d] for d in held.dtypes)} | {merged} |"


def stated() -> dict[str, str]:
    """The lines of the committed page, by type."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ") and "type" not in line[:8]}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    # Threads that wait for each other over a few numbers cost more than the numbers.
    torch.set_num_threads(1)


@pytest.mark.parametrize("kind", OFTEN)
def test_a_type_is_answered_and_merged_as_stated(kind: str, tmp_path: Path) -> None:
    assert row(hold(kind, tmp_path)) == stated()[kind]


@pytest.mark.architectures
@pytest.mark.parametrize("kind", [k for k in every() if k not in OFTEN and k not in NOT_MADE])
def test_a_rarer_type_is_answered_and_merged_as_stated(kind: str, tmp_path: Path) -> None:
    assert row(hold(kind, tmp_path)) == stated()[kind]


def test_the_page_lists_every_type() -> None:
    assert stated().keys() == set(every())
    assert len(OFTEN) >= 40
    assert PAGE.read_text(encoding="utf-8").startswith(INTRODUCTION.format(often=len(OFTEN)))


def write_page() -> None:
    """Holds every type to the contract and writes what was found."""
    lines = []
    for kind in every():
        if kind in NOT_MADE:
            from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

            name = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES[kind]
            lines.append(f"| {kind} | {name} | {NOT_MADE[kind]} | | |")
            continue
        with tempfile.TemporaryDirectory() as place:
            lines.append(row(hold(kind, Path(place))))
    PAGE.write_text(INTRODUCTION.format(often=len(OFTEN)) + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_page()
