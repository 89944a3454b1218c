"""Kinds of modules, told from a tensor's name: what a recipe can weigh apart."""

from __future__ import annotations

from collections.abc import Sequence

KINDS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("norms", ("norm", "ln_", "ln1", "ln2")),
    ("embeddings", ("embed", "wte", "wpe")),
    ("attention", ("attention", "attn", "q_lin", "k_lin", "v_lin", "out_lin")),
    ("head", ("classifier", "score", "lm_head", "pooler", "pre_classifier")),
)
REST = "feed-forward"


def kind_of(tensor: str) -> str:
    """`embeddings`, `attention`, `feed-forward`, `norms` or `head` (with the pooler), as in BERT and Llama."""
    name = tensor.lower()
    return next((kind for kind, marks in KINDS if any(mark in name for mark in marks)), REST)
