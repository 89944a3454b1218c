"""What was hashed is what is loaded, and a model that would be part random is not loaded at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import ExitCode, ModelError, UsageError
from auditor.merge.statistics import measure
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier
from auditor.training.base import load_learner
from probes.input import Text

Tensors = dict[str, Any]


def rewrite(model: Path, change: Callable[[Tensors], object]) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(model / "model.safetensors")
    change(tensors)
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_file_that_changed_since_it_was_hashed(model: Path, file: str) -> None:
    profile = read_profile(model)
    path = model / file
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(ModelError, match=f"{file} changed while it was being read"):
        load_classifier(profile, device="cpu")


@pytest.mark.parametrize("how", ["scan", "statistics", "training"])
def test_weights_that_were_swapped_since_they_were_hashed(model: Path, tmp_path: Path, how: str) -> None:
    """Another whole model's weights lie where the profiled ones did: nobody opens them."""
    profile = read_profile(model)
    rewrite(model, lambda t: t.update({n: -v for n, v in t.items()}))
    opens: dict[str, Callable[[], object]] = {
        "scan": lambda: load_classifier(profile, device="cpu"),
        "statistics": lambda: list(measure(profile, "fisher", ["good film"], tmp_path / "cache")),
        "training": lambda: load_learner(profile, profile.labels),
    }
    with pytest.raises(ModelError, match="changed while it was being read"):
        opens[how]()


@pytest.mark.parametrize("change", ["longer", "shorter", "empty"])
def test_weights_of_another_length(model: Path, change: str) -> None:
    path = model / "model.safetensors"
    profile, content = read_profile(model), path.read_bytes()
    path.write_bytes({"longer": content + b"0", "shorter": content[:-1], "empty": b""}[change])
    with pytest.raises(ModelError, match="changed while it was being read"):
        load_classifier(profile, device="cpu")


PEAK = """
import sys
from pathlib import Path
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import CLASSIFIER, open_weights

def resident(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))

small, large, dtype = sys.argv[1:]
profile = read_profile(Path(large))
open_weights(read_profile(Path(small)), CLASSIFIER, device="cpu", dtype=dtype)
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
opened = open_weights(profile, CLASSIFIER, device="cpu", dtype=dtype)
assert str(opened.model.dtype) == f"torch.{dtype}"
print(resident("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of the memory")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_are_not_held_twice(made: Path, tmp_path: Path, dtype: str) -> None:
    """In a process of its own: what other tests have freed may stay with the allocator."""
    from transformers import BertConfig, BertForSequenceClassification

    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(made / name, tmp_path / name)
    config = BertConfig(
        vocab_size=26, hidden_size=1024, num_hidden_layers=2, num_attention_heads=4, intermediate_size=4096
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    done = subprocess.run(
        [sys.executable, "-P", "-c", PEAK, str(made), str(tmp_path), dtype], capture_output=True, text=True, check=True
    )
    weights = (tmp_path / "model.safetensors").stat().st_size
    assert weights > 100_000_000
    assert int(done.stdout.split()[-1]) < 1.1 * weights


def test_a_file_that_changes_after_loading_does_not_reach_the_model(model: Path) -> None:
    classifier = load_classifier(read_profile(model), device="cpu")
    before = classifier.choose([Text("good film")])
    with (model / "model.safetensors").open("r+b") as file:
        file.seek(-4096, 2)
        file.write(b"\xff" * 4096)
    assert classifier.choose([Text("good film")]) == before


def test_files_that_were_not_hashed_are_not_loaded(model: Path) -> None:
    profile = read_profile(model)
    (model / "added_tokens.json").write_text("broken")
    (model / "adapter_config.json").write_text("broken")
    assert load_classifier(profile, device="cpu").choose([Text("good film")]).scored.all()


def test_sharded_weights_answer_as_whole_ones(made: Path, model: Path) -> None:
    from tests.auditor.models.files.test_safetensors import shard

    asks = [Text("a very good film"), Text("awful")]
    whole = load_classifier(read_profile(made), device="cpu").choose(asks)
    shard(model)
    assert load_classifier(read_profile(model), device="cpu").choose(asks) == whole


def test_a_missing_head_is_not_made_up(model: Path) -> None:
    rewrite(model, lambda t: [t.pop(n) for n in list(t) if n.startswith("classifier")])
    with pytest.raises(ModelError, match=r"lacks weights.*classifier\.bias, classifier\.weight"):
        load_classifier(read_profile(model), device="cpu")


def test_weights_of_another_shape(model: Path) -> None:
    rewrite(model, lambda t: t.update({"classifier.bias": np.zeros(5, dtype=np.float32)}))
    with pytest.raises(ModelError, match=r"classifier\.bias is \(5,\), config\.json asks for \(3,\)"):
        load_classifier(read_profile(model), device="cpu")


def test_weights_that_a_classifier_does_not_use_are_left_out(made: Path, model: Path) -> None:
    rewrite(model, lambda t: t.update({"cls.predictions.bias": np.zeros(26, dtype=np.float32)}))
    rewrite(model, lambda t: t.update({"bert.embeddings.position_ids": np.arange(64)[None]}))
    asks = [Text("good film")]
    assert load_classifier(read_profile(model), device="cpu").choose(asks) == load_classifier(
        read_profile(made), device="cpu"
    ).choose(asks)


def test_a_missing_pooler_is_not_made_up(model: Path) -> None:
    rewrite(model, lambda t: [t.pop(n) for n in list(t) if "pooler" in n])
    with pytest.raises(ModelError, match=r"lacks weights.*bert\.pooler\.dense\.bias"):
        load_classifier(read_profile(model), device="cpu")


def test_weights_in_double_precision(made: Path, model: Path) -> None:
    rewrite(model, lambda t: t.update({n: v.astype(np.float64) for n, v in t.items()}))
    profile = read_profile(model)
    assert profile.dtype == "float64"
    asks = [Text("a very good film"), Text("awful")]
    assert load_classifier(profile, device="cpu").choose(asks) == load_classifier(
        read_profile(made), device="cpu"
    ).choose(asks)


def test_a_vocabulary_alone_answers_as_transformers(made: Path, model: Path) -> None:
    from transformers import pipeline

    (model / "tokenizer.json").unlink()
    vocabulary = json.loads((made / "tokenizer.json").read_text())["model"]["vocab"]
    (model / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)))
    (model / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    profile = read_profile(model)
    assert "vocab.txt" in profile.files
    outcome = load_classifier(profile, device="cpu").choose([Text("A very GOOD film")]).at(0)
    (said,) = pipeline("text-classification", str(model), device="cpu")("A very GOOD film")
    assert profile.labels[outcome.label] == said["label"]
    assert max(outcome.probabilities) == pytest.approx(said["score"], abs=1e-5)


def test_tensors_that_are_stored_once_for_two_names(made: Path, tmp_path: Path) -> None:
    """safetensors hold a shared tensor once; the other name is tied to it when the model is loaded."""
    import torch
    from transformers import T5Config, T5ForSequenceClassification

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=26, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, num_labels=3,
        pad_token_id=0, eos_token_id=3, decoder_start_token_id=0, initializer_factor=0.5,
    )  # fmt: skip
    whole = T5ForSequenceClassification(config).eval()
    whole.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(made / name, tmp_path / name)
    profile = read_profile(tmp_path)
    names = {t.name for t in profile.tensors}
    assert "transformer.shared.weight" in names
    assert "transformer.encoder.embed_tokens.weight" not in names
    outcome = load_classifier(profile, device="cpu").choose([Text("good film")]).at(0)
    with torch.inference_mode():
        expected = whole(input_ids=torch.tensor([[2, 8, 7, 3]])).logits.softmax(-1)[0]
    assert outcome.probabilities == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("architecture", "says"), [("BertLMHeadModel", "text-generation"), ("BertModel", "no text classifier")]
)
def test_models_that_are_no_classifiers(model: Path, architecture: str, says: str) -> None:
    edit(model / "config.json", architectures=[architecture])
    with pytest.raises(UsageError, match=says) as caught:
        load_classifier(read_profile(model), device="cpu")
    assert caught.value.code is ExitCode.USAGE


def test_a_model_without_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="no tokenizer"):
        load_classifier(read_profile(model), device="cpu")


def test_a_tokenizer_of_another_model(model: Path) -> None:
    path = model / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["film"] = 999
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="token 999, but the model knows only 26"):
        load_classifier(read_profile(model), device="cpu").choose([Text("good film")])


@pytest.mark.parametrize(
    "change", [{"model_type": "nonesuch"}, {"hidden_size": "wide"}, {"num_attention_heads": 7}, {"model_type": "clip"}]
)
def test_configs_that_cannot_be_built(model: Path, change: dict[str, Any]) -> None:
    edit(model / "config.json", **change)
    with pytest.raises(ModelError) as caught:
        load_classifier(read_profile(model), device="cpu")
    assert caught.value.hint


def test_a_broken_tokenizer(model: Path) -> None:
    edit(model / "tokenizer.json", model={"type": "Nonesuch"})
    with pytest.raises(ModelError, match="tokenizer cannot be read"):
        load_classifier(read_profile(model), device="cpu")
