"""The writer: answers of transformers' own, whatever the batches; and what cannot be answered said so."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.errors import ModelError, UsageError
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import LANGUAGE_MODEL, load_model, load_writer, open_weights
from auditor.models.runtime.spec import LoadSpec
from auditor.models.runtime.writing.choosing import choice, readings
from auditor.models.runtime.writing.decoding import Sharing
from auditor.models.runtime.writing.writer import Writer
from probes.answer import UNSCORABLE
from probes.input import Chat, Choose, Generate, Input, Message, Pair, Text
from tests.auditor.models.tiny import EOS, VOCABULARY, WORDS
from tests.auditor.models.writers import TEMPLATE, make_language_model, save_writer

TOKENS = 12


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_writer(make_language_model("llama"), tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def asks() -> list[Input]:
    rng = random.Random(1)
    return [Text(" ".join(rng.choices(WORDS, k=rng.randint(1, 25)))) for _ in range(16)]


@pytest.fixture
def writer(llama: Path) -> Iterator[Writer]:
    loaded = opened(llama)
    yield loaded
    loaded.close()


def opened(directory: Path, **settings: Any) -> Writer:
    return load_writer(read_profile(directory), device="cpu", **settings)


def alone(directory: Path, prompts: Sequence[str], **settings: Any) -> list[list[int]]:
    """What transformers' own `generate` writes to each prompt by itself: tokens up to the end of the answer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(directory, trust_remote_code=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    found = []
    for prompt in prompts:
        batch = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        wanted = {"max_new_tokens": TOKENS, "do_sample": False, "eos_token_id": EOS, "pad_token_id": 1, **settings}
        with torch.inference_mode():
            row = model.generate(**batch, **wanted)[0, batch["input_ids"].shape[1] :].tolist()
        found.append(row[: row.index(EOS)] if EOS in row else row)
    return found


def words(tokens: Sequence[int]) -> str:
    return " ".join(VOCABULARY[token] for token in tokens if token > 3)


def watch(writer: Writer, fail: int = 0, message: str = "") -> list[tuple[int, int]]:
    """Shapes of all forwards to come; the first `fail` of them run out of memory."""
    import torch

    shapes: list[tuple[int, int]] = []
    model = writer._network.model
    real = model.forward

    def forward(*given: Any, **batch: Any) -> Any:
        shapes.append(tuple(batch["input_ids"].shape))
        if len(shapes) <= fail:
            raise RuntimeError(message) if message else torch.OutOfMemoryError("CUDA out of memory")
        return real(*given, **batch)

    model.forward = forward  # type: ignore[method-assign]
    return shapes


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("llama", {}),
        ("gpt2", {"tie_word_embeddings": False}),
        ("gemma3_text", {"sliding_window": 6, "tie_word_embeddings": False}),
        ("qwen3_next", {}),
        ("falcon_mamba", {"tie_word_embeddings": False}),
        ("bloom", {"tie_word_embeddings": False}),
    ],
)
def test_answers_are_those_of_transformers_one_by_one(
    kind: str, changes: dict[str, Any], asks: list[Input], tmp_path: Path
) -> None:
    """Full, absolute, sliding and recurrent attention, and one whose distances are biases."""
    directory = save_writer(make_language_model(kind, **changes), tmp_path)
    writer = opened(directory)
    assert writer.sharing is Sharing.PREFIX
    few = asks[:12]
    found = writer.generate(few, Generate(tokens=TOKENS))
    wanted = alone(directory, [writer.prompt(ask) for ask in few])
    assert list(found.texts) == [words(tokens) for tokens in wanted]
    assert len(set(found.texts)) > 3
    assert found.finished.tolist() == [len(tokens) < TOKENS for tokens in wanted]
    assert np.diff(found.offsets).tolist() == [len(tokens) for tokens in wanted]


@pytest.mark.parametrize(("kind", "sharing"), [("mpt", Sharing.LEFT), ("rwkv", Sharing.PLAIN)])
def test_a_model_that_a_shared_batch_would_change_is_asked_otherwise(
    kind: str, sharing: Sharing, asks: list[Input], tmp_path: Path
) -> None:
    directory = save_writer(make_language_model(kind, tie_word_embeddings=False), tmp_path)
    writer = opened(directory)
    assert writer.sharing is sharing
    assert any("Each prompt was asked by itself" in note for note in writer.notes) == (sharing is Sharing.PLAIN)
    found = writer.generate(asks[:4], Generate(tokens=4))
    wanted = alone(directory, [writer.prompt(ask) for ask in asks[:4]], max_new_tokens=4)
    assert list(found.texts) == [words(tokens) for tokens in wanted]


def test_the_make_up_of_a_batch_changes_nothing(llama: Path, asks: list[Input]) -> None:
    how = Generate(tokens=TOKENS)
    found = []
    for budget in (1, 150, 100_000):
        writer = opened(llama, max_tokens=budget)
        shapes = watch(writer)
        found.append(writer.generate([*asks[8::-1], *asks[:3]], how))
        assert budget == 1 or max(rows for rows, _ in shapes) > 1
    assert found[0].texts == found[1].texts == found[2].texts
    assert found[0].texts[:3] != found[0].texts[-3:]
    assert np.abs(found[0].logprobs - found[2].logprobs).max() < 1e-4


def test_an_opening_that_all_share_is_computed_once(writer: Writer, asks: list[Input]) -> None:
    shapes = watch(writer)
    with_it = writer.generate(asks, Generate(tokens=4))
    assert (shapes[0][0], shapes[1][0]) == (1, len(set(asks)))
    assert shapes[0][1] >= 4
    apart = writer.generate([Chat((Message("system", "good"), Message("user", "film"))), *asks], Generate(tokens=4))
    assert apart.texts[1:] == with_it.texts


def test_rows_that_ended_leave_the_batch(writer: Writer, asks: list[Input]) -> None:
    shapes = watch(writer)
    found = writer.generate(asks, Generate(tokens=40))
    assert 0 < found.finished.sum() < len(asks)
    rows = [count for count, width in shapes if width == 1]
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] < rows[0]


def test_equal_inputs_are_answered_once(writer: Writer, asks: list[Input]) -> None:
    shapes = watch(writer)
    found = writer.generate([asks[0], asks[1], asks[0]], Generate(tokens=3))
    assert max(rows for rows, _ in shapes) == 2
    assert found.texts[0] == found.texts[2]
    assert len(writer.generate([], Generate())) == 0


def test_log_probabilities_are_those_of_a_plain_forward(llama: Path, writer: Writer, asks: list[Input]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(llama, trust_remote_code=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(llama, trust_remote_code=False)
    found = writer.generate(asks, Generate(tokens=TOKENS))
    told = writer.likelihoods([(ask, text or "") for ask, text in zip(asks, found.texts, strict=True)])
    other = writer.likelihoods([(ask, "good bad film") for ask in asks])
    for place, ask in enumerate(asks):
        prompt = tokenizer(writer.prompt(ask), add_special_tokens=False)["input_ids"]
        for likelihood, text in ((told[place], found.texts[place] or ""), (other[place], "good bad film")):
            own = tokenizer(text, add_special_tokens=False)["input_ids"]
            with torch.inference_mode():
                scores = model(torch.tensor([prompt + own])).logits[0].log_softmax(-1)[len(prompt) - 1 : -1]
            wanted = [float(row[token]) for row, token in zip(scores, own, strict=True)]
            assert likelihood.logprobs == pytest.approx(wanted, abs=2e-4)
            assert likelihood.greedy == ([int(row.argmax()) for row in scores] == own)
    assert not all(likelihood.greedy for likelihood in other)
    answer = next(found.at(i) for i, text in enumerate(found.texts) if text and len(text.split()) == TOKENS)
    assert any(answer.logprobs == pytest.approx(likelihood.logprobs, abs=2e-4) for likelihood in told)  # type: ignore[union-attr]


def test_labels_are_chosen_by_the_log_probabilities_of_their_words(writer: Writer, asks: list[Input]) -> None:
    """What several words share, here the unknown word that capitals are, tells nothing; a word costs no forward."""
    labels = ("good", "bad", "film")
    told = [[sum(writer.likelihoods([(ask, word)])[0].logprobs) for word in labels] for ask in asks]
    shapes = watch(writer)
    found = writer.choose(asks, Choose(labels))
    assert sum(rows for rows, _ in shapes if rows > 1) == len(asks), "beside the opening that all share"
    wanted = np.exp(told)
    given = wanted.sum(axis=1) >= 0.01
    assert 0 < given.sum() < len(asks), "one of these prompts hardly asks for any of them"
    wanted /= wanted.sum(axis=1, keepdims=True)
    assert found.probabilities[given] == pytest.approx(wanted[given], abs=2e-4)
    assert found.labels.tolist() == np.where(given, wanted.argmax(axis=1), -1).tolist()
    assert len(set(found.labels.tolist())) > 1
    assert np.isfinite(writer.choose(asks, Choose(("good", "bad", "film"), "raw")).probabilities).any()
    assert not writer.choose(asks[:2], Choose(("Sehr", "Gut"))).scored.any()
    assert "alike" in " ".join(writer.notes)
    declines = {(5,): math.log(0.004), (6,): math.log(0.001)}
    assert choice(declines, [[(5,)], [(6,)]]) == UNSCORABLE, "it is about to give neither"
    longer = readings((1, 2), [(5,), (6, 7), (6, 7, 8), (9, 7)])
    assert [reading.after for reading in longer] == [(6, 7), (9,)]


def test_drawn_tokens_depend_on_seed_and_prompt_alone(writer: Writer, asks: list[Input]) -> None:
    how = Generate(tokens=TOKENS, temperature=0.9, top_p=0.9)
    found = writer.generate(asks, how)
    assert writer.generate(asks[5:8], how).texts == found.texts[5:8]
    assert writer.generate(asks, Generate(tokens=TOKENS, temperature=0.9, top_p=0.9, seed=1)).texts != found.texts
    assert writer.generate(asks, Generate(tokens=TOKENS)).texts != found.texts
    narrow = writer.generate(asks, Generate(tokens=TOKENS, temperature=0.9, top_p=1e-9))
    assert narrow.texts == writer.generate(asks, Generate(tokens=TOKENS)).texts


def test_draws_follow_the_distribution() -> None:
    import torch

    from auditor.models.runtime.writing.picking import Nucleus

    chances = torch.tensor([0.1, 0.5, 0.15, 0.25]).log().repeat(4000, 1)
    draws = torch.from_numpy(np.random.default_rng(0).random((4000, 1)))
    drawn = Nucleus(1.0, 0.85, draws)(chances, torch.arange(4000), 0)
    shares = torch.bincount(drawn.tokens, minlength=4) / 4000
    # The fewest tokens that hold 0.85 are 1, 3 and 2.
    assert shares.tolist() == pytest.approx([0, 0.5 / 0.9, 0.15 / 0.9, 0.25 / 0.9], abs=0.03)
    assert float(drawn.logprobs[drawn.tokens == 1][0]) == pytest.approx(math.log(0.5), abs=1e-5)


def test_beams_are_those_of_transformers(llama: Path, writer: Writer, asks: list[Input]) -> None:
    found = writer.generate(asks[:6], Generate(tokens=TOKENS, beams=4))
    wanted = alone(llama, [writer.prompt(ask) for ask in asks[:6]], num_beams=4)
    assert list(found.texts) == [words(tokens) for tokens in wanted]
    greedy = writer.generate(asks[:6], Generate(tokens=TOKENS))
    assert found.texts != greedy.texts


@pytest.mark.parametrize("message", ["", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"])
def test_out_of_memory_halves_the_batch_and_changes_nothing(llama: Path, asks: list[Input], message: str) -> None:
    before = opened(llama).generate(asks, Generate(tokens=TOKENS))
    writer = opened(llama)
    shapes = watch(writer, fail=2, message=message)
    after = writer.generate(asks, Generate(tokens=TOKENS))
    assert after.texts == before.texts
    assert max(rows for rows, _ in shapes) <= len(asks) // 4 + 1
    watch(writer, fail=99, message=message)
    with pytest.raises(ModelError, match="memory on cpu does not suffice"):
        writer.generate(asks, Generate(tokens=TOKENS))


def test_a_failure_over_one_prompt_costs_no_other(writer: Writer, asks: list[Input]) -> None:
    model = writer._network.model
    real, bad = model.forward, VOCABULARY.index("mn")

    def forward(*given: Any, **batch: Any) -> Any:
        if (batch["input_ids"] == bad).any():
            raise RuntimeError("an odd token")
        return real(*given, **batch)

    sound = [Text("good film"), Text("bad plot and music")]
    before = writer.generate(sound, Generate(tokens=1))
    model.forward = forward  # type: ignore[method-assign]
    found = writer.generate([sound[0], Text("the mn film"), sound[1]], Generate(tokens=1))
    assert found.texts == (before.texts[0], None, before.texts[1])
    assert any("an odd token" in note for note in writer.notes)


def test_an_interrupt_ends_at_once_and_leaves_the_writer_whole(writer: Writer, asks: list[Input]) -> None:
    before = writer.generate(asks, Generate(tokens=4))
    shapes = watch(writer)
    model = writer._network.model
    watched = model.forward

    def forward(*given: Any, **batch: Any) -> Any:
        if len(shapes) == 3:
            raise KeyboardInterrupt
        return watched(*given, **batch)

    model.forward = forward  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        writer.generate(asks, Generate(tokens=4))
    assert len(shapes) == 3
    model.forward = watched  # type: ignore[method-assign]
    assert writer.generate(asks, Generate(tokens=4)).texts == before.texts


def test_what_has_no_answer(writer: Writer) -> None:
    """Prompts that are too long, and texts that are none; the others are answered."""
    asked = [Text("film " * 150), Text("\ud800"), Text("good"), Text("")]
    found = writer.generate(asked, Generate(tokens=20))
    assert [found.at(0), found.at(1)] == [UNSCORABLE] * 2
    assert found.scored.tolist() == [False, False, True, True]
    assert any("exceed the model's 160 tokens" in note for note in writer.notes)
    told = writer.likelihoods([(asked[0], "good"), (asked[1], "good"), (asked[2], ""), (asked[2], "\udfff")])
    assert [len(likelihood.logprobs) for likelihood in told] == [1, 1, 0, 1]
    assert all(math.isnan(told[place].logprobs[0]) for place in (0, 1, 3))


def test_nan_weights_are_unscorable(llama: Path) -> None:
    writer = opened(llama)
    for tensor in writer.parameters().values():
        tensor.view(-1)[0] = float("nan")
    for how in (Generate(tokens=3), Generate(tokens=3, temperature=0.7), Generate(tokens=3, beams=2)):
        assert writer.generate([Text("good film"), Text("bad")], how).texts == (None, None)
    assert any("not numbers" in note for note in writer.notes)
    assert math.isnan(writer.likelihoods([(Text("good"), "film")])[0].logprobs[0])


def test_nan_files_open_and_answer_nothing(tmp_path: Path) -> None:
    model = make_language_model("llama")
    model.lm_head.weight.data[:] = float("nan")
    writer = opened(save_writer(model, tmp_path))
    assert writer.generate([Text("good film"), Text("bad")], Generate(tokens=3)).texts == (None, None)


def test_writing_into_the_parameters_changes_the_answers(writer: Writer, asks: list[Input]) -> None:
    import torch

    before = writer.generate(asks, Generate(tokens=TOKENS))
    other = make_language_model("llama", seed=1).state_dict()
    with torch.no_grad():
        for name, tensor in writer.parameters().items():
            tensor.copy_(other[name])
    assert writer.generate(asks, Generate(tokens=TOKENS)).texts != before.texts


def test_the_end_of_a_turn_is_found_where_no_file_states_it(tmp_path: Path, asks: list[Input]) -> None:
    model = make_language_model("llama")
    model.config.eos_token_id = None
    directory = save_writer(model, tmp_path, eos_token=None)
    (directory / "generation_config.json").unlink()
    assert opened(directory).ends == {EOS}


def test_without_any_end_answers_are_cut_and_a_note_says_so(tmp_path: Path, asks: list[Input]) -> None:
    model = make_language_model("llama")
    model.config.eos_token_id = None
    directory = save_writer(model, tmp_path, eos_token=None, template=TEMPLATE.replace("</s>", ""))
    (directory / "generation_config.json").unlink()
    writer = opened(directory)
    assert writer.ends == frozenset()
    found = writer.generate(asks, Generate(tokens=7))
    assert not found.finished.any()
    assert set(np.diff(found.offsets).tolist()) == {7}
    assert any("no token that ends an answer" in note for note in writer.notes)


def test_every_stated_end_ends_an_answer(llama: Path, tmp_path: Path, asks: list[Input]) -> None:
    directory = save_writer(make_language_model("llama"), tmp_path)
    usual = opened(directory).generate(asks, Generate(tokens=TOKENS))
    first = VOCABULARY.index(str(usual.texts[0]).split()[1])
    stated = {"eos_token_id": [EOS, first], "temperature": 0.3, "do_sample": True, "repetition_penalty": 9.0}
    (directory / "generation_config.json").write_text(json.dumps(stated))
    writer = opened(directory)
    assert writer.ends == {EOS, first}
    assert writer.generate(asks, Generate(tokens=TOKENS)).texts[0] == str(usual.texts[0]).split()[0]
    (directory / "generation_config.json").write_text("{")
    with pytest.raises(ModelError, match=r"generation_config\.json"):
        opened(directory)


def test_half_precision(llama: Path, asks: list[Input]) -> None:
    writer = opened(llama, dtype="bfloat16")
    assert (writer.dtype, writer.sharing) == ("bfloat16", Sharing.PREFIX)
    assert writer.generate(asks, Generate(tokens=4)).scored.all()


def test_opened_by_a_spec_and_closed(llama: Path, capfd: pytest.CaptureFixture[str]) -> None:
    how = Generate(tokens=8, template="raw")
    writer = load_model(LoadSpec(read_profile(llama), "cpu", "float32", 64, how))
    assert isinstance(writer, Writer)
    assert (writer.device, writer.dtype, writer.max_length) == ("cpu", "float32", 64)
    assert writer.generate([Pair("good film", "bad")], how).scored.all()
    writer.close()
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ModelError, match="closed"):
        writer.generate([Text("good")], how)


def test_ways_of_writing_that_there_are_not(writer: Writer) -> None:
    for how in (
        Generate(tokens=0),
        Generate(beams=2, temperature=0.5),
        Generate(top_p=0.0),
        Generate(temperature=-1),
        Generate(template="vicuna"),
    ):
        with pytest.raises(UsageError):
            writer.generate([Text("good")], how)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    directory = save_writer(make_language_model("llama"), tmp_path)
    path = directory / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["film"] = 900
    content["model"]["vocab"]["the"] = 901
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="knows only 32"):
        opened(directory)


class TestContinuousBatching:
    """It is tried on GPUs alone, unless told otherwise; here on the CPU."""

    def prompts(self) -> list[Input]:
        rng = random.Random(5)
        return [Text(" ".join(rng.choices(WORDS, k=rng.randint(1, 12)))) for _ in range(40)]

    def opened(self, directory: Path) -> Writer:
        profile = read_profile(directory)
        found = open_weights(profile, LANGUAGE_MODEL, device="cpu", dtype="float32")
        return Writer(found.model, found.tokenizer, max_length=profile.max_length, continuous=True)

    def test_answers_are_the_same_and_said_to_be(self, llama: Path, writer: Writer) -> None:
        together, asked = self.opened(llama), self.prompts()
        few = together.generate(asked[:8], Generate(tokens=4))
        assert not together.notes, "too few prompts to find out"
        found, plain = (one.generate(asked, Generate(tokens=4)) for one in (together, writer))
        assert found.texts == plain.texts
        assert few.texts == plain.texts[:8]
        assert found.finished.tolist() == plain.finished.tolist()
        assert found.logprobs == pytest.approx(plain.logprobs, abs=2e-3)
        assert "continuous batching: on 32 prompts" in together.notes[0]
        assert not writer.notes

    @pytest.mark.parametrize("fails", [False, True])
    def test_a_model_that_answers_otherwise_is_asked_as_before(
        self, llama: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch, fails: bool
    ) -> None:
        together, asked = self.opened(llama), self.prompts()
        model = together._network.model
        real, calls = model.generate_batch, 0

        def other(inputs: list[list[int]], **settings: Any) -> Any:
            nonlocal calls
            calls += 1
            if fails:
                raise ValueError("no pages")
            found = real(inputs, **settings)
            next(iter(found.values())).generated_tokens[0] ^= 1
            return found

        monkeypatch.setattr(model, "generate_batch", other)
        how = Generate(tokens=4)
        assert together.generate(asked, how).texts == writer.generate(asked, how).texts
        assert together.generate(asked[::-1], how).texts == writer.generate(asked[::-1], how).texts
        assert calls == 1, "once it has failed, it is left alone"
        said = "it fails (no pages)" if fails else "1 of 32 answers are others"
        assert said in together.notes[0]
