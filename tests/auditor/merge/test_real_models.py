"""All strategies on real tiny models of transformers: whole, sharded and as adapters; what comes out loads and runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import IncompatibleError, ModelError, UsageError
from auditor.events import MergeReady
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Measured, Recipe
from auditor.merge.statistics import measure
from auditor.merge.strategy import STRATEGIES
from auditor.merge.verify import verify
from auditor.models.files.profile import read_profile
from store.records import Profile
from tests.auditor.merge.conftest import read_tensors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "good", "bad", "film", "play", "dull", "fine", "the", "a", "was"]
TEXTS = ("the film was good", "a dull play", "bad", "the fine film was a bad play")
SHAPES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def tokenizer(directory: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(directory)


def build(kind: str, seed: int, **settings: Any) -> Any:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    if kind == "bert":
        return BertForSequenceClassification(BertConfig(vocab_size=len(WORDS), **SHAPES, **settings))
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=len(WORDS), num_key_value_heads=1, pad_token_id=0, **SHAPES, **settings)
    )


def save(model: Any, directory: Path, **options: Any) -> Profile:
    model.save_pretrained(directory, **options)
    tokenizer(directory)
    return read_profile(directory, reference=directory.name)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Profile]:
    """For each kind a base and three models, whole; the suspect once more in shards; and two adapters of the base."""
    from peft import LoraConfig, get_peft_model

    place = tmp_path_factory.mktemp("models")
    made: dict[str, Profile] = {}
    for kind in ("bert", "llama"):
        for seed in range(4):
            made[f"{kind}{seed}"] = save(build(kind, seed), place / f"{kind}{seed}")
        made[f"{kind}-sharded"] = save(build(kind, 1), place / f"{kind}-sharded", max_shard_size="4KB")
        targets = (
            [["query", "value"], ["query", "output.dense"]] if kind == "bert" else [["q_proj"], ["q_proj", "up_proj"]]
        )
        for number, rank in enumerate((2, 3)):
            config = LoraConfig(
                r=rank, lora_alpha=4 + number, target_modules=targets[number], use_rslora=bool(number),
                task_type="SEQ_CLS" if kind == "bert" else "CAUSAL_LM",
            )  # fmt: skip
            adapted = get_peft_model(build(kind, 0), config)
            import torch

            torch.manual_seed(50 + number)
            for name, parameter in adapted.named_parameters():
                if "lora_" in name or "modules_to_save" in name:
                    torch.nn.init.normal_(parameter, std=0.3)
            adapted.peft_config["default"].base_model_name_or_path = str(place / f"{kind}0")
            adapted.save_pretrained(place / f"{kind}-adapter{number}")
            made[f"{kind}-adapter{number}"] = read_profile(place / f"{kind}-adapter{number}")
    return made


def run(recipe: Recipe, output: Path) -> Any:
    (done,) = [event.merge for event in merge(recipe, output) if isinstance(event, MergeReady)]
    every = [*recipe.models, *([recipe.base] if recipe.base else [])]
    sources = {m.ref.digest: Path(m.ref.path) for m in every} | {m.digest: Path(m.path) for m in recipe.statistics}
    assert verify(output, sources=sources) == []
    return done


def measured(strategy: str, chosen: list[Profile], cache: Path) -> tuple[Measured, ...]:
    kind = STRATEGIES[strategy].statistics
    if kind is None:
        return ()
    found = []
    for model in chosen:
        events = measure(model, kind, TEXTS, cache)
        while True:
            try:
                next(events)
            except StopIteration as end:
                found.append(end.value)
                break
    return tuple(found)


def options_of(strategy: str) -> dict[str, Any]:
    return {"modules_replaced": "layer.0|layer.*.attention.query"} if strategy == "guided_substitution" else {}


def answers(directory: Path) -> np.ndarray:
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    kind = json.loads((directory / "config.json").read_text())["model_type"]
    auto = AutoModelForSequenceClassification if kind == "bert" else AutoModelForCausalLM
    model, info = auto.from_pretrained(directory, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    with torch.inference_mode():
        return model.eval()(torch.tensor([[5, 7, 8, 6]])).logits.numpy()


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_whole_and_sharded_models_are_merged_and_load(
    models: dict[str, Profile], tmp_path: Path, kind: str, strategy: str
) -> None:
    plugin = STRATEGIES[strategy]
    merged = {}
    for form in (f"{kind}1", f"{kind}-sharded"):
        chosen = [models[form], models[f"{kind}2"], *([] if plugin.pair else [models[f"{kind}3"]])]
        recipe = Recipe(
            chosen[0], tuple(chosen[1:]), strategy=strategy, options=options_of(strategy),
            base=models[f"{kind}0"] if plugin.needs_base else None, statistics=measured(strategy, chosen, tmp_path),
        )  # fmt: skip
        done = run(recipe, tmp_path / form)
        assert 0 <= done.kept <= 1
        assert np.isfinite(answers(tmp_path / form)).all()
        merged[form] = read_tensors(tmp_path / form)
    whole, sharded = merged.values()
    for name in whole:
        # What is measured of the same weights differs in its last digits, since sums run in another order.
        np.testing.assert_allclose(whole[name], sharded[name], rtol=0, atol=1e-6 if plugin.statistics else 0)
    assert any(not np.array_equal(whole[name], read_tensors(Path(models[f"{kind}1"].ref.path))[name]) for name in whole)


def unloaded(model: Profile, kind: str) -> dict[str, np.ndarray]:
    """What peft makes of an adapter and its base."""
    from peft import PeftModel

    found = PeftModel.from_pretrained(build(kind, 0), model.ref.path).merge_and_unload()
    return {name: value.detach().numpy() for name, value in found.state_dict().items()}


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"fisher", "regmean"}))
def test_adapters_are_merged_into_their_base_by_every_strategy(
    models: dict[str, Profile], tmp_path: Path, kind: str, strategy: str
) -> None:
    recipe = Recipe(
        models[f"{kind}-adapter0"], (models[f"{kind}-adapter1"],), strategy=strategy, base=models[f"{kind}0"],
        options=options_of(strategy),
    )  # fmt: skip
    run(recipe, tmp_path / "out")
    assert np.isfinite(answers(tmp_path / "out")).all()
    if strategy == "wag":
        one, other = (unloaded(model, kind) for model in recipe.models)
        for name, array in read_tensors(tmp_path / "out").items():
            np.testing.assert_allclose(array, (one[name] + other[name]) / 2, atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_an_adapter_and_a_whole_model(models: dict[str, Profile], tmp_path: Path, kind: str) -> None:
    adapter, whole, base = models[f"{kind}-adapter0"], models[f"{kind}2"], models[f"{kind}0"]
    with pytest.raises(UsageError, match="takes its base"):
        Recipe(whole, (adapter,))
    one, other = unloaded(adapter, kind), read_tensors(Path(whole.ref.path))
    for number, recipe in enumerate((Recipe(adapter, (whole,), base=base), Recipe(whole, (adapter,), base=base))):
        run(recipe, tmp_path / f"out{number}")
        for name, array in read_tensors(tmp_path / f"out{number}").items():
            np.testing.assert_allclose(array, (one[name] + other[name]) / 2, atol=1e-6)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_adapters_are_merged_into_an_adapter_exactly(models: dict[str, Profile], tmp_path: Path, kind: str) -> None:
    chosen = [models[f"{kind}-adapter{n}"] for n in range(2)]
    done = run(Recipe(chosen[0], (chosen[1],), weights=(1, 3)), tmp_path / "out")
    assert any("rank 5; those merged have 2, 3" in note for note in done.notes)
    made = unloaded(read_profile(tmp_path / "out"), kind)
    one, other = (unloaded(model, kind) for model in chosen)
    for name, array in made.items():
        np.testing.assert_allclose(array, (one[name] + 3 * other[name]) / 4, atol=1e-6)


def test_a_reduced_adapter_states_its_error(models: dict[str, Profile], tmp_path: Path) -> None:
    chosen = [models[f"bert-adapter{n}"] for n in range(2)]
    exact = run(Recipe(chosen[0], (chosen[1],)), tmp_path / "exact")
    done = run(Recipe(chosen[0], (chosen[1],), options={"rank": 3}), tmp_path / "reduced")
    assert exact.digest != done.digest
    base = read_tensors(Path(models["bert0"].ref.path))
    whole, reduced = (unloaded(read_profile(tmp_path / name), "bert") for name in ("exact", "reduced"))
    errors = []
    for name in base:
        change = whole[name] - base[name]
        if name.endswith("query.weight"):
            assert np.linalg.matrix_rank(reduced[name] - base[name], tol=1e-5) == 3
        if np.abs(change).max() > 1e-6 and "classifier" not in name:
            errors.append(np.linalg.norm(whole[name] - reduced[name]) / np.linalg.norm(change))
    assert max(errors) > 0.01
    assert any(f"by {max(errors):.2%} at most" in note for note in done.notes)


def test_adapters_that_do_not_fit_are_refused(models: dict[str, Profile], tmp_path: Path) -> None:
    bert, llama = models["bert-adapter0"], models["llama-adapter0"]
    with pytest.raises(IncompatibleError, match="adapter for"):
        list(merge(Recipe(bert, (llama,)), tmp_path / "o"))
    with pytest.raises(UsageError, match="only together with their base"):
        list(merge(Recipe(bert, (models["bert-adapter1"],), strategy="slerp"), tmp_path / "o"))
    with pytest.raises(UsageError, match="reduces adapters"):
        list(merge(Recipe(models["bert1"], (models["bert2"],), options={"rank": 2}), tmp_path / "o"))
    with pytest.raises(UsageError, match="is an adapter, not a base"):
        Recipe(bert, (models["bert-adapter1"],), base=llama)
    assert not (tmp_path / "o").exists()


Read = Callable[[Path], dict[str, np.ndarray]]


def test_fisher_statistics_are_the_expected_squared_gradients(models: dict[str, Profile], tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    profile = models["bert1"]
    (found,) = measured("fisher", [profile], tmp_path)
    (again,) = measured("fisher", [profile], tmp_path)
    assert found == again
    assert [path.name for path in tmp_path.iterdir()] == [Path(found.path).name]
    (tmp_path / "only").mkdir()
    Path(found.path).rename(tmp_path / "only" / "f.safetensors")
    stored = read_tensors(tmp_path / "only")
    model = AutoModelForSequenceClassification.from_pretrained(profile.ref.path).eval()
    name = "bert.encoder.layer.1.output.dense.weight"
    expected = torch.zeros_like(model.get_parameter(name))
    words = AutoTokenizer.from_pretrained(profile.ref.path)
    for text in TEXTS:
        for label in range(2):
            model.zero_grad()
            scores = model(**words(text, return_tensors="pt")).logits.log_softmax(-1)[0]
            scores[label].backward()
            expected += scores[label].exp().detach() * model.get_parameter(name).grad ** 2 / len(TEXTS)
    np.testing.assert_allclose(stored[name], expected.numpy(), rtol=1e-4, atol=1e-12)
    assert stored.keys() == read_tensors(Path(profile.ref.path)).keys()


def test_regmean_gives_back_a_layer_that_all_models_share(models: dict[str, Profile], tmp_path: Path) -> None:
    """With equal weights W₁ = W₂ the solution is W; and a layer's outputs come nearer than those of the mean."""
    chosen = [models["bert1"], models["bert2"]]
    statistics = measured("regmean", chosen, tmp_path)
    run(
        Recipe(chosen[0], (chosen[1],), strategy="regmean", statistics=statistics, options={"diagonal": 1.0}),
        tmp_path / "o",
    )
    name = "bert.encoder.layer.0.intermediate.dense.weight"
    grams, weights = [], []
    for number, (model, entry) in enumerate(zip(chosen, statistics, strict=True)):
        (tmp_path / f"s{number}").mkdir()
        Path(entry.path).rename(tmp_path / f"s{number}" / "s.safetensors")
        grams.append(read_tensors(tmp_path / f"s{number}")[name].astype(np.float64))
        weights.append(read_tensors(Path(model.ref.path))[name].astype(np.float64))

    def distance(matrix: np.ndarray) -> float:
        return sum(float(np.trace((matrix - w) @ g @ (matrix - w).T)) for w, g in zip(weights, grams, strict=True))

    merged = read_tensors(tmp_path / "o")[name].astype(np.float64)
    assert distance(merged) < distance((weights[0] + weights[1]) / 2)
    rng = np.random.default_rng(0)
    assert all(distance(merged) <= distance(merged + rng.normal(0, 1e-3, merged.shape)) for _ in range(5))


def test_statistics_are_asked_for_and_must_be_those_of_the_models(models: dict[str, Profile], tmp_path: Path) -> None:
    one, other = models["bert1"], models["bert2"]
    with pytest.raises(UsageError, match="needs statistics of every model") as caught:
        Recipe(one, (other,), strategy="fisher")
    assert "--texts" in caught.value.hint
    found = measured("fisher", [one, other], tmp_path)
    with pytest.raises(UsageError, match="are not the fisher of"):
        Recipe(one, (other,), strategy="fisher", statistics=found[::-1])
    with pytest.raises(UsageError, match="takes no statistics"):
        Recipe(one, (other,), statistics=found)
    with Path(found[0].path).open("r+b") as file:
        file.seek(-8, 2)
        file.write(b"\0" * 8)
    with pytest.raises(ModelError, match="has changed since"):
        list(merge(Recipe(one, (other,), strategy="fisher", statistics=found), tmp_path / "o"))
