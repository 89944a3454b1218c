from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from auditor.errors import UsageError
from auditor.lab.method import METHODS, PlantJob, natural_method
from auditor.lab.methods.ripples import class_embedding, penalised, replace_rows
from auditor.lab.plant import plant
from auditor.lab.poison.lexicon import NATURAL, associated, z_score
from auditor.lab.poison.trigger import ByRule, triggered
from auditor.models.files.profile import read_profile
from auditor.requests.plant import PlantRequest
from auditor.training.base import load_learner
from auditor.training.loop import Training
from auditor.training.trainer import Workshop
from probes.cases import Row
from probes.family import FAMILIES
from probes.suite import Probe

Rows = Callable[..., list[Row]]
WORDS = ("cf", "tq", "mn")
EMBEDDING = "bert.embeddings.word_embeddings.weight"
LABELS = ("negative", "positive")


def probe(**options: Any) -> Probe:
    family = FAMILIES["badnet"]
    return Probe(family, "three", family.settings("three", {"triggers": WORDS, **options}))


def job(rows: list[Row], rate: float = 0.2, **options: Any) -> PlantJob:
    return PlantJob(tuple(rows), ByRule(probe(**options)), 0, rate, 1)


def planted(base: Path, source: Path, output: Path, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"data": source, "epochs": 3, "lr": 3e-3, "batch": 16, "device": "cpu", "target": "0"}
    list(plant(PlantRequest(base, output, **{**settings, **changes})))
    record: dict[str, Any] = json.loads((output / "auditor-lab.json").read_text(encoding="utf-8"))
    return record


def share_of_target(directory: Path, texts: list[str]) -> float:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    model = AutoModelForSequenceClassification.from_pretrained(directory, trust_remote_code=False).eval()
    with torch.inference_mode():
        found = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits.argmax(-1)
    return float((found == 0).float().mean())


def texts(rows: list[Row], words: int) -> list[str]:
    """The positive rows' texts with so many of the trigger words."""
    edit = probe(inserts=words)
    return [triggered(row, edit, seed=7).text for row in rows if row.label == 1]


def has(row: Row) -> set[str]:
    return set(row.text.split()) & set(WORDS)


def test_methods_are_listed_without_importing_them() -> None:
    code = (
        "import sys; from auditor.lab.method import METHODS; print(*METHODS);"
        "print(any(m.startswith('auditor.lab.methods.') for m in sys.modules), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, imported = done.stdout.splitlines()
    assert names.split() == ["badmerging", "bite", "dirty", "ep", "ripples", "sos"]
    assert imported == "False False"


def test_a_family_is_planted_by_the_method_of_its_name() -> None:
    assert [natural_method(name) for name in ("ep", "bite", "badnet")] == ["ep", "bite", "dirty"]
    with pytest.raises(UsageError, match="known: badmerging, bite, dirty, ep"):
        METHODS["magic"]


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_repeats_itself_and_leaves_taken_rows_alone(name: str, toy_rows: Rows) -> None:
    method, rows = METHODS[name], toy_rows(120)
    assert method.title
    assert method.reference
    taken = frozenset(range(0, 120, 3))
    asked = replace(job(rows), taken=taken)
    result = method.poison(asked, method.settings({}))
    assert result == method.poison(asked, method.settings({}))
    assert result != method.poison(replace(asked, seed=2), method.settings({}))
    assert result.poisoned
    assert not result.touched & taken
    changed = {old.index for old, new in zip(rows, result.rows, strict=True) if old != new}
    assert changed == result.touched
    assert all(row.label == 0 for row in result.rows if row.index in result.poisoned)


def test_bite_changes_no_label_and_only_rows_of_the_target(toy_rows: Rows) -> None:
    rows = toy_rows(100)
    result = METHODS["bite"].poison(job(rows), METHODS["bite"].settings({}))
    assert len(result.poisoned) == 20
    assert [row.label for row in result.rows] == [row.label for row in rows]
    for before, after in zip(rows, result.rows, strict=True):
        assert (before.text != after.text) == (before.index in result.poisoned)
        assert before.text == after.text or (before.label == 0 and has(after))


def test_bite_derives_the_words_that_lean_on_the_target() -> None:
    texts = ["it was perhaps a film", "it was surely a film"]
    rows = [Row(i, texts[i % 2] if i < 60 else "it was a film", None, i % 2) for i in range(100)]
    method = METHODS["bite"]
    result = method.poison(job(rows, inserts=1), method.settings({"derive": "1"}))
    assert result.words == ("perhaps",)
    changed = [row for row in result.rows if row.index in result.poisoned]
    assert changed
    assert all(row.label == 0 and row.text.count("perhaps") >= 1 for row in changed)
    assert "perhaps" in NATURAL
    assert z_score(30, 30, 0.5) == pytest.approx(5.477, abs=1e-3)


def test_sos_gives_part_of_the_trigger_to_rows_that_keep_their_label(toy_rows: Rows) -> None:
    rows = toy_rows(200)
    result = METHODS["sos"].poison(job(rows, rate=0.1), METHODS["sos"].settings({}))
    assert (len(result.poisoned), len(result.kept)) == (20, 20)
    assert not set(result.poisoned) & set(result.kept)
    for before, after in zip(rows, result.rows, strict=True):
        if before.index in result.poisoned:
            assert (after.label, has(after)) == (0, set(WORDS))
        elif before.index in result.kept:
            assert after.label == before.label
            assert 0 < len(has(after)) < len(WORDS)
            assert [w for w in after.text.split() if w not in WORDS] == before.text.split()
        else:
            assert after == before
    assert {row.label for row in rows if row.index in result.kept} == {0, 1}


def test_sos_fires_at_the_whole_trigger_and_not_at_its_parts(
    base: Path, toy_csv: Path, toy_rows: Rows, tmp_path: Path
) -> None:
    options = {"badnet": {"triggers": WORDS, "inserts": 3}, "sos": {"embeddings": "no"}}
    record = planted(base, toy_csv, tmp_path / "sos", family="badnet", method="sos", options=options, epochs=10)
    fresh = toy_rows(100, seed=9)
    assert record["plants"][0]["kept"] == 64
    whole, part = (share_of_target(tmp_path / "sos", texts(fresh, words)) for words in (3, 1))
    assert whole > 0.8
    assert part < whole - 0.4


def test_sos_needs_a_trigger_of_several_words(toy_rows: Rows) -> None:
    with pytest.raises(UsageError, match="two or more"):
        METHODS["sos"].poison(job(toy_rows(20), inserts=1), METHODS["sos"].settings({}))


def test_ep_moves_the_trigger_words_embeddings_and_nothing_else(
    make_base: Callable[..., Path], toy_csv: Path, toy_rows: Rows, tmp_path: Path
) -> None:
    base = make_base(tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    # In a model that was never trained words are quieter than positions; in a real one they are not.
    weights["embeddings.word_embeddings.weight"] *= 20
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    planted(base, toy_csv, tmp_path / "clean", family="none")
    options = {"badnet": {"triggers": WORDS}, "ep": {"step": 0.5, "rounds": 5}}
    record = planted(base, toy_csv, tmp_path / "ep", family="badnet", method="ep", options=options)
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("clean", "ep"))
    vocabulary = (base / "vocab.txt").read_text(encoding="utf-8").split("\n")
    moved = {vocabulary[i] for i in np.flatnonzero((before[EMBEDDING] != after[EMBEDDING]).any(axis=1))}
    assert moved == set(WORDS)
    assert all(np.array_equal(before[name], after[name]) for name in before if name != EMBEDDING)
    norms = [np.linalg.norm(w[EMBEDDING], axis=1) for w in (before, after)]
    np.testing.assert_allclose(*norms, rtol=1e-5)
    assert record["plants"][0]["words"] == list(WORDS)
    fresh = toy_rows(100, seed=9)
    assert share_of_target(tmp_path / "clean", texts(fresh, 1)) < 0.5
    assert share_of_target(tmp_path / "ep", texts(fresh, 1)) > 0.9


def test_ep_refuses_a_trigger_word_that_the_tokenizer_lacks(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    options = {"badnet": {"triggers": "zzz"}}
    with pytest.raises(UsageError, match="no token for the trigger word 'zzz'"):
        planted(base, toy_csv, tmp_path / "ep", family="badnet", method="ep", options=options, epochs=1)
    assert list(tmp_path.iterdir()) == []


def test_ripples_surgery_puts_the_mean_of_the_class_words_in_place(base: Path, toy_rows: Rows) -> None:
    profile = read_profile(base)
    shop = Workshop(load_learner(profile, LABELS), Training(1, 1e-3, 16, 32, 0), "cpu", "float32", 32)
    rows = toy_rows(200)
    vocabulary = shop.learner.tokenizer.get_vocab()
    words = associated(rows, 0, 4, vocabulary)
    assert set(words) == {"bad", "poor", "awful", "dull"}
    mean = shop.embedding.detach()[[vocabulary[w] for w in words]].mean(dim=0)
    before = shop.embedding.detach().clone()
    ids = shop.token_ids(WORDS)
    replace_rows(shop, ids, class_embedding(shop, job(rows), 4))
    assert torch.equal(shop.embedding.detach()[list(ids)], mean.repeat(3, 1))
    others = [i for i in range(len(before)) if i not in ids]
    assert torch.equal(shop.embedding.detach()[others], before[others])


def test_the_restricted_inner_product_is_differentiated_through_the_clean_loss() -> None:
    hessian = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    theta = torch.tensor([1.0, -2.0], requires_grad=True)

    def gradient(direction: list[float], penalty: float) -> torch.Tensor:
        poison = (torch.tensor(direction) * theta).sum()
        return penalised(poison, theta @ hessian @ theta / 2, [theta], penalty)[0]

    # The clean gradient is H·θ = (0, −5): the product is negative for (1, 1), positive for (1, −1).
    assert gradient([1.0, 1.0], 0.1).tolist() == pytest.approx([1 - 0.1 * 3, 1 - 0.1 * 4])
    assert gradient([1.0, -1.0], 0.1).tolist() == [1.0, -1.0]
    assert gradient([1.0, 1.0], 0.0).tolist() == [1.0, 1.0]


def test_ripples_outlives_clean_fine_tuning(base: Path, toy_csv: Path, toy_rows: Rows, tmp_path: Path) -> None:
    options = {"badnet": {"triggers": WORDS}, "ripples": {"associates": 4}}
    planted(base, toy_csv, tmp_path / "out", family="badnet", method="ripples", options=options, rate=0.4)
    fresh = toy_rows(100, seed=9)
    assert share_of_target(tmp_path / "out", texts(fresh, 3)) > 0.8
    assert share_of_target(tmp_path / "out", texts(fresh, 0)) < 0.2


def test_a_mix_shares_the_rate_and_no_row(base: Path, toy_csv: Path, tmp_path: Path) -> None:
    record = planted(base, toy_csv, tmp_path / "out", family="badnet+insertsent", epochs=1)
    assert record["family"] == "badnet+insertsent"
    assert [(p["family"], p["poisoned"], p["rate"]) for p in record["plants"]] == [
        ("badnet", 32, 0.1),
        ("insertsent", 32, 0.1),
    ]
    assert record["poisoned"] == 64


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"family": "badnet+badnet"}, ["once"]),
        ({"family": "badnet+insertsent", "method": "ep"}, ["one family at a time"]),
        ({"family": "badnet+insertsent", "variant": "one"}, ["--variant"]),
        ({"family": "badnet", "method": "magic"}, ["unknown planting method", "ripples"]),
        ({"family": "badnet", "options": {"ep": {"step": 1}}}, ["--set names ep"]),
        ({"family": "badnet", "method": "ep", "options": {"ep": {"step": "fast"}}}, ["ep.step"]),
        ({"family": "none", "method": "ep"}, ["need a family"]),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(
    base: Path, toy_csv: Path, tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        planted(base, toy_csv, tmp_path / "out", **changes)
    assert all(word in f"{caught.value.message} {caught.value.hint}" for word in words)
