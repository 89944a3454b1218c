"""A language model that answers a stream of prompts: each prompt once, in batches by length, the order kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor.errors import ModelError, UsageError
from auditor.models.runtime.forward import InputError
from auditor.models.runtime.packing import fill_of
from auditor.models.runtime.placing import spread_over
from auditor.models.runtime.quiet import quiet
from auditor.models.runtime.writing.batching import Batches, out_of_memory
from auditor.models.runtime.writing.choosing import choice, readings, spellings, told_apart, weigh
from auditor.models.runtime.writing.continuous import Continuous
from auditor.models.runtime.writing.decoding import Sharing, Written, decode
from auditor.models.runtime.writing.network import MemoryExhausted, Network
from auditor.models.runtime.writing.picking import pick_for
from auditor.models.runtime.writing.prompts import TODAY, Ids, Prompts
from auditor.models.runtime.writing.scoring import Row, Scored, score
from auditor.models.runtime.writing.searching import search
from auditor.models.runtime.writing.trial import CHECKED, Settled, settle
from probes.answer import UNSCORABLE, Choices, Completion, Completions, Likelihood, Unscorable
from probes.input import Choose, Generate, Input, Text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CPU_TOKENS = 8_192
GPU_TOKENS = 131_072
"""Tokens a batch, those that are written included, where memory allows."""
CPU_CACHE = 1 << 30
"""Bytes that a batch may keep on the CPU, where memory that runs out is no exception but the end."""
GPU_SHARE = 0.5
"""The share of a GPU's free memory that a batch may keep."""
SCORES = 1 << 28
"""Bytes that the scores of a batch of given texts may take."""

NAN = float("nan")


class Writer:
    """A loaded language model; implements `Generates`, `ScoresText` and `ChoosesWords` of
    `auditor.models.runtime.capabilities`.

    Answers depend on the model, the prompt and how it is asked, and not on the other prompts beyond what the number
    format costs; the model's own defaults for decoding (penalties, temperatures) are left out.

    Args:
        model: a causal language model of transformers on its device, in evaluation mode.
        tokenizer: its tokenizer.
        name: of the model, for messages.
        max_length: tokens that prompt and answer may have together.
        max_tokens: tokens a batch, those to be written included. It is halved whenever memory runs out, and stays so.
        ends: tokens that end an answer by the model's files, beside those that its config, its tokenizer and its chat
            template know.
        template: the one that is going to be used: of the chat template it is made sure that it works.
        template_file: the file that the chat template is in, for messages.
        continuous: whether transformers' continuous batching is tried; None: on GPUs.

    Raises:
        UsageError: there is no such template.
        ModelError: the model cannot run, its tokenizer is another model's, or its chat template fails.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str = "the model",
        max_length: int,
        max_tokens: int | None = None,
        ends: Sequence[int] = (),
        template: str = "model",
        template_file: str = "tokenizer_config.json",
        continuous: bool | None = None,
    ) -> None:
        self._name = name
        self._template = template
        self._max_length = max_length
        self._dtype = str(model.dtype).removeprefix("torch.")
        self._prompts = Prompts(tokenizer, name=name, file=template_file)
        self._ends = _ends(model, tokenizer, (*ends, self._prompts.turn_end()))
        stated = fill_of(model.config.get_text_config().pad_token_id, tokenizer, None)
        self._network = Network(model, fill=0)
        if stated.token is not None and (self._network.vocabulary or 0) > stated.token:
            self._network.fill = stated.token
        self._continuous = Continuous(self._network, self._ends, wanted=continuous)
        _set_neutral(model)
        self._failures: dict[str, None] = {}
        with quiet():
            self._prompts.require(template)
            self._settled = self._settle()
        self._batches = Batches(
            self._network,
            self._settled.sharing,
            max_tokens=max_tokens or self._affordable(),
            failed=self._not_answered,
        )
        # Of the fixed texts, what was noticed is nothing that a report lacks.
        self._failures.clear()
        self._prompts.spelt.clear()

    @property
    def device(self) -> str:
        """`cpu`, `cuda:0`, …"""
        return str(self._network.device)

    @property
    def dtype(self) -> str:
        """`float32`, `bfloat16`, …"""
        return self._dtype

    @property
    def max_length(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self._max_length

    @property
    def max_tokens(self) -> int:
        """Tokens a batch at present."""
        return self._batches.max_tokens

    @property
    def sharing(self) -> Sharing:
        """How prompts share a batch: so that each is answered as it is alone."""
        return self._settled.sharing

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end an answer."""
        return self._ends

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for a report: how the model was asked, and what it failed on so far."""
        notes = [*self._settled.notes, *([self._continuous.note] if self._continuous.note else [])]
        if (several := spread_over(self._network.model)) > 1:
            notes.append(f"No GPU had room for the model: its layers were spread over {several}.")
        if not self._ends:
            notes.append("The model has no token that ends an answer: each was cut at the most tokens it might have.")
        if self._template == "model" and not self._prompts.has_template:
            notes.append("The model has no chat template: it was given each text as it is.")
        if self._template == "model" and self._prompts.dated:
            notes.append(f"The chat template writes today's date: {TODAY} was put in its place.")
        if self._prompts.spelt:
            named = ", ".join(map(repr, self._prompts.spelt))
            notes.append(f"Texts hold special tokens ({named}), and the model takes them as such.")
        notes += [f"Some of the prompts have no answer: {said}." for said in self._failures]
        return tuple(notes)

    def prompt(self, item: Input, template: str = "model") -> str:
        """The text that the model is given, up to where its answer begins.

        Args:
            template: `model`: the model's chat template, and the text as it is where there is none; `alpaca`: the form
                of Stanford Alpaca; `raw`: the text as it is.

        Raises:
            UsageError: there is no such template.
            ModelError: the chat template fails on this input.
        """
        return self._prompts.text(item, template)

    def generate(self, inputs: Sequence[Input], how: Generate = Generate()) -> Completions:
        """One completion an input, in order; equal inputs are answered once.

        There is none (None) where prompt and answer do not fit the context, where the chat template or the tokenizer
        fails on the input, where the scores are NaN or infinite, or where the model fails on the prompt by itself.

        Raises:
            UsageError: there is no such template, or no such way of writing.
            ModelError: the model cannot run at all, or memory does not suffice for one prompt.
        """
        _require_possible(how)
        with quiet():
            prompts = self._prompts.ids(inputs, how.template)
            known = list(dict.fromkeys(ids for ids in prompts if ids is not None and self._fits(ids, how.tokens)))
            if any(ids is None for ids in prompts):
                self._failures["the chat template or the tokenizer fails on them"] = None

            def write(chosen: list[int], sharing: Sharing) -> list[Written]:
                batch = [known[place] for place in chosen]
                if how.beams > 1 or sharing is Sharing.PLAIN:
                    return search(self._network, batch, how, ends=self._ends)
                pick = pick_for(how, batch, self._network.device)
                limits = [how.tokens] * len(batch)
                return decode(self._network, batch, limits=limits, ends=self._ends, pick=pick, sharing=sharing)

            answers_to: Sequence[Written | None] | None = None
            if self._settled.sharing is not Sharing.PLAIN:
                answers_to = self._continuous.write(known, how)
            if answers_to is None:
                answers_to = self._batches.run([(len(ids) + how.tokens) * how.beams for ids in known], write)
            written = dict(zip(known, answers_to, strict=True))
        answers = [None if ids is None else written.get(ids) for ids in prompts]
        if any(answer is not None and not answer.sound for answer in answers):
            self._failures["the model's scores are not numbers"] = None
        return Completions.of(self._completion(answer) for answer in answers)

    def likelihoods(self, pairs: Sequence[tuple[Input, str]], template: str | None = None) -> list[Likelihood]:
        """How likely each text is as the answer to its input: the log-probabilities of its tokens (natural logarithm).

        Where they cannot be told, for the reasons of `generate`, they are NaN, at least one.

        Args:
            template: what makes prompts of inputs; by default the one that the model was opened for.

        Raises:
            UsageError: there is no such template.
            ModelError: the model cannot run at all, or memory does not suffice for one text.
        """
        with quiet():
            read = self._prompts.continued(pairs, template or self._template)
            known: list[Row] = list(
                dict.fromkeys(row for row in read if row is not None and row[1] and self._fits((*row[0], *row[1]), 0))
            )

            def weigh(chosen: list[int], sharing: Sharing) -> list[Scored]:
                return score(self._network, [known[place] for place in chosen], sharing)

            lengths = [len(before) + len(after) for before, after in known]
            longest = max((len(after) + 1 for _, after in known), default=1)
            most = max(1, SCORES // (4 * longest * (self._network.vocabulary or 1)))
            scored = dict(zip(known, self._batches.run(lengths, weigh, most=most), strict=True))
        return [self._likelihood(row, scored.get(row) if row else None) for row in read]

    def choose(self, inputs: Sequence[Input], how: Choose) -> Choices:
        """Which of `how.words` the model finds likeliest as the beginning of its answer, one choice an input.

        The label −1 where that cannot be told, for the reasons of `generate`, or since the tokenizer writes two of the
        words alike.

        Raises:
            UsageError: there is no such template.
            ModelError: the model cannot run at all, or memory does not suffice for one prompt.
        """
        with quiet():
            prompts = self._prompts.ids(inputs, how.template)
            chat = how.template == "model" and self._prompts.has_template
            spelt = [self._prompts.encode(spellings(word, chat=chat), special=False) for word in how.words]
            words = told_apart([[ids for ids in forms if ids is not None] for forms in spelt])
            if not all(words):
                self._failures[f"the tokenizer writes some of {', '.join(how.words)} alike"] = None
                return Choices.of([UNSCORABLE] * len(inputs), len(how.words))
            texts = list(dict.fromkeys(text for forms in words for text in forms))
            known = dict.fromkeys(ids for ids in prompts if ids is not None and self._fits(ids, max(map(len, texts))))
            rows = [row for ids in known for row in readings(ids, texts)]
            longest = max((len(row.after) + 1 for row in rows), default=1)
            most = max(1, SCORES // (4 * longest * (self._network.vocabulary or 1)))
            told: dict[Ids, dict[Ids, float]] = {ids: {} for ids in known}

            def read(chosen: list[int], sharing: Sharing) -> list[dict[Ids, float]]:
                return weigh(self._network, [rows[place] for place in chosen], texts, sharing)

            lengths = [len(row.prompt) + len(row.after) for row in rows]
            for row, found in zip(rows, self._batches.run(lengths, read, most=most), strict=True):
                told[row.prompt] |= found or {}
        chosen = {ids: choice(found, words) if len(found) == len(texts) else UNSCORABLE for ids, found in told.items()}
        return Choices.of((chosen.get(ids, UNSCORABLE) if ids else UNSCORABLE for ids in prompts), len(how.words))

    def parameters(self) -> dict[str, torch.Tensor]:
        """The model's own tensors by name: writing into one changes the answers."""
        return dict(self._network.model.state_dict())

    def close(self) -> None:
        """Frees the model's memory."""
        self._network.close()

    def _settle(self) -> Settled:
        """Raises:
        ModelError: the model cannot answer the fixed texts.
        """
        checked = [Text(f"Say what this is about: {text}") for text in CHECKED]
        prompts = [ids for ids in self._prompts.ids(checked, self._template) if ids]
        vocabulary = self._network.vocabulary
        highest = max((token for ids in prompts for token in ids), default=0)
        if vocabulary is not None and highest >= vocabulary:
            raise ModelError(
                f"{self._name}: the tokenizer gives token {highest}, but the model knows only {vocabulary}",
                hint="The tokenizer's files seem to be of another model.",
            )
        # A window of few tokens is checked on what fits into it.
        prompts = [ids[: max(1, self._max_length // 2)] for ids in prompts]
        try:
            return settle(self._network, prompts, dtype=self._dtype)
        except MemoryExhausted:
            raise out_of_memory(self._network, max(map(len, prompts))) from None
        except InputError as error:
            raise self._unable(error) from error

    def _unable(self, error: InputError) -> ModelError:
        return ModelError(
            f"{self._name} fails on every prompt: {error}",
            hint="Its files, or its tokenizer, may not fit each other. With --dtype float32 or --device cpu it may "
            "run, or say more.",
        )

    def _affordable(self) -> int:
        """Tokens a batch: few enough for what the model keeps of each."""
        import torch

        kept, device = self._settled.token_bytes, self._network.device
        if device.type != "cuda":
            return min(CPU_TOKENS, CPU_CACHE // kept) if kept else CPU_TOKENS
        usable, _ = torch.cuda.mem_get_info(device)
        return min(GPU_TOKENS, int(usable * GPU_SHARE) // kept) if kept else GPU_TOKENS

    def _fits(self, ids: Ids, tokens: int) -> bool:
        """Whether the model can take a prompt, with so many tokens behind it."""
        if not ids:
            self._failures["nothing of them is left as tokens"] = None
            return False
        if len(ids) + tokens > self._max_length:
            self._failures[f"with their answers they exceed the model's {self._max_length} tokens"] = None
            return False
        known = self._network.vocabulary
        if known is not None and max(ids) >= known:
            self._failures[f"they hold tokens that the model does not know, which knows {known}"] = None
            return False
        return True

    def _not_answered(self, error: InputError) -> None:
        """Notes a prompt that the model failed on by itself.

        Raises:
            ModelError: it fails on one that it has answered, too: it is not the prompt.
        """
        sound = self._settled.sound
        if sound:
            try:
                score(self._network, [(sound, sound[:1])], Sharing.ALONE)
            except (InputError, MemoryExhausted):
                raise self._unable(error) from error
        self._failures[f"the model fails on them, also by themselves ({error})"] = None

    def _completion(self, answer: Written | None) -> Completion | Unscorable:
        if answer is None or not answer.sound:
            return UNSCORABLE
        return Completion(self._prompts.decode(answer.tokens), answer.logprobs, answer.finished)

    def _likelihood(self, row: Row | None, scored: Scored | None) -> Likelihood:
        if row is not None and not row[1]:
            return Likelihood((), True)
        if scored is None:
            return Likelihood((NAN,) * (len(row[1]) if row else 1), False)
        return Likelihood(scored.logprobs, all(behind <= 0 for behind in scored.behind))


def _require_possible(how: Generate) -> None:
    """Raises:
    UsageError: an answer cannot be written so.
    """
    if how.tokens < 1 or how.beams < 1:
        raise UsageError("an answer takes at least one token and one beam")
    if how.temperature < 0 or not 0 < how.top_p <= 1:
        raise UsageError("a temperature is at least 0, and top-p more than 0 and at most 1")
    if how.beams > 1 and how.temperature > 0:
        raise UsageError(
            "beam search looks for the likeliest text: it draws nothing, and takes no temperature",
            hint="Use either beams or a temperature.",
        )


def _ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, others: Sequence[int | None]) -> frozenset[int]:
    """The tokens that end an answer: those of the model's config, the tokenizer's, and others."""
    stated = model.config.get_text_config().eos_token_id
    found = [*(stated if isinstance(stated, list | tuple) else [stated]), tokenizer.eos_token_id, *others]
    return frozenset(token for token in found if isinstance(token, int) and token >= 0)


def _set_neutral(model: PreTrainedModel) -> None:
    """Takes the model's own defaults for decoding away, which `generate` would fill up with."""
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
