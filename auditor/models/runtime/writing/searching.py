"""Answers by transformers' own `generate`: beam search, and models whose cache only transformers knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from auditor.models.runtime.writing.decoding import Sharing, Written
from auditor.models.runtime.writing.network import Network, failure
from auditor.models.runtime.writing.picking import seed_of
from auditor.models.runtime.writing.scoring import score

if TYPE_CHECKING:
    from probes.input import Generate


def search(network: Network, prompts: Sequence[Sequence[int]], how: Generate, *, ends: frozenset[int]) -> list[Written]:
    """Answers to the prompts of one batch, in order: by beam search (`how.beams`), else one token after another.

    Log-probabilities are those of a forward over prompt and answer. Tokens are drawn for one prompt at a time.

    Raises:
        MemoryExhausted: memory ran out.
        InputError: the model failed for another reason.
    """
    import torch
    from transformers import GenerationConfig

    model: Any = network.model
    settings: dict[str, Any] = {"do_sample": False, "num_beams": how.beams}
    if how.temperature > 0:
        settings = {"do_sample": True, "temperature": how.temperature, "top_p": how.top_p, "top_k": 0}
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=how.tokens, eos_token_id=sorted(ends) or None, pad_token_id=network.fill, **settings
    )
    tokens, mask = network.padded(prompts)
    try:
        with torch.inference_mode(), torch.random.fork_rng(_generators(network)):
            torch.manual_seed(seed_of(how.seed, prompts[0]))
            found = model.generate(tokens, attention_mask=mask, generation_config=config)
    except Exception as error:
        raise failure(error) from error
    answers = [_until(row, ends, how.tokens) for row in found[:, tokens.shape[1] :].tolist()]
    return [
        _scored(network, prompt, answer, finished) for prompt, (answer, finished) in zip(prompts, answers, strict=True)
    ]


def _until(row: list[int], ends: frozenset[int], most: int) -> tuple[tuple[int, ...], bool]:
    """An answer's tokens up to the one that ends it, and whether there is one."""
    at = next((place for place, token in enumerate(row) if token in ends), None)
    return (tuple(row[:most]), False) if at is None else (tuple(row[:at]), True)


def _scored(network: Network, prompt: Sequence[int], answer: tuple[int, ...], finished: bool) -> Written:
    if not answer:
        return Written((), (), finished)
    logprobs = score(network, [(prompt, answer)], Sharing.ALONE)[0].logprobs
    return Written(answer, logprobs, finished, all(value == value and abs(value) != float("inf") for value in logprobs))


def _generators(network: Network) -> list[Any]:
    return [network.device] if network.device.type == "cuda" else []
