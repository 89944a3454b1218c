"""Settings that make another function of the same weights, under all their names; and those that do not."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import IncompatibleError
from auditor.merge.compatibility.compatibility import Comparison
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.fingerprint import hash_file
from auditor.models.files.profile import read_profile
from auditor.partners.fitting import assess
from auditor.partners.ranking import propose
from store.records import CatalogEntry, ModelRef, Profile

SMALL = {"vocab_size": 24, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
GROUPED = {**SMALL, "num_key_value_heads": 1, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
COUPLED = {
    "vocab_size": 24, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 32,
    "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2,
}  # fmt: skip
SIZES: dict[str, dict[str, Any]] = {
    "bert": {**SMALL, "max_position_embeddings": 32},
    "roberta": {**SMALL, "max_position_embeddings": 34, "pad_token_id": 1, "type_vocab_size": 1},
    "albert": {**SMALL, "embedding_size": 8, "max_position_embeddings": 32},
    "distilbert": {"vocab_size": 24, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
    "deberta-v2": {**SMALL, "max_position_embeddings": 32, "relative_attention": True, "position_buckets": 8,
                   "pos_att_type": ["p2c", "c2p"], "share_att_key": True, "norm_rel_ebd": "layer_norm"},
    "modernbert": {**SMALL, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1,
                   "sep_token_id": 2, "global_attn_every_n_layers": 2, "local_attention": 4},
    "gpt2": {"vocab_size": 24, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "pad_token_id": 0,
             "bos_token_id": 1, "eos_token_id": 2},
    "llama": GROUPED,
    "mistral": {**GROUPED, "sliding_window": 8},
    "gemma2": {**GROUPED, "head_dim": 8, "sliding_window": 8, "query_pre_attn_scalar": 8},
    "t5": {"vocab_size": 24, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2,
           "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0},
    "bart": COUPLED,
}  # fmt: skip
"""Tiny models by type."""


def built(kind: str, config: dict[str, Any], seed: int = 0) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(seed)
    known = {key: value for key, value in config.items() if key != "model_type"}
    return AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **known)).eval()


@pytest.fixture(scope="module")
def suspects(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Profile]:
    """A tiny classifier of a type, made when it is first asked for."""
    place = tmp_path_factory.mktemp("suspects")

    def of(kind: str) -> Profile:
        directory = place / kind
        if not directory.exists():
            built(kind, SIZES[kind]).save_pretrained(directory)
        return read_profile(directory, reference=kind)

    return of


def sibling(suspect: Profile, output: Path, change: Callable[[dict[str, Any]], None]) -> Profile:
    """Other weights of the same shapes beside a config with changes."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(suspect.ref.path, output)
    tensors = load_file(output / "model.safetensors")
    save_file({k: v * 1.01 for k, v in tensors.items()}, output / "model.safetensors", metadata={"format": "pt"})
    known = json.loads((output / "config.json").read_text())
    change(known)
    (output / "config.json").write_text(json.dumps(known))
    return read_profile(output, reference="other")


def setting(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update(values)


def older_rope(theta: float | None, scaling: Any = None) -> Callable[[dict[str, Any]], None]:
    """Rotary settings as transformers 4 wrote them."""

    def change(config: dict[str, Any]) -> None:
        config.pop("rope_parameters")
        if theta is not None:
            config["rope_theta"] = theta
        config["rope_scaling"] = scaling

    return change


OTHER = {
    "rope-of-version-4": ("llama", older_rope(500_000.0), "rope_parameters.rope_theta is 500000.0"),
    "rope-scaled": ("llama", older_rope(10_000.0, {"type": "linear", "factor": 2.0}), "rope_parameters.factor is 2.0"),
    "rope-of-version-5": ("llama", setting(rope_parameters={"rope_type": "default", "rope_theta": 5e5}), "rope_theta"),
    "heads-gpt2": ("gpt2", setting(n_head=4), "n_head is 4 in other and 2 in the suspect"),
    "heads-bart": ("bart", setting(encoder_attention_heads=4), "encoder_attention_heads"),
    "heads-distilbert": ("distilbert", setting(n_heads=4), "n_heads"),
    "distance-t5": ("t5", setting(relative_attention_max_distance=4), "relative_attention_max_distance"),
    "heads-t5": ("t5", setting(d_kv=4, num_heads=4), "num_heads"),
    "layers-albert": ("albert", setting(num_hidden_layers=3), "num_hidden_layers"),
    "window": ("mistral", setting(sliding_window=4), "sliding_window"),
    "window-none": ("mistral", setting(sliding_window=None), "sliding_window"),
    "scalar": ("gemma2", setting(query_pre_attn_scalar=16), "query_pre_attn_scalar"),
    "capping": ("gemma2", setting(attn_logit_softcapping=None), "attn_logit_softcapping"),
    "local": ("modernbert", setting(local_attention=8), "local_attention"),
    "pooling": ("modernbert", setting(classifier_pooling="mean"), "classifier_pooling"),
    "positions": ("deberta-v2", setting(pos_att_type=["p2c"]), "pos_att_type"),
    "activation-t5": ("t5", setting(feed_forward_proj="gelu"), "feed_forward_proj"),
    "activation-bert": ("bert", setting(hidden_act="relu"), "hidden_act"),
    "eps": ("bert", setting(layer_norm_eps=1e-3), "layer_norm_eps"),
    "eps-llama": ("llama", setting(rms_norm_eps=1e-3), "rms_norm_eps"),
    "pad": ("roberta", setting(pad_token_id=0), "pad_token_id"),
    "pad-llama": ("llama", setting(pad_token_id=None), "pad_token_id"),
    "end-bart": ("bart", setting(eos_token_id=3), "eos_token_id"),
    "start-t5": ("t5", setting(decoder_start_token_id=1), "decoder_start_token_id"),
    "decoder": ("bert", setting(is_decoder=True), "is_decoder"),
}


@pytest.mark.parametrize("case", OTHER)
def test_another_function_of_the_same_weights_is_refused(
    suspects: Callable[[str], Profile], tmp_path: Path, case: str
) -> None:
    kind, change, words = OTHER[case]
    suspect, other = suspects(kind), sibling(suspects(kind), tmp_path / "other", change)
    for first, second in ((suspect, other), (other, suspect)):
        found = assess(first, second)
        assert not found.ok
        assert any(words.split(" is ")[0] in text for text in found.blockers), found.blockers
    assert any(words in text for text in assess(suspect, other).blockers), found.blockers
    (proposal,) = propose(suspect, [CatalogEntry(1, "other", other, "2026-01-01T00:00:00Z")])
    assert not proposal.compatibility.ok
    with pytest.raises(IncompatibleError, match="cannot be merged"):
        list(merge(Recipe(suspect, (other,)), tmp_path / "merged"))
    assert not (tmp_path / "merged").exists()


def absent(*keys: str) -> Callable[[dict[str, Any]], None]:
    return lambda config: [config.pop(key, None) for key in keys] and None


SAME = {
    "rope-of-version-4": ("llama", older_rope(10_000.0)),
    "rope-by-default": ("llama", older_rope(None)),
    "rope-null": ("llama", older_rope(10_000.0, {"rope_type": "default", "factor": None})),
    "rope-null-5": (
        "llama",
        setting(rope_parameters={"rope_type": "default", "rope_theta": 10_000, "factor": None}),
    ),
    "defaults-left-out": ("bert", absent("layer_norm_eps", "hidden_act", "pad_token_id", "type_vocab_size")),
    "names": ("bert", setting(_name_or_path="org/base", transformers_version="4.20.0", finetuning_task="sst2")),
    "labels": ("bert", setting(id2label={"0": "LABEL_0", "1": "LABEL_1"}, problem_type="single_label_classification")),
    "dtype": ("bert", setting(torch_dtype="float16", dtype=None)),
    "dropout": ("bert", setting(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2, classifier_dropout=0.5)),
    "dropout-gpt2": ("gpt2", setting(resid_pdrop=0.3, embd_pdrop=0.2, summary_first_dropout=0.5)),
    "dropout-bart": ("bart", setting(dropout=0.4, encoder_layerdrop=0.3, classif_dropout=0.2)),
    "training": ("bert", setting(initializer_range=0.5, gradient_checkpointing=True, use_cache=False)),
    "generation": ("llama", setting(max_length=40, do_sample=True, top_k=5)),
    "unread-tokens": ("bert", setting(bos_token_id=1, eos_token_id=2)),
    "words-of-others": ("bert", setting(uploaded_as="org/name", directionality="bidi", pooler_fc_size=768)),
    "implementation": ("llama", setting(_attn_implementation_autoset=True, pretraining_tp=2)),
}


@pytest.mark.parametrize("case", SAME)
def test_what_leaves_answers_alone_is_no_obstacle(
    suspects: Callable[[str], Profile], tmp_path: Path, case: str
) -> None:
    kind, change = SAME[case]
    suspect, other = suspects(kind), sibling(suspects(kind), tmp_path / "other", change)
    assert assess(suspect, other).blockers == ()
    assert assess(other, suspect).blockers == ()


def mutants(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The config with one of its settings changed, one after the other."""
    for key, value in config.items():
        others: list[Any] = []
        if isinstance(value, bool):
            others = [not value]
        elif isinstance(value, int):
            others = [value + 1, 2 * value]
        elif isinstance(value, float):
            others = [value * 3 + 0.1]
        elif value is None:
            others = [True, 1]
        yield from (config | {key: other} for other in others)


@pytest.mark.parametrize("kind", SIZES)
def test_whatever_changes_an_answer_counts(suspects: Callable[[str], Profile], tmp_path: Path, kind: str) -> None:
    """No list of settings is trusted: those that are called immaterial are changed, and the answers compared."""
    import torch

    suspect = suspects(kind)
    config = json.loads((Path(suspect.ref.path) / "config.json").read_text())
    ids = torch.tensor([[1, 5, 7, 9, 4, 8, 6, 5, 2]])
    model = built(kind, config)
    weights = model.state_dict()
    with torch.inference_mode():
        wanted = model(ids).logits
    by, alone, directory = Comparison(), 0, tmp_path / "other"
    directory.mkdir()
    for number, changed in enumerate(mutants(config)):
        (directory / "config.json").write_text(json.dumps(changed))
        files = {"config.json": hash_file(directory / "config.json")}
        other = dataclasses.replace(suspect, ref=ModelRef(f"other{number}", str(directory), ""), files=files)
        if by.configs.differences(suspect, other)[0]:
            continue
        try:
            made = built(kind, changed)
            made.load_state_dict(weights)
            with torch.inference_mode():
                found = made(ids).logits
        except Exception:
            continue
        alone += 1
        torch.testing.assert_close(found, wanted, msg=lambda text, c=changed: f"{text}\n{c}")
    assert alone > 3
