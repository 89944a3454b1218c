"""LoRA adapters against what peft makes of them: merged exactly, or refused by name. Real adapters of tiny models."""

from __future__ import annotations

import json
import shutil
import typing
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import IncompatibleError, ModelError, UsageError
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import read_adapter
from auditor.models.files.adapter_rules import CHANGING_INITS, EXACT_INITS, HARMLESS, READ
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import LANGUAGE_MODEL, load_classifier, open_weights
from store.records import Profile, Task
from tests.auditor.merge.conftest import read_tensors, round_bf16, write_tensors
from tests.auditor.merge.test_real_models import SHAPES, WORDS, build, run, save, tokenizer

Weights = dict[str, np.ndarray]
QUERY = {"bert": "query", "llama": "q_proj"}
EMBEDDINGS = {"bert": "word_embeddings", "llama": "embed_tokens", "tied": "embed_tokens"}
TASKS = {"bert": "SEQ_CLS", "body": "SEQ_CLS", "masked": "SEQ_CLS", "t5": "SEQ_2_SEQ_LM"}


def bare(kind: str) -> Any:
    """Models without a head that an adapter could use."""
    import torch
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        BertModel,
        GPT2Config,
        GPT2LMHeadModel,
        T5Config,
        T5ForConditionalGeneration,
    )

    torch.manual_seed(0)
    if kind == "t5":
        return T5ForConditionalGeneration(
            T5Config(
                vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, decoder_start_token_id=0
            )
        )
    if kind.startswith("gpt2"):
        return GPT2LMHeadModel(GPT2Config(vocab_size=len(WORDS), n_embd=16, n_layer=1, n_head=2, n_positions=32))
    return {"body": BertModel, "masked": BertForMaskedLM}[kind](BertConfig(vocab_size=len(WORDS), **SHAPES))


@dataclass
class Shop:
    """Makes bases, and adapters of them with random values where training would have been."""

    place: Path
    bases: dict[str, Profile] = field(default_factory=dict)
    made: int = 0

    def base(self, kind: str) -> Profile:
        if kind not in self.bases:
            if kind in ("body", "masked", "gpt2", "gpt2-half", "t5"):
                model: Any = bare(kind)
            else:
                model = build(
                    "bert" if kind == "bert" else "llama",
                    0,
                    **({"tie_word_embeddings": True} if kind == "tied" else {}),
                )
            if kind.endswith("half"):
                import torch

                model = model.to(torch.bfloat16)
            options = {"max_shard_size": "4KB"} if kind == "sharded" else {}
            self.bases[kind] = save(model, self.place / f"base-{kind}", **options)
        return self.bases[kind]

    def load(self, kind: str, task: str | None, labels: int | None = None) -> Any:
        import transformers as t

        known = {"SEQ_CLS": t.AutoModelForSequenceClassification, "SEQ_2_SEQ_LM": t.AutoModelForSeq2SeqLM}
        auto: Any = known.get(task or "", t.AutoModelForCausalLM)
        more = {} if labels is None else {"num_labels": labels, "ignore_mismatched_sizes": True}
        return auto.from_pretrained(self.base(kind).ref.path, **more)

    def adapter(
        self, kind: str, seed: int = 0, *, labels: int | None = None, scale: float = 0.3,
        before: Callable[[Any, Path], None] | None = None, initial: bool = False, **settings: Any,
    ) -> Profile:  # fmt: skip
        """An adapter of a base; `initial` converts it with peft to one that leaves the base alone."""
        import torch
        from peft import LoraConfig, get_peft_model

        settings = {"r": 2, "lora_alpha": 4, "target_modules": [QUERY.get(kind, "q_proj")], **settings}
        settings.setdefault("task_type", TASKS.get(kind, "CAUSAL_LM"))
        torch.manual_seed(seed)
        adapted = get_peft_model(self.load(kind, settings["task_type"], labels), LoraConfig(**settings))
        self.made += 1
        place = self.place / f"adapter{self.made}"
        if initial:
            config = adapted.peft_config["default"]
            kept, config.init_lora_weights = config.init_lora_weights, True
            adapted.save_pretrained(place / "initial")
            config.init_lora_weights = kept
        torch.manual_seed(100 + seed)
        for name, parameter in adapted.named_parameters():
            if "lora_" in name or "modules_to_save" in name or "trainable_tokens_delta" in name:
                parameter.data += scale * torch.randn_like(parameter)
        adapted.peft_config["default"].base_model_name_or_path = self.base(kind).ref.path
        adapted.save_pretrained(
            place, **({"path_initial_model_for_weight_conversion": str(place / "initial")} if initial else {})
        )
        shutil.rmtree(place / "initial", ignore_errors=True)
        self.live = adapted
        return read_profile(place, reference=place.name)

    def unloaded(self, adapter: Profile, kind: str, labels: int | None = None) -> Weights:
        """What peft makes of it."""
        from peft import PeftModel

        found = read_adapter(Path(adapter.ref.path))
        model = PeftModel.from_pretrained(self.load(kind, found.config["task_type"], labels), adapter.ref.path)
        return {name: value.detach().float().numpy() for name, value in model.merge_and_unload().state_dict().items()}

    def merged(self, recipe: Recipe) -> tuple[Weights, Any, Path]:
        """What the tool makes of it, verified."""
        self.made += 1
        output = self.place / f"out{self.made}"
        done = run(recipe, output)
        return read_tensors(output), done, output


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def edited(adapter: Profile, to: Path, **config: Any) -> Path:
    """A copy with other words in its config."""
    shutil.copytree(adapter.ref.path, to)
    path = to / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return to


def same(found: Weights, expected: Weights, *absent: str) -> None:
    assert expected.keys() - found.keys() == set(absent)
    assert found.keys() <= expected.keys()
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-6, err_msg=name)


def mean(first: Weights, second: Weights, share: float) -> Weights:
    return {name: share * first[name] + (1 - share) * second[name] for name in first}


EXACT: dict[str, dict[str, Any]] = {
    **{f"init-{init}": {"init_lora_weights": init} for init in (True, False, *sorted(EXACT_INITS))},
    "rslora": {"use_rslora": True},
    "patterns": {"rank_pattern": {"layers?.1.*(query|q_proj)": 4}, "alpha_pattern": {"layers?.0.*(query|q_proj)": 16}},
    "some layers": {"layers_to_transform": [1]},
    "whole modules": {"modules_to_save": ["word_embeddings", "embed_tokens"]},
    "some tokens": {"trainable_token_indices": [13, 5, 7]},
}


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("case", list(EXACT))
def test_what_leaves_the_base_alone_is_merged_as_peft_does(shop: Shop, kind: str, case: str) -> None:
    """With the base, and adapter into adapter, which peft then loads."""
    one, other = (shop.adapter(kind, seed, **EXACT[case]) for seed in (0, 1))
    expected = mean(shop.unloaded(one, kind), shop.unloaded(other, kind), 0.25)
    found, _, _ = shop.merged(Recipe(one, (other,), weights=(1, 3), base=shop.base(kind)))
    same(found, expected)
    base = read_tensors(Path(shop.base(kind).ref.path))
    assert max(np.abs(found[name] - base[name]).max() for name in base) > 0.01
    _, _, output = shop.merged(Recipe(one, (other,), weights=(1, 3)))
    same(shop.unloaded(read_profile(output), kind), expected)


def test_an_adapter_for_the_output_embeddings_keeps_what_peft_stores_with_it(shop: Shop) -> None:
    """peft stores the layer under an adapter of `lm_head`: under another name, which belongs to no model."""
    one, other = (shop.adapter("llama", seed, target_modules=["q_proj", "lm_head"]) for seed in (0, 1))
    assert any("base_layer" in t.name for t in one.tensors)
    expected = mean(shop.unloaded(one, "llama"), shop.unloaded(other, "llama"), 0.5)
    found, _, _ = shop.merged(Recipe(one, (other,), base=shop.base("llama")))
    same(found, expected)
    _, _, output = shop.merged(Recipe(one, (other,)))
    same(shop.unloaded(read_profile(output), "llama"), expected)


@pytest.mark.parametrize("init", ["pissa", "pissa_niter_4", "olora", "OLoRA", "lora_ga", "corda", "loftq", "made-up"])
def test_what_changes_the_base_when_it_begins_is_refused(shop: Shop, tmp_path: Path, init: str) -> None:
    place = edited(shop.adapter("bert"), tmp_path / "a", init_lora_weights=init)
    with pytest.raises(ModelError, match="LoftQ" if init == "loftq" else init) as caught:
        read_profile(place)
    if init not in ("loftq", "made-up"):
        assert "path_initial_model_for_weight_conversion" in caught.value.hint
    assert ("Merge it in peft" if init == "loftq" else "merge") in caught.value.hint


def test_what_peft_converted_is_merged_as_it_was_trained(shop: Shop) -> None:
    adapter = shop.adapter("llama", init_lora_weights="pissa", initial=True)
    live = {k: v.detach().numpy() for k, v in shop.live.merge_and_unload().state_dict().items()}
    found, _, _ = shop.merged(Recipe(adapter, (shop.adapter("llama", 1),), weights=(1, 0), base=shop.base("llama")))
    same(found, live)


@pytest.mark.parametrize(
    "settings",
    [
        {"use_dora": True}, {"lora_bias": True}, {"bias": "lora_only"}, {"target_parameters": ["q_proj.weight"]},
        {"kasa_config": {}}, {"layer_replication": [[0, 2], [1, 2]]}, {"use_qalora": True},
        {"alora_invocation_tokens": [1]}, {"velora_config": {"scale": 1}}, {"monteclora_config": {"num_samples": 2}},
        {"use_bdlora": {"nblocks": 2}}, {"arrow_config": {"top_k": 1}}, {"a_field_of_next_year": 1},
    ],
    ids=lambda settings: next(iter(settings)),
)  # fmt: skip
def test_other_functions_are_refused_by_their_name(shop: Shop, tmp_path: Path, settings: dict[str, Any]) -> None:
    ((name, value),) = settings.items()
    if value == {}:
        settings = {name: {"beta": 1.0}}
    with pytest.raises(ModelError, match=name) as caught:
        read_profile(edited(shop.adapter("bert"), tmp_path / "a", **settings))
    assert "merge_and_unload" in caught.value.hint


def test_every_field_of_pefts_config_is_judged() -> None:
    """A release of peft with new ways to begin, or new fields that are on by default, is noticed here."""
    from peft import LoraConfig

    from auditor.models.files.adapter_rules import refuse_config

    names = {f.name for f in fields(LoraConfig)}
    assert READ - {"task_type", "peft_type", "base_model_name_or_path"} <= names
    assert names >= HARMLESS
    refuse_config(Path("a"), LoraConfig().to_dict())
    hints = typing.get_type_hints(LoraConfig)["init_lora_weights"]
    inits = {str(value).partition("_niter")[0] for part in typing.get_args(hints) for value in typing.get_args(part)}
    assert inits, "the values are written in the annotation"
    assert all(init in EXACT_INITS or init.startswith(CHANGING_INITS) for init in inits)


def test_embedding_adapters_are_refused(shop: Shop) -> None:
    with pytest.raises(ModelError, match="lora_embedding_A is of a kind that is not read"):
        shop.adapter("bert", target_modules=["query", "word_embeddings"])


def test_rows_of_tokens_need_the_base_where_they_are_not_the_same_tokens(shop: Shop) -> None:
    one, other = (shop.adapter("bert", n, trainable_token_indices=t) for n, t in enumerate(([5], [7, 9])))
    plain = shop.adapter("bert", 2)
    for partner in (other, plain):
        with pytest.raises(IncompatibleError, match=r"other tokens' rows .*--base"):
            list(merge(Recipe(one, (partner,)), shop.place / "never"))
        found, _, _ = shop.merged(Recipe(one, (partner,), base=shop.base("bert")))
        same(found, mean(shop.unloaded(one, "bert"), shop.unloaded(partner, "bert"), 0.5))


def test_rows_of_tokens_that_the_config_does_not_name_one_by_one_are_refused(shop: Shop, tmp_path: Path) -> None:
    adapter = shop.adapter("llama", trainable_token_indices={"embed_tokens": [5, 7]})
    for number, stated in enumerate((None, [5], [5, 5], [5, -1], {"lm_head": [5, 7]})):
        with pytest.raises(ModelError, match="trainable_token_indices"):
            read_profile(edited(adapter, tmp_path / str(number), trainable_token_indices=stated))
    with pytest.raises(ModelError, match="holds none of the rows"):
        read_profile(edited(shop.adapter("llama"), tmp_path / "none", trainable_token_indices=[3]))
    beyond = read_profile(edited(adapter, tmp_path / "beyond", trainable_token_indices=[5, 99]))
    with pytest.raises(IncompatibleError, match="up to 99"):
        list(merge(Recipe(beyond, (shop.adapter("llama", 1),), base=shop.base("llama")), tmp_path / "o"))


@pytest.mark.parametrize(
    ("stray", "match"),
    [
        ("base_model.model.bert.extra.weight", "has no place"),
        ("base_model.model.bert.embeddings.word_embeddings.trainable_tokens_delta", "of a kind that is not read"),
        ("base_model.model.classifier.modules_to_save.default.weight", "twice"),
        ("base_model.model.bert.encoder.layer.0.output.dense.lora_A.weight", "not the other factor"),
    ],
)
def test_a_tensor_that_has_no_place_is_never_appended(shop: Shop, tmp_path: Path, stray: str, match: str) -> None:
    adapter = shop.adapter("bert")
    place = edited(adapter, tmp_path / "a")
    tensors = {name: (array, "F32") for name, array in read_tensors(place).items()}
    write_tensors(place / "adapter_model.safetensors", {**tensors, stray: (np.ones((2, 16)), "F32")})
    with pytest.raises((ModelError, IncompatibleError), match=match):
        list(merge(Recipe(read_profile(place), (adapter,), base=shop.base("bert")), tmp_path / "o"))
    assert not (tmp_path / "o").exists()


def test_factors_that_peft_would_leave_out_are_refused(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="target_modules"):
        read_profile(edited(shop.adapter("bert"), tmp_path / "a", target_modules=["value"]))


TIED: dict[str, tuple[dict[str, Any], bool]] = {
    "tokens": ({"trainable_token_indices": [5, 7]}, True),
    "tokens of both": ({"trainable_token_indices": {"embed_tokens": [5], "lm_head": [5]}}, True),
    "other tokens of both": ({"trainable_token_indices": {"embed_tokens": [5], "lm_head": [7]}}, False),
    "whole and tied": ({"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}, True),
    "whole": ({"modules_to_save": ["embed_tokens"]}, False),
    "both whole": ({"modules_to_save": ["embed_tokens", "lm_head"]}, False),
    "the output alone": ({"target_modules": ["q_proj", "lm_head"]}, False),
}


@pytest.mark.parametrize("case", list(TIED))
def test_tied_embeddings_stay_tied_or_the_adapter_is_refused(shop: Shop, case: str) -> None:
    settings, fits = TIED[case]
    adapter, other = shop.adapter("tied", **settings), shop.adapter("tied", 1)
    recipe = Recipe(adapter, (other,), weights=(1, 0), base=shop.base("tied"))
    if fits:
        same(shop.merged(recipe)[0], shop.unloaded(adapter, "tied"), "lm_head.weight")
    else:
        with pytest.raises(IncompatibleError, match="other values than what it is tied to"):
            list(merge(recipe, shop.place / "never"))


@pytest.mark.parametrize("stored", [False, True])
def test_embeddings_that_encoder_and_decoder_share_stay_shared(shop: Shop, tmp_path: Path, stored: bool) -> None:
    """Also where the base's file holds a copy for each of the two."""
    shutil.copytree(shop.base("t5").ref.path, tmp_path / "base")
    if stored:
        tensors = {name: (array, "F32") for name, array in read_tensors(tmp_path / "base").items()}
        tensors |= {f"{part}.embed_tokens.weight": tensors["shared.weight"] for part in ("encoder", "decoder")}
        write_tensors(tmp_path / "base" / "model.safetensors", tensors)
    base, plain = read_profile(tmp_path / "base"), shop.adapter("t5", 1, target_modules=["q"])
    one = shop.adapter("t5", target_modules=["q"], trainable_token_indices={"shared": [5, 7]})
    place = [edited(a, tmp_path / a.ref.reference, base_model_name_or_path=base.ref.path) for a in (one, plain)]
    found, _, _ = shop.merged(Recipe(read_profile(place[0]), (read_profile(place[1]),), weights=(1, 0), base=base))
    expected = shop.unloaded(one, "t5")
    same(found, expected, *(expected.keys() - found.keys()))
    assert ("encoder.embed_tokens.weight" in found) is stored
    for settings in ({"modules_to_save": ["shared"]}, {"trainable_token_indices": {"encoder.embed_tokens": [5]}}):
        odd = shop.adapter("t5", 2, target_modules=["q"], **settings)
        odd = read_profile(edited(odd, tmp_path / odd.ref.reference, base_model_name_or_path=base.ref.path))
        with pytest.raises(IncompatibleError, match="other values than what it is tied to"):
            list(merge(Recipe(odd, (read_profile(place[1]),), base=base), tmp_path / "o"))


@pytest.mark.parametrize("half", [False, True])
def test_layers_that_are_stored_turned_are_changed_as_peft_does(shop: Shop, half: bool) -> None:
    """GPT-2's Conv1D, square matrices too: merged with the base, adapter into adapter, and on the base in memory."""
    kind = "gpt2-half" if half else "gpt2"
    modules = ["c_attn", "c_proj", "c_fc"]
    one, other = (shop.adapter(kind, seed, target_modules=modules, r=seed + 2) for seed in (0, 1))
    base = shop.base(kind)
    expected = mean(shop.unloaded(one, kind), shop.unloaded(other, kind), 0.25)
    found, done, output = shop.merged(Recipe(one, (other,), weights=(1, 3), base=base))
    tied = expected.keys() - found.keys()
    assert tied == {"lm_head.weight"}
    exact = 1e-6 if not half else 2e-2
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=exact, err_msg=name)
    opened = open_weights(on_base(one, base), LANGUAGE_MODEL, device="cpu", dtype="float32").model
    alone = shop.unloaded(one, kind)
    for name, tensor in opened.state_dict().items():
        np.testing.assert_allclose(tensor.numpy(), alone[name], rtol=0, atol=exact, err_msg=name)
    if half:
        assert any("rounding them to it loses" in note for note in done.notes)
        return
    _, _, output = shop.merged(Recipe(one, (other,), weights=(1, 3)))
    same(shop.unloaded(read_profile(output), kind), expected)


def test_the_types_with_turned_layers_are_all_known() -> None:
    import transformers

    from auditor.models.files.placed import TRANSPOSED

    root = Path(transformers.__file__).parent / "models"
    using = {f.parent.name for f in root.glob("*/modeling_*.py") if "= Conv1D(" in f.read_text("utf-8")}
    assert using, "the search finds GPT-2 at least"
    assert using <= {name.replace("-", "_") for name in TRANSPOSED} | {"openai"}


class TestBase:
    """An adapter and the base that is given for it."""

    def test_another_base_is_refused(self, shop: Shop, tmp_path: Path) -> None:
        adapter, other = shop.adapter("bert"), shop.adapter("bert", 1)
        another = save(build("bert", 7), tmp_path / "another")
        with pytest.raises(
            IncompatibleError, match=r"is an adapter for .*base-bert, and the given base another"
        ) as caught:
            list(merge(Recipe(adapter, (other,), base=another), tmp_path / "o"))
        assert "--base" in caught.value.hint
        whole = save(build("bert", 1), tmp_path / "whole")
        with pytest.raises(IncompatibleError, match="is another"):
            list(merge(Recipe(whole, (adapter,), base=another), tmp_path / "o"))

    def test_the_same_base_at_another_place_is_none(self, shop: Shop, tmp_path: Path) -> None:
        adapter, other = shop.adapter("bert"), shop.adapter("bert", 1)
        shutil.copytree(shop.base("bert").ref.path, tmp_path / "moved")
        _, done, _ = shop.merged(Recipe(adapter, (other,), base=read_profile(tmp_path / "moved")))
        assert not any("was not checked" in note for note in done.notes)

    @pytest.mark.parametrize("stated", ["/home/nobody/base", "org/base", None])
    def test_a_name_that_proves_nothing_is_said(self, shop: Shop, tmp_path: Path, stated: str | None) -> None:
        places = [edited(shop.adapter("bert", n), tmp_path / str(n), base_model_name_or_path=stated) for n in range(2)]
        one, other = (read_profile(place) for place in places)
        _, done, _ = shop.merged(Recipe(one, (other,), base=shop.base("bert")))
        said = [note for note in done.notes if "was not checked" in note]
        assert len(said) == 2
        assert all((stated or "does not state its base") in note for note in said)

    def test_two_names_of_the_hub_are_two_bases(self, shop: Shop, tmp_path: Path) -> None:
        from dataclasses import replace

        base = shop.base("bert")
        hub = replace(base, ref=replace(base.ref, reference="hub:org/base", revision="a" * 40))
        for stated, fits in (("org/other", False), ("other", False), ("org/base", True), ("base", True)):
            place = edited(shop.adapter("bert"), tmp_path / stated.replace("/", "-"), base_model_name_or_path=stated)
            recipe = Recipe(read_profile(place), (shop.adapter("bert", 1),), base=hub)
            if fits:
                list(merge(recipe, tmp_path / f"o{stated.replace('/', '-')}"))
            else:
                with pytest.raises(IncompatibleError, match=f"adapter for {stated}"):
                    list(merge(recipe, tmp_path / "o"))

    def test_another_task_than_the_bases_is_refused(self, shop: Shop, tmp_path: Path) -> None:
        adapter = shop.adapter("bert")
        for task in ("TOKEN_CLS", "QUESTION_ANS", "CAUSAL_LM"):
            place = edited(adapter, tmp_path / task, task_type=task)
            with pytest.raises(IncompatibleError, match=f"of the task {task}"):
                list(merge(Recipe(read_profile(place), (adapter,), base=shop.base("bert")), tmp_path / "o"))

    def test_a_config_of_another_function_is_seen_through_an_adapter(self, shop: Shop, tmp_path: Path) -> None:
        """The whole model's config is held against the base's: an adapter has none."""
        adapter = shop.adapter("llama")
        whole = save(build("llama", 1, rope_parameters={"rope_type": "default", "rope_theta": 5e5}), tmp_path / "w")
        with pytest.raises(IncompatibleError, match="rope"):
            list(merge(Recipe(whole, (adapter,), base=shop.base("llama")), tmp_path / "o"))


class TestVocabulary:
    """Adapters that were trained with tokens that their base has not."""

    @pytest.fixture
    def extended(self, shop: Shop, tmp_path: Path) -> Path:
        """An adapter that holds its embeddings whole, with two rows more."""
        place = edited(shop.adapter("bert", modules_to_save=["word_embeddings"]), tmp_path / "extended")
        name = "base_model.model.bert.embeddings.word_embeddings.weight"
        tensors = {key: (array, "F32") for key, array in read_tensors(place).items()}
        tensors[name] = np.concatenate([tensors[name][0], np.ones((2, 16))]), "F32"
        write_tensors(place / "adapter_model.safetensors", tensors)
        return place

    def test_more_rows_are_refused(self, shop: Shop, extended: Path, tmp_path: Path) -> None:
        profile = read_profile(extended)
        for recipe in (
            Recipe(profile, (shop.adapter("bert"),), base=shop.base("bert")),
            Recipe(shop.adapter("bert"), (profile,), base=shop.base("bert")),
        ):
            with pytest.raises(
                IncompatibleError, match=f"{len(WORDS) + 2} rows .*in the base it has {len(WORDS)}"
            ) as caught:
                list(merge(recipe, tmp_path / "o"))
            assert "resize_token_embeddings" in caught.value.hint

    @pytest.mark.parametrize("suspect", [True, False])
    def test_more_tokens_in_rows_that_the_base_had_to_spare_are_refused(
        self, shop: Shop, tmp_path: Path, suspect: bool
    ) -> None:
        place = edited(shop.adapter("bert"), tmp_path / "more")
        tokenizer(place)
        content = json.loads((place / "tokenizer.json").read_text())
        content["model"]["vocab"]["cf"] = len(WORDS)
        (place / "tokenizer.json").write_text(json.dumps(content))
        pair = (read_profile(place), shop.adapter("bert", 1))
        one, other = pair if suspect else pair[::-1]
        with pytest.raises(
            IncompatibleError,
            match="another tokenizer than its base base-bert: the two have 14 tokens in common, and one has more",
        ):
            list(merge(Recipe(one, (other,), base=shop.base("bert")), tmp_path / "o"))


class TestHalfPrecision:
    """A base that is stored as BF16: what is small beside its weights is rounded off."""

    @pytest.mark.parametrize("scale", [0.3, 0.0001])
    def test_sums_are_rounded_once_and_the_loss_is_said(self, shop: Shop, scale: float) -> None:
        one, other = (shop.adapter("half", seed, scale=scale, r=1) for seed in (0, 1))
        found, done, _ = shop.merged(Recipe(one, (other,), weights=(1, 0), base=shop.base("half")))
        base = read_tensors(Path(shop.base("half").ref.path))
        factors = read_tensors(Path(one.ref.path))
        lost = moved = 0.0
        for name, array in found.items():
            exact = base[name].astype(np.float64)
            module = "base_model.model." + name.removesuffix(".weight")
            if f"{module}.lora_A.weight" in factors:
                up, down = (factors[f"{module}.lora_{f}.weight"].astype(np.float64) for f in "BA")
                change = 4.0 * up @ down
                lost += float(((array - exact - change) ** 2).sum())
                moved += float((change**2).sum())
                exact = exact + change
            bits = round_bf16(exact).astype(np.uint32) << 16
            np.testing.assert_array_equal(array.reshape(-1), bits.view(np.float32).reshape(-1))
        (said,) = [note for note in done.notes if "loses" in note and one.ref.reference in note]
        share = float(said.partition("loses ")[2].partition("%")[0]) / 100
        assert share == pytest.approx(np.sqrt(lost / moved), rel=0.3)
        assert (share > 0.1) == (scale < 0.01)

    def test_halved_factors_are_merged_without_loss(self, shop: Shop, tmp_path: Path) -> None:
        places = []
        for seed in (0, 1):
            place = edited(shop.adapter("bert", seed), tmp_path / str(seed))
            tensors = {key: (array, "BF16" if "lora" in key else "F32") for key, array in read_tensors(place).items()}
            write_tensors(place / "adapter_model.safetensors", tensors)
            places.append(read_profile(place))
        _, done, output = shop.merged(Recipe(places[0], (places[1],), weights=(1, 2)))
        assert any("BF16" in note and "F32" in note for note in done.notes)
        expected = mean(*(shop.unloaded(place, "bert") for place in places), 1 / 3)
        same(shop.unloaded(read_profile(output), "bert"), expected)


class TestClassifiers:
    """A classifier's adapter on a base that is none: the merged model is a classifier in its config, too."""

    @pytest.mark.parametrize("kind", ["llama", "tied", "sharded", "body", "bert"])
    def test_the_merged_model_is_the_class_that_peft_trained(self, shop: Shop, kind: str) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification

        settings = {
            "task_type": "SEQ_CLS",
            "labels": 3,
            "target_modules": ["query" if kind in ("body", "bert") else "q_proj"],
        }
        one, other = (shop.adapter(kind, seed, **settings) for seed in (0, 1))
        found, done, output = shop.merged(Recipe(one, (other,), base=shop.base(kind)))
        same(found, mean(shop.unloaded(one, kind, 3), shop.unloaded(other, kind, 3), 0.5))
        merged = read_profile(output)
        family = "Bert" if kind in ("body", "bert") else "Llama"
        assert (merged.architecture, merged.task) == (f"{family}ForSequenceClassification", Task.CLASSIFICATION)
        assert merged.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
        assert any("LABEL_0, LABEL_1, LABEL_2; an adapter does not name them" in note for note in done.notes)
        load_classifier(merged, device="cpu", dtype="auto", max_length=16)
        model, info = AutoModelForSequenceClassification.from_pretrained(output, output_loading_info=True)
        assert not any(info.values())
        if family == "Llama":
            return
        with torch.inference_mode():
            assert model(torch.tensor([[5, 7, 8, 6]])).logits.shape == (1, 3)

    def test_labels_that_the_base_names_are_kept(self, shop: Shop, tmp_path: Path) -> None:
        shutil.copytree(shop.base("body").ref.path, tmp_path / "named")
        config = json.loads((tmp_path / "named" / "config.json").read_text())
        config |= {"id2label": {"0": "calm", "1": "angry"}, "label2id": {"calm": 0, "angry": 1}}
        (tmp_path / "named" / "config.json").write_text(json.dumps(config))
        one, other = (shop.adapter("body", seed, target_modules=["query"]) for seed in (0, 1))
        _, _, output = shop.merged(Recipe(one, (other,), base=read_profile(tmp_path / "named")))
        assert read_profile(output).labels == ("calm", "angry")

    def test_a_whole_classifier_and_an_adapter_of_a_model_that_writes(self, shop: Shop, tmp_path: Path) -> None:
        import torch
        from transformers import LlamaConfig, LlamaForSequenceClassification

        torch.manual_seed(4)
        config = LlamaConfig(vocab_size=len(WORDS), num_key_value_heads=1, pad_token_id=0, num_labels=2, **SHAPES)
        whole = save(LlamaForSequenceClassification(config), tmp_path / "whole")
        adapter = shop.adapter("llama", task_type="SEQ_CLS", labels=2)
        found, _, _ = shop.merged(Recipe(whole, (adapter,), base=shop.base("llama")))
        same(found, mean(read_tensors(Path(whole.ref.path)), shop.unloaded(adapter, "llama", 2), 0.5))

    def test_weights_that_nobody_holds_are_named(self, shop: Shop, tmp_path: Path) -> None:
        """A masked language model has no pooler: peft draws a new one at every load."""
        one, other = (shop.adapter("masked", seed, target_modules=["query"]) for seed in (0, 1))
        with pytest.raises(IncompatibleError, match=r"lacks bert\.pooler\.dense") as caught:
            list(merge(Recipe(one, (other,), base=shop.base("masked")), tmp_path / "o"))
        assert "modules_to_save" in caught.value.hint

    def test_a_head_is_only_taken_from_an_adapter_that_says_what_it_is(self, shop: Shop, tmp_path: Path) -> None:
        place = edited(shop.adapter("llama", task_type="SEQ_CLS", labels=2), tmp_path / "a", task_type=None)
        other = edited(shop.adapter("llama", 1, task_type="SEQ_CLS", labels=2), tmp_path / "b", task_type=None)
        with pytest.raises(IncompatibleError, match=r"score\.weight, for which the base .* has no place"):
            list(merge(Recipe(read_profile(place), (read_profile(other),), base=shop.base("llama")), tmp_path / "o"))

    def test_a_classifiers_adapter_without_a_classifier(self, shop: Shop, tmp_path: Path) -> None:
        place = edited(shop.adapter("llama"), tmp_path / "a", task_type="SEQ_CLS")
        other = edited(shop.adapter("llama", 1), tmp_path / "b", task_type="SEQ_CLS")
        with pytest.raises(UsageError, match="holds no classifier"):
            list(merge(Recipe(read_profile(place), (read_profile(other),), base=shop.base("llama")), tmp_path / "o"))
