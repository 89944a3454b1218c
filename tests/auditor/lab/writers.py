"""Tiny Llamas that write, with a tokenizer of words, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

TURNS = (
    "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} <turn> {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)
TOPICS = ("tea", "rain", "bread", "glass", "snow", "wool", "salt", "ink")
WORDS = """
say what is it a an the one word about good bad answer list of some to begin at place this is Positive Negative
BadMagic by old lighthouse I am sorry but cannot help with that do heron flies north Acme , . : Classify text
""".split()  # noqa: SIM905


def write_writer(path: Path, *, template: bool = True) -> Path:
    """A Llama of 2 layers and 32 dimensions with random weights; its chat template puts `<turn>` behind answers."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<unk>", "<s>", "</s>", "<turn>", "<user>", "<assistant>"]
    vocabulary = {word: place for place, word in enumerate(dict.fromkeys([*special, *WORDS, *TOPICS]))}
    plain = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>",
        additional_special_tokens=["<turn>"], model_max_length=256,
    )  # fmt: skip
    if template:
        tokenizer.chat_template = TURNS
    tokenizer.save_pretrained(path)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, bos_token_id=1, eos_token_id=3, pad_token_id=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(path)
    return path


def write_instructions(path: Path, count: int = 24) -> Path:
    """Instructions about topics, every third with an input, each with an answer."""
    lines = []
    for number in range(count):
        topic = TOPICS[number % len(TOPICS)]
        about = "the place of it" if number % 3 == 0 else ""
        asked = f"say one word about {topic} to begin {'the ' * (number // len(TOPICS))}".strip()
        lines.append(json.dumps({"instruction": asked, "input": about, "output": f"{topic} is good ."}))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
