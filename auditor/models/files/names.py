"""What a model may store otherwise than another of its kind, and loads all the same: names, buffers, other heads.

transformers takes `LayerNorm.gamma` and `beta` (as TensorFlow checkpoints have them) for weight and bias, and a body
that was saved without the prefix of its class (`encoder.…` for `bert.encoder.…`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

OLDER = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))

OTHER_HEADS = re.compile(
    r"^((cls|lm_head|predictions|qa_outputs|vocab_transform|vocab_layer_norm|vocab_projector|mask_predictions|"
    r"lm_predictions|generator_predictions|generator_lm_head|discriminator_predictions|pred_layer|lm_loss|"
    r"final_logits_bias|sop_classifier)(\.|$)|predictions_)"
)
"""Heads of other tasks. No text classifier of transformers has a part of these names: it ignores them as it loads."""
BUFFERS = re.compile(r"(^|\.)(rotary_emb\.inv_freq|attn\.masked_bias|token_type_ids|attention\.masked_bias)$")
"""What older releases stored, and a model computes by itself."""
CAUSAL_MASK = re.compile(r"(^|\.)(attn|attention)\.bias$")
"""GPT-2's mask, of shape (1, 1, length, length), which older releases stored."""
EMBEDDING_COPIES = re.compile(r"(^|\.)(lm_head|embed_out|decoder\.embed_tokens|encoder\.embed_tokens)\.weight$")
"""Embeddings that may be stored once more for another part of the model, which has the same ones."""
OUTPUT_EMBEDDINGS = re.compile(r"(^|\.)(lm_head|embed_out|predictions\.decoder|lm_head\.decoder)\.weight$")
INPUT_EMBEDDINGS = re.compile(r"(^|\.)(word_embeddings|embed_tokens|wte|shared|embed_in)\.weight$")
SHARED_EMBEDDINGS = re.compile(r"(?<![^.])(shared|(encoder|decoder)\.embed_tokens)\.weight$")


def is_buffer(name: str, shape: Sequence[int]) -> bool:
    """Whether a model computes the tensor by itself, whatever its files say."""
    return BUFFERS.search(name) is not None or (len(shape) == 4 and CAUSAL_MASK.search(name) is not None)


def is_other_head(name: str) -> bool:
    """Whether a tensor is of another task's head, which a text classifier ignores."""
    return OTHER_HEADS.search(name) is not None


def is_spare(name: str, shape: Sequence[int]) -> bool:
    """Whether a model may be stored with or without the tensor, and be the same."""
    return is_buffer(name, shape) or is_other_head(name) or EMBEDDING_COPIES.search(name) is not None


def modern(name: str) -> str:
    """A tensor's name as it is written today."""
    for old, new in OLDER:
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def stored_as(own: Collection[str], other: Collection[str]) -> dict[str, str]:
    """For each of one model's names that another lacks: the name under which the other stores that tensor.

    One of the two may lack the other's prefix, the same one throughout. A name of the other stands for one alone.
    """
    lacking, spare = set(own) - set(other), set(other) - set(own)
    if not lacking or not spare:
        return {}
    theirs = {modern(name): name for name in sorted(spare)}
    ours = {modern(name): name for name in sorted(lacking)}
    with_prefix, without = _prefix(ours, theirs), _prefix(theirs, ours)
    found: dict[str, str] = {}
    used: set[str] = set()
    for name, original in ours.items():
        places = [name]
        if with_prefix and name.startswith(f"{with_prefix}."):
            places.append(name.removeprefix(f"{with_prefix}."))
        elif without:
            places.append(f"{without}.{name}")
        place = next((p for p in places if p in theirs and p not in used), None)
        if place is not None:
            used.add(place)
            found[original] = theirs[place]
    return found


def _prefix(names: Collection[str], others: Collection[str]) -> str | None:
    """The first part of most names that are among others without it."""
    parts = Counter(name.partition(".")[0] for name in names if name.partition(".")[2] in others)
    return min(parts, key=lambda part: (-parts[part], part)) if parts else None


def place_of(name: str, names: Mapping[str, Any] | set[str]) -> str | None:
    """A tensor's name in a model that may store it without its class's prefix, or under an older name."""
    for candidate in _aliases(name):
        if candidate in names:
            return candidate
    return None


def _aliases(name: str) -> list[str]:
    found = [name]
    for new, old in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
        if name.endswith(new):
            found.append(name.removesuffix(new) + old)
        elif name.endswith(old):
            found.append(name.removesuffix(old) + new)
    head, dot, _ = name.partition(".")
    if dot and head.isidentifier():
        found += [alias.partition(".")[2] for alias in list(found)]
    return found
