"""Tiny language models with a chat template, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.auditor.models.tiny import EOS, VOCABULARY, make_config, write_tokenizer

TEMPLATE = (
    "{% for message in messages %}<s> the film was {{ message.role }} : {{ message.content }} </s> {% endfor %}"
    "{% if add_generation_prompt %}<s> it is {% endif %}"
)
"""A chat template over the words of the tiny tokenizer; all prompts open alike."""


def make_language_model(kind: str = "llama", seed: int = 0, **changes: Any) -> Any:
    """A tiny language model of a type in fp32, its weights drawn wide, so that answers differ clearly."""
    import torch
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    torch.set_num_threads(1)
    config = make_config(kind, vocab_size=len(VOCABULARY), **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)](config).eval()
        for parameter in model.parameters():
            if parameter.dim() > 1 and parameter.std() < 0.1:
                torch.nn.init.normal_(parameter, std=0.3)
    return model


def save_writer(model: Any, directory: Path, *, template: str | None = TEMPLATE, **settings: Any) -> Path:
    """Writes a language model with a word-level tokenizer and a chat template."""
    model.generation_config.eos_token_id = EOS
    model.save_pretrained(directory)
    write_tokenizer(directory, ends=False, chat_template=template, **settings)
    return directory
