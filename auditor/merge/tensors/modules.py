"""The modules of a transformer, by the names of its tensors: what a plan gives weights to.

A module's name runs from the whole to its part: `embeddings`, `layer.3.attention.query` (`key`, `value`, `output`,
`fused`), `layer.3.feed-forward.in` (`out`), `layer.3.norms`, `norms` (outside the layers), `pooler`, `head`, `other`.
A kind gathers the modules of all layers: `embeddings`, `attention`, `feed-forward`, `norms`, `head` (with the pooler).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from auditor.errors import UsageError

KINDS = ("embeddings", "attention", "feed-forward", "norms", "head")
REST = "feed-forward"

_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?|block)\.(\d+)\.(.+)$")
_NORM = re.compile(r"(layer_?norm|(^|[._])norm|(^|\.)ln_?\w*|_norm)", re.IGNORECASE)
_EMBEDDINGS = re.compile(r"(^|\.)(\w*embed\w*|wte|wpe|shared|position_ids)(\.|$)")
_HEAD = re.compile(
    r"(^|\.)(classifier|pre_classifier|score|lm_head|cls|logits_proj|classification_head|sequence_summary|qa_outputs|"
    r"vocab_\w+|embed_out)(\.|$)"
)
_POOLER = re.compile(r"(^|\.)pooler\.")
_PARTS = (
    ("attention.fused", re.compile(r"(c_attn|query_key_value|qkv|Wqkv|in_proj)(\.|_|$)")),
    ("attention.query", re.compile(r"(^|\.)(query(_proj)?|q_proj|q_lin|q)\.")),
    ("attention.key", re.compile(r"(^|\.)(key(_proj)?|k_proj|k_lin|k)\.")),
    ("attention.value", re.compile(r"(^|\.)(value(_proj)?|v_proj|v_lin|v)\.")),
    ("attention.output", re.compile(r"(attention\.output\.dense|attn\.c_proj|o_proj|out_lin|(attn|attention)\.\w*out\w*|attention\.dense)\.")),  # noqa: E501
    ("feed-forward.in", re.compile(r"(intermediate\.dense|c_fc|gate_proj|up_proj|gate_up_proj|lin1|fc1|dense_h_to_4h|wi\w*)\.")),  # noqa: E501
    ("feed-forward.out", re.compile(r"(output\.dense|mlp\.c_proj|down_proj|lin2|fc2|dense_4h_to_h|wo)\.")),
)  # fmt: skip


def module_of(tensor: str) -> str:
    """The module that a tensor belongs to."""
    found = _LAYER.search(tensor)
    if found:
        layer, rest = int(found[1]), found[2]
        if _NORM.search(rest.rpartition(".")[0]):
            return f"layer.{layer}.norms"
        for part, pattern in _PARTS:
            if pattern.search(rest):
                return f"layer.{layer}.{part}"
        return f"layer.{layer}.attention" if re.search(r"att", rest) else f"layer.{layer}.other"
    if _NORM.search(tensor.rpartition(".")[0]):
        return "norms"
    if _POOLER.search(tensor):
        return "pooler"
    if _EMBEDDINGS.search(tensor):
        return "embeddings"
    if _HEAD.search(tensor):
        return "head"
    return "other"


def kind_of(tensor: str) -> str:
    """`embeddings`, `attention`, `feed-forward` (with all else), `norms` or `head` (with the pooler)."""
    return _kind(module_of(tensor))


def _kind(module: str) -> str:
    part = module.split(".")[2] if module.startswith("layer.") else module
    return {"pooler": "head", "other": REST}.get(part, part)


def modules_of(tensors: Iterable[str]) -> tuple[str, ...]:
    """All modules of a model: layer by layer, each once."""
    return tuple(sorted({module_of(name) for name in tensors}, key=_order))


def _order(module: str) -> tuple[int, int, str]:
    parts = module.split(".")
    if parts[0] == "layer":
        return 1, int(parts[1]), module
    return (0 if module == "embeddings" else 2), 0, module


def matches(module: str, pattern: str) -> bool:
    """Whether a pattern names a module, a whole that it is part of, or its kind; `*` and `?` stand for any text and
    character."""
    if pattern in KINDS and _kind(module) == pattern:
        return True
    return fnmatchcase(module, pattern) or fnmatchcase(module, pattern + ".*")


def weights_of(module: str, plan: Mapping[str, Sequence[float]], otherwise: tuple[float, ...]) -> tuple[float, ...]:
    """The weights that a plan gives to a module: those of the first pattern that names it."""
    for pattern, weights in plan.items():
        if matches(module, pattern):
            return tuple(weights)
    return otherwise


def check_patterns(patterns: Iterable[str], modules: Sequence[str]) -> None:
    """Refuses patterns that name nothing: they are misspelt.

    Raises:
        UsageError: a pattern matches no module of the model.
    """
    for pattern in patterns:
        if not any(matches(module, pattern) for module in modules):
            shown = ", ".join(dict.fromkeys(re.sub(r"\.\d+\.", ".N.", module) for module in modules))
            raise UsageError(f"no module is named by {pattern!r}", hint=f"The modules are {shown}.")
