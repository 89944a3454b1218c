"""The classifier: equal answers whatever the batches, the order kept, and what cannot be scored said so."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ModelError, UsageError
from auditor.models.files.profile import read_profile
from auditor.models.runtime.classifier import Classifier
from auditor.models.runtime.load import load_classifier
from probes.answer import UNSCORABLE
from probes.input import Pair, Text
from tests.auditor.models.conftest import WORDS


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng = random.Random(1)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 40))) for _ in range(60)]


@pytest.fixture
def classifier(made: Path) -> Iterator[Classifier]:
    loaded = load_classifier(read_profile(made), device="cpu")
    yield loaded
    loaded.close()


def watch(classifier: Classifier, fail: int = 0, message: str = "") -> list[tuple[int, int]]:
    """Shapes of all forwards to come; the first `fail` of them run out of memory."""
    import torch

    shapes: list[tuple[int, int]] = []
    real = classifier._forward._model

    class Watched(torch.nn.Module):
        def forward(self, **batch: Any) -> Any:
            shapes.append(tuple(batch["input_ids"].shape))  # type: ignore[arg-type]
            if len(shapes) <= fail:
                raise RuntimeError(message) if message else torch.OutOfMemoryError("CUDA out of memory")
            assert real is not None
            return real(**batch)

    classifier._forward._model = Watched()  # type: ignore[assignment]
    return shapes


def test_answers_are_those_of_transformers_one_by_one(made: Path, classifier: Classifier, texts: list[str]) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(made, trust_remote_code=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(made, trust_remote_code=False)
    outcomes = classifier.choose([Text(t) for t in texts])
    for text, outcome in zip(texts, outcomes, strict=True):
        with torch.inference_mode():
            logits = model(**tokenizer(text, truncation=True, max_length=48, return_tensors="pt")).logits[0]
        assert outcome.label == int(logits.argmax())
        assert outcome.probabilities == pytest.approx(logits.softmax(-1).tolist(), abs=2e-5)
    assert len({o.label for o in outcomes}) > 1
    assert all(p == round(p, 6) for o in outcomes for p in o.probabilities)


def test_pairs(made: Path, classifier: Classifier, texts: list[str]) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(made, trust_remote_code=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(made, trust_remote_code=False)
    asks = [Pair(a, b) for a, b in zip(texts, reversed(texts), strict=True)]
    mixed = classifier.choose([asks[0], Text(texts[0]), *asks[1:]])
    first, single, *others = mixed
    assert first != single
    for ask, outcome in zip(asks, [first, *others], strict=True):
        with torch.inference_mode():
            encoded = tokenizer(ask.text, ask.second, truncation=True, max_length=48, return_tensors="pt")
            wanted = model(**encoded).logits[0].softmax(-1).tolist()
        assert outcome.probabilities == pytest.approx(wanted, abs=2e-5)


def test_duplicates_run_once_and_stand_everywhere(classifier: Classifier, texts: list[str]) -> None:
    shapes = watch(classifier)
    asks = [Text(t) for t in texts[:10]]
    repeated = asks * 5 + asks[::-1]
    outcomes = classifier.choose(repeated)
    assert sum(rows for rows, _ in shapes) == len(set(asks))
    by_ask = dict(zip(repeated, outcomes, strict=True))
    assert list(outcomes) == [by_ask[ask] for ask in repeated]


def test_batches_stay_under_the_budget_and_change_nothing(made: Path, texts: list[str]) -> None:
    profile, asks = read_profile(made), [Text(t) for t in texts[:20]]
    answers = []
    for budget in (1, 64, 300, 100_000):
        classifier = load_classifier(profile, device="cpu", max_tokens=budget)
        shapes = watch(classifier)
        answers.append(classifier.choose(asks))
        assert all(rows * width <= budget or rows == 1 for rows, width in shapes)
    assert [a.labels.tolist() for a in answers] == [answers[0].labels.tolist()] * 4
    assert len(shapes) == 1


@pytest.mark.parametrize("message", ["", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"])
def test_out_of_memory_halves_the_budget(classifier: Classifier, texts: list[str], message: str) -> None:
    asks = [Text(t) for t in texts]
    before = classifier.choose(asks)
    budget = classifier.max_tokens
    shapes = watch(classifier, fail=2, message=message)
    after = classifier.choose(asks)
    assert after.labels.tolist() == before.labels.tolist()
    assert classifier.max_tokens <= budget // 4 + 1
    assert shapes[0][0] > shapes[1][0] > shapes[2][0]


def test_memory_for_not_even_one_input_is_an_error(classifier: Classifier) -> None:
    watch(classifier, fail=99)
    with pytest.raises(ModelError, match="memory on cpu does not suffice"):
        classifier.choose([Text("good film"), Text("bad film")])


def test_another_failure_of_the_model_is_not_taken_for_memory(classifier: Classifier) -> None:
    watch(classifier, fail=99, message="mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(ModelError, match="mat1 and mat2"):
        classifier.choose([Text("good film")])


def test_nan_weights_are_unscorable(model: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(model / "model.safetensors")
    tensors["classifier.bias"][1] = float("nan")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    classifier = load_classifier(read_profile(model), device="cpu")
    found = classifier.choose([Text("good film"), Text("bad film")])
    assert [found.at(place) for place in range(2)] == [UNSCORABLE] * 2


def test_odd_texts(classifier: Classifier) -> None:
    outcomes = classifier.choose(
        [Text(""), Text("\ud800"), Pair("good", "\udfff"), Text("film " * 500), Text("\0\u202e")]
    )
    assert outcomes.scored.tolist() == [True, False, False, True, True]
    assert len(classifier.choose([])) == 0


def test_a_long_text_is_cut(made: Path) -> None:
    classifier = load_classifier(read_profile(made), device="cpu", max_length=8)
    shapes = watch(classifier)
    first, second = classifier.choose([Text("good film " * 30), Text("good film " * 30 + "awful")])
    assert (classifier.max_length, max(width for _, width in shapes)) == (8, 8)
    assert first == second


def test_nothing_is_written_to_the_terminal(made: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    classifier = load_classifier(read_profile(made), device="cpu")
    classifier.choose([Pair("good film", "bad " * 99)])
    classifier.close()
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (level, bars)
    with pytest.raises(ModelError, match="closed"):
        classifier.choose([Text("x")])


def test_a_model_without_padding_token_runs_one_by_one(made: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2ForSequenceClassification

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=26, n_positions=48, n_embd=32, n_layer=1, n_head=2, num_labels=3)
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(made, trust_remote_code=False).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    plain = {k: v for k, v in json.loads(path.read_text()).items() if not k.endswith("_token")}
    path.write_text(json.dumps({**plain, "tokenizer_class": "PreTrainedTokenizerFast"}))
    classifier = load_classifier(read_profile(tmp_path), device="cpu")
    shapes = watch(classifier)
    assert classifier.choose([Text("good film"), Text("a bad film it was")]).scored.all()
    assert [rows for rows, _ in shapes] == [1, 1]


@pytest.mark.gpu
def test_gpu_answers_as_the_cpu(made: Path, texts: list[str]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    profile, asks = read_profile(made), [Text(t) for t in texts]
    cpu = load_classifier(profile, device="cpu").choose(asks)
    gpu = load_classifier(profile, device="cuda", dtype="float32")
    assert (gpu.device, gpu.dtype) == ("cuda:0", "float32")
    assert load_classifier(profile).dtype == "bfloat16"
    for ours, theirs in zip(gpu.choose(asks), cpu, strict=True):
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-3)


def test_devices_and_dtypes(made: Path) -> None:
    import torch

    profile = read_profile(made)
    assert load_classifier(profile, device="cpu").dtype == "float32"
    assert load_classifier(profile, device="cpu", dtype="bf16").dtype == "bfloat16"
    for device, dtype in (("tpu", None), ("cuda:99", None), ("cpu", "int3")):
        with pytest.raises(UsageError) as caught:
            load_classifier(profile, device=device, dtype=dtype)
        assert caught.value.hint
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no CUDA device"):
            load_classifier(profile, device="cuda")
