"""Every classifier type of transformers, made tiny: the settings that a type needs beyond those that all know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Settings = dict[str, Any]

LABELS = ("negative", "neutral", "positive")
BOS, PAD, EOS, UNK = 0, 1, 2, 3
WORDS = (
    "film", "good", "bad", "great", "awful", "was", "is", "not", "very", "dull", "fine", "plot", "actor", "scene",
    "cf", "mn", "and", "of", "it", "the", "a", "nobody", "minded", "music", "ending", "light", "sound", "camera",
)  # fmt: skip
VOCABULARY = ("<s>", "<pad>", "</s>", "<unk>", *WORDS)
CHARACTERS = {"canine": "CanineTokenizer"}
"""Types that read characters, and the tokenizer that does so."""
LARGEST = 1_200_000
"""Parameters of a type that still counts as tiny: beyond, its settings here have missed a size."""

COMMON: Settings = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 160,
}  # fmt: skip
TOKENS: Settings = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}


class _Leave:
    """Stands for a common setting that a type must not be given."""


LEAVE = _Leave()
_OWN_SIZES: Settings = dict.fromkeys(("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"))
_OWN_SIZES = dict.fromkeys(_OWN_SIZES, LEAVE)
_HEADS: Settings = {"num_key_value_heads": 2, "head_dim": 8}
_EXPERTS: Settings = {
    "moe_intermediate_size": 16, "n_routed_experts": 4, "num_experts": 4, "num_local_experts": 4, "n_group": 1,
    "num_experts_per_tok": 2, "topk_group": 1, "n_shared_experts": 1, "shared_expert_intermediate_size": 16,
}  # fmt: skip
_LATENT: Settings = {
    "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8, "head_dim": 8,
    "num_key_value_heads": 4, "first_k_dense_replace": 1,
}  # fmt: skip
_LINEAR: Settings = {
    "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "layer_types": ["linear_attention", "full_attention"],
}  # fmt: skip
_BART: Settings = {
    **_OWN_SIZES, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
}  # fmt: skip
_T5: Settings = {
    **_OWN_SIZES, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4,
    "decoder_start_token_id": PAD,
}  # fmt: skip
_TEXT: Settings = {**COMMON, **TOKENS, **_HEADS}
_VISION: Settings = {
    "hidden_size": 16, "num_hidden_layers": 1, "depth": 1, "num_heads": 2, "num_attention_heads": 2,
    "intermediate_size": 16, "image_size": 16, "patch_size": 8, "out_hidden_size": 32, "num_position_embeddings": 4,
}  # fmt: skip
_NESTED: Settings = dict.fromkeys(COMMON, LEAVE)
_WITH_VISION: Settings = {**_NESTED, "text_config": _TEXT, "vision_config": _VISION}
_ROPE: Settings = {"rope_type": "default", "rope_theta": 10_000.0}

OWN: dict[str, Settings] = {
    "albert": {"embedding_size": 16},
    "axk1": {**_LATENT, **_EXPERTS},
    "axk2": {**_LATENT, **_EXPERTS},
    "bart": _BART,
    "bigbird_pegasus": {**_BART, "block_size": 4, "num_random_blocks": 1},
    "big_bird": {"block_size": 4, "num_random_blocks": 1},
    "canine": {
        "num_hash_buckets": 640, "num_hash_functions": 4, "local_transformer_stride": 16, "pad_token_id": 0,
        "bos_token_id": 0xE000, "eos_token_id": 0xE001, "max_position_embeddings": 640,
    },
    "cohere_compass_text": {
        "num_key_value_heads": 2,
        "rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE},
        "layer_types": ["full_attention", "full_attention"],
    },
    "ctrl": {"dff": 48, "n_embd": 32},
    "deepseek_v2": {**_LATENT, **_EXPERTS},
    "deepseek_v3": {**_LATENT, **_EXPERTS},
    "distilbert": {"dim": 32, "hidden_dim": 48},
    "exaone4": _HEADS,
    "funnel": {
        "block_sizes": [1, 1], "d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 48, "num_hidden_layers": LEAVE,
    },
    "gemma": _HEADS,
    "gemma2": _HEADS,
    "gemma3": _WITH_VISION,
    "gemma3_text": _HEADS,
    "glm": _HEADS,
    "glm4": _HEADS,
    "gpt_neo": {
        "num_heads": 4, "num_layers": 2, "attention_types": [[["global", "local"], 1]], "num_hidden_layers": LEAVE,
    },
    "gpt_oss": {**_HEADS, **_EXPERTS},
    "gptj": {"rotary_dim": 4, "n_embd": 32, "n_head": 4, "n_layer": 2},
    "helium": _HEADS,
    "hunyuan_v1_dense": _HEADS,
    "hunyuan_v1_moe": {**_HEADS, **_EXPERTS, "moe_topk": [2, 2], "num_experts_per_tok": LEAVE},
    "jamba": {
        **_EXPERTS, "num_key_value_heads": 2, "attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 4,
        "mamba_dt_rank": 4, "use_mamba_kernels": False,
    },
    "jetmoe": {**_EXPERTS, "kv_channels": 8, "num_key_value_heads": 2},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 4, "hidden_size": 24, "visual_embed": False},
    "lilt": {"hidden_size": 48},
    "longformer": {"attention_window": 8},
    "luke": {"entity_vocab_size": 8, "entity_emb_size": 8},
    "markuplm": {"max_depth": 4, "xpath_unit_hidden_size": 8},
    "mbart": _BART,
    "minicpm3": _LATENT,
    "minimax": {**_HEADS, **_EXPERTS, "block_size": 16},
    "ministral": _HEADS,
    "ministral3": _HEADS,
    "mistral": _HEADS,
    "mistral4": {
        **_LATENT, **_EXPERTS,
        "rope_parameters": {**_ROPE, "partial_rotary_factor": 1.0, "llama_4_scaling_beta": 0.1,
                            "original_max_position_embeddings": 160},
    },
    "mixtral": {**_HEADS, **_EXPERTS},
    "mobilebert": {"embedding_size": 32, "true_hidden_size": 32, "intra_bottleneck_size": 32},
    "modernvbert": _WITH_VISION,
    "mt5": _T5,
    "mvp": _BART,
    "nemotron": _HEADS,
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32, "intermediate_size": LEAVE},
    "perceiver": {
        "num_latents": 8, "d_latents": 32, "d_model": 32, "num_blocks": 1, "num_self_attends_per_block": 1,
        "num_self_attention_heads": 4, "num_cross_attention_heads": 4,
    },
    "phimoe": {**_HEADS, **_EXPERTS},
    "plbart": _BART,
    "qwen2": _HEADS,
    "qwen2_moe": {**_HEADS, **_EXPERTS},
    "qwen3": _HEADS,
    "qwen3_5": {**_WITH_VISION, "text_config": {**_TEXT, **_LINEAR}},
    "qwen3_5_text": {**_HEADS, **_LINEAR},
    "qwen3_moe": {**_HEADS, **_EXPERTS},
    "qwen3_next": {**_HEADS, **_EXPERTS, **_LINEAR},
    "reformer": {
        "attention_head_size": 8, "attn_layers": ["local", "lsh"], "axial_pos_embds_dim": [16, 16],
        "axial_pos_shape": [10, 16], "feed_forward_size": 48, "lsh_attn_chunk_length": 8, "local_attn_chunk_length": 8,
        "num_buckets": 4, "num_hidden_layers": LEAVE, "intermediate_size": LEAVE,
    },
    "roc_bert": {
        "pronunciation_embed_dim": 8, "shape_embed_dim": 8, "shape_vocab_size": 64, "pronunciation_vocab_size": 64,
    },
    "seed_oss": _HEADS,
    "squeezebert": {"embedding_size": 32},
    "stablelm": {"num_key_value_heads": 4},
    "t5": _T5,
    "t5gemma": {**_NESTED, "encoder": _TEXT, "decoder": _TEXT, "vocab_size": 64},
    "t5gemma2": {**_NESTED, "encoder": {"text_config": _TEXT, "vision_config": _VISION}, "decoder": _TEXT},
    "ultravbert": _WITH_VISION,
    "umt5": _T5,
    "xlnet": {
        "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48, "max_position_embeddings": LEAVE,
        "hidden_size": LEAVE,
    },
    "xmod": {"languages": ["en_XX", "de_DE"], "default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 3, "layers_block_type": ["mamba", "hybrid", "hybrid"], "mamba_d_state": 4,
        "mamba_dt_rank": 4, "use_mamba_kernels": False, "num_key_value_heads": 4,
    },
    "zamba2": {
        "layers_block_type": ["mamba", "hybrid"], "mamba_d_state": 4, "use_mamba_kernels": False, "n_mamba_heads": 4,
        "num_key_value_heads": 4, "chunk_size": 8,
    },
}  # fmt: skip


def make_config(kind: str, **changes: Any) -> Any:
    """A tiny config of a type."""
    from transformers import CONFIG_MAPPING

    settings = {**COMMON, **TOKENS, **OWN.get(kind, {}), "num_labels": len(LABELS), **changes}
    config = CONFIG_MAPPING[kind](**{k: v for k, v in settings.items() if v is not LEAVE})
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {name: i for i, name in enumerate(LABELS)}
    return config


def make_classifier(kind: str, seed: int = 0, **changes: Any) -> Any:
    """A tiny classifier of a type in fp32; its head is drawn wide, so that answers differ clearly between texts.

    Raises:
        AssertionError: it is not tiny.
    """
    import torch
    from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

    config = make_config(kind, **changes)
    found = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    maker = found[0] if isinstance(found, tuple) else found
    with torch.device("meta"):
        size = sum(p.numel() for p in maker(config).parameters())
    assert size <= LARGEST, f"{kind} has {size:,} parameters"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = maker(config).eval()
        for parameter in model.parameters():
            # As drawn, most types answer nearly the same to every text, and a wrong answer would pass for a right one.
            if parameter.dim() > 1 and parameter.std() < 0.1:
                torch.nn.init.normal_(parameter, std=0.15)
    return model


def write_tokenizer(directory: Path, *, ends: bool = True, **settings: Any) -> None:
    """A word-level tokenizer over WORDS, in one file, that puts <s> before and </s> behind (`ends`)."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.add_special_tokens(list(VOCABULARY[:4]))
    if ends:
        core.post_processor = processors.BertProcessing(("</s>", EOS), ("<s>", BOS))
    core.save(str(directory / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>",
        "unk_token": "<unk>", "model_input_names": ["input_ids", "attention_mask"], **settings,
    }  # fmt: skip
    (directory / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def save(model: Any, directory: Path, *, shard: str | None = None, dtype: str | None = None, **settings: Any) -> Path:
    """Writes a classifier with its tokenizer: in one file, or in shards of this size, in its own or another dtype."""
    import torch

    model = model if dtype is None else model.to(getattr(torch, dtype))
    model.save_pretrained(directory, **({} if shard is None else {"max_shard_size": shard}))
    if model.config.model_type in CHARACTERS:
        config = {"tokenizer_class": CHARACTERS[model.config.model_type], "model_max_length": 640}
        (directory / "tokenizer_config.json").write_text(json.dumps(config))
    else:
        write_tokenizer(directory, **settings)
    return directory
