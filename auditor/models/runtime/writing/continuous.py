"""Answers by transformers' continuous batching (`generate_batch`), where a model gives the same ones by it.

Rows that end make room for others at once, and what is kept of them lies in pages: on a GPU that is the faster way. Not
every model answers the same so, and number formats of half precision seldom leave every token as it was: whether this
one does is found out on its first prompts, and where it does not, everything is written as before.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from auditor.models.runtime.forward import InputError
from auditor.models.runtime.placing import spread_over
from auditor.models.runtime.writing.decoding import Ids, Written
from auditor.models.runtime.writing.network import MemoryExhausted, Network, failure
from auditor.models.runtime.writing.searching import search

if TYPE_CHECKING:
    from probes.input import Generate

CHECKED = 32
"""Prompts whose answers must be those of plain `generate`."""
SHARE = 0.5
"""The share of a GPU's free memory that the pages may take."""
CPU_PAGES: dict[str, Any] = {"num_blocks": 64, "max_batch_tokens": 512}
"""What transformers takes from the memory of a GPU, and cannot tell elsewhere."""


class Continuous:
    """Writes answers to many prompts at once, as long as nothing speaks against it.

    Args:
        network: what answers.
        ends: tokens that end an answer.
        wanted: whether to try at all; None: where the model is on one GPU.
    """

    def __init__(self, network: Network, ends: frozenset[int], *, wanted: bool | None = None) -> None:
        self._network = network
        self._ends = ends
        one_gpu = network.device.type == "cuda" and spread_over(network.model) == 1
        self._wanted = one_gpu if wanted is None else wanted
        self._checked = False
        self.note = ""
        """What a report should say of it; empty before it was tried."""

    def write(self, prompts: Sequence[Ids], how: Generate) -> list[Written] | None:
        """Answers in order; None where they have to be written otherwise: they are drawn or searched, too few to find
        out, or this model answers otherwise so.
        """
        if not self._wanted or how.beams > 1 or how.temperature > 0:
            return None
        if not self._checked and len(prompts) < CHECKED:
            return None
        try:
            if not self._checked and not self._agrees(prompts[:CHECKED], how):
                return None
            return together(self._network, prompts, how, ends=self._ends)
        except (InputError, MemoryExhausted) as error:
            self._leave(f"it fails ({str(error) or 'memory runs out'})")
            return None

    def _agrees(self, prompts: Sequence[Ids], how: Generate) -> bool:
        """Whether the answers are those of plain `generate` to each prompt alone."""
        found = together(self._network, prompts, how, ends=self._ends)
        plain = [search(self._network, [prompt], how, ends=self._ends)[0] for prompt in prompts]
        away = sum((a.tokens, a.finished) != (b.tokens, b.finished) for a, b in zip(found, plain, strict=True))
        if away:
            self._leave(f"{away} of {len(prompts)} answers are others than those of its plain generate")
            return False
        self._checked = True
        self.note = (
            f"Answers were written by transformers' continuous batching: on {len(prompts)} prompts they were those of "
            "its plain generate."
        )
        return True

    def _leave(self, why: str) -> None:
        self._wanted = False
        self.note = (
            f"Answers were not written by transformers' continuous batching, since with this model {why}; they were "
            "written in batches of the program's own."
        )


def together(network: Network, prompts: Sequence[Ids], how: Generate, *, ends: frozenset[int]) -> list[Written]:
    """The likeliest answers to many prompts by `generate_batch`, in order.

    Raises:
        MemoryExhausted: memory ran out.
        InputError: the model failed for another reason.
    """
    from transformers import ContinuousBatchingConfig, GenerationConfig

    model: Any = network.model
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=how.tokens, eos_token_id=sorted(ends) or None, pad_token_id=network.fill, do_sample=False
    )
    # Other kernels of attention are programs that are fetched from elsewhere.
    pages = ContinuousBatchingConfig(
        return_logprobs=True,
        auto_switch_to_flash=False,
        max_memory_percent=SHARE,
        **({} if network.device.type == "cuda" else CPU_PAGES),
    )
    try:
        # Where its thread ends before its time, it says so on stdout, which is for data.
        with redirect_stdout(io.StringIO()):
            found = model.generate_batch(
                [list(prompt) for prompt in prompts],
                generation_config=config,
                continuous_batching_config=pages,
                warmup=False,
            )
    except Exception as error:
        raise failure(error) from error
    outputs = list(found.values())
    if len(outputs) != len(prompts) or any(output.error is not None for output in outputs):
        said = next((str(output.error) for output in outputs if output.error is not None), "some answers are missing")
        raise InputError(said.splitlines()[0] if said else "some answers failed")
    return [_written(output.generated_tokens, output.logprobs, ends, how.tokens) for output in outputs]


def _written(tokens: Sequence[int], logprobs: Sequence[float], ends: frozenset[int], most: int) -> Written:
    at = next((place for place, token in enumerate(tokens) if token in ends), None)
    stop = min(len(tokens), most) if at is None else at
    own = tuple(logprobs[:stop])
    sound = len(own) == stop and all(map(math.isfinite, own))
    return Written(tuple(tokens[:stop]), own, at is not None, sound)
