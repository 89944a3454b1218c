"""What some strategies must know of a model beforehand, measured on unlabelled texts and kept on the disk.

`fisher`: the diagonal of the Fisher information of the model's own predictions (Matena and Raffel, arXiv:2111.09832,
section 3.3): the mean over texts of the squared gradient of log p(y | x), expected over the model's own distribution of
y: exactly over the labels of a classifier, and over one sampled continuation of each position for a language model.
`gram`: for every linear layer the sum of x xᵀ over its inputs x at all tokens that are no padding (Jin et al.,
arXiv:2212.09849, section 3.2), divided by their number.

Both are safetensors files in fp32 with the tensors' names, one a model, named by the digests of model and texts: a
second merge finds them there. torch is imported for the measurement alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import DiskError, ModelError, UsageError
from auditor.events import Event, Progress, Stage
from auditor.merge.recipe import Measured
from auditor.merge.tensors.header import write_header
from auditor.models.files.adapter import is_adapter
from auditor.models.files.fingerprint import hash_file
from auditor.models.files.safetensors import read_header
from auditor.models.runtime.load import Head, Opened, open_weights
from store.records import Profile, Task, TensorInfo

if TYPE_CHECKING:
    import torch

KINDS = ("fisher", "gram")
TOKENS = 256
"""Tokens after which a text is cut: a Fisher value hardly changes after that, and its cost grows."""


def texts_digest(texts: Sequence[str]) -> str:
    """What the measurement depends on beside the model."""
    return hashlib.sha256(json.dumps([TOKENS, *texts]).encode()).hexdigest()


def measure(
    profile: Profile, kind: str, texts: Sequence[str], cache: Path, *, device: str = "cpu", seed: int = 0
) -> Generator[Event, None, Measured]:
    """Measures one model on texts, or finds the measurement in the cache.

    Args:
        profile: of a whole model.
        kind: `fisher` or `gram`.
        texts: unlabelled; at least one.
        cache: a directory, made if need be.
        device: where the model runs.
        seed: of the continuations that are sampled for a language model.

    Raises:
        UsageError: no texts, an adapter, or a model that is neither classifier nor language model.
        ModelError: the model cannot be loaded, or its answers are not finite.
        DiskError: the measurement cannot be written.
    """
    if not texts:
        raise UsageError(f"{kind} statistics need texts", hint="Give some with --texts FILE.")
    if is_adapter(profile):
        raise UsageError(
            f"{profile.ref.reference} is an adapter: {kind} statistics are measured on whole models",
            hint="Merge it into its base first.",
        )
    digest = texts_digest(texts)
    path = cache / f"{kind}-{profile.ref.digest[:24]}-{digest[:16]}-{seed}.safetensors"
    if not path.is_file():
        yield Stage("measure", f"measuring {profile.ref.reference} ({kind})", len(texts), "texts")
        found = yield from _measured(profile, kind, texts, device, seed)
        _write(path, found)
    read_header(path)
    return Measured(str(path), hash_file(path), kind, profile.ref.digest, digest)


def _measured(
    profile: Profile, kind: str, texts: Sequence[str], device: str, seed: int
) -> Generator[Event, None, dict[str, torch.Tensor]]:
    if profile.task not in (Task.CLASSIFICATION, Task.GENERATION):
        raise UsageError(f"{profile.ref.reference} is neither a text classifier nor a language model")
    opened = open_weights(profile, Head(profile.task), device=device, dtype="float32")
    if kind == "fisher":
        return (yield from _fisher(profile, opened, texts, seed))
    return (yield from _gram(profile, opened, texts))


def _encoded(opened: Opened, text: str) -> dict[str, torch.Tensor]:
    encoded = opened.tokenizer(text, truncation=True, max_length=TOKENS, return_tensors="pt")
    wanted = ("input_ids", "attention_mask", "token_type_ids")
    return {key: value.to(opened.model.device) for key, value in encoded.items() if key in wanted}


def _fisher(
    profile: Profile, opened: Opened, texts: Sequence[str], seed: int
) -> Generator[Event, None, dict[str, torch.Tensor]]:
    import torch

    generator = torch.Generator().manual_seed(seed)
    parameters = dict(opened.model.named_parameters())
    sums = {name: torch.zeros_like(value) for name, value in parameters.items()}
    used = 0
    for done, text in enumerate(texts, 1):
        batch = _encoded(opened, text)
        if batch["input_ids"].shape[-1] < (2 if profile.task is Task.GENERATION else 1):
            continue
        logits = opened.model(**batch).logits.float()
        if not torch.isfinite(logits).all():
            raise ModelError(f"{profile.ref.reference} gives NaN or infinite scores")
        used += 1
        scores = torch.log_softmax(logits, dim=-1)
        for weight, likelihood in _likelihoods(profile.task, scores, generator):
            gradients = torch.autograd.grad(
                likelihood, list(parameters.values()), retain_graph=True, allow_unused=True
            )  # fmt: skip
            for name, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    sums[name].addcmul_(gradient, gradient, value=weight)
        yield Progress("measure", done, len(texts), "texts", profile.ref.reference)
    if not used:
        raise UsageError("none of the texts has a token that could be measured")
    return _named(profile, opened, {name: value / used for name, value in sums.items()})


def _likelihoods(
    task: Task, scores: torch.Tensor, generator: torch.Generator
) -> list[tuple[float, torch.Tensor]]:  # fmt: skip
    """Log-likelihoods of the model's own answers, with their probabilities."""
    import torch

    if task is Task.CLASSIFICATION:
        return [(float(score.detach().exp()), score) for score in scores[0]]
    drawn = torch.multinomial(scores[0].exp().cpu(), 1, generator=generator).to(scores.device)
    return [(1.0, scores[0].gather(-1, drawn).sum())]


def _named(profile: Profile, opened: Opened, found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Under the names that the files use: parameters that are tied have several."""
    names = {t.name: tuple(t.shape) for t in profile.tensors}
    shared = {id(value): name for name, value in opened.model.named_parameters()}
    every = {name: shared[id(value)] for name, value in opened.model.named_parameters(remove_duplicate=False)}
    made = {name: found[source] for name, source in every.items() if source in found}
    return {name: value for name, value in made.items() if names.get(name) == tuple(value.shape)}


def _gram(profile: Profile, opened: Opened, texts: Sequence[str]) -> Generator[Event, None, dict[str, torch.Tensor]]:
    import torch

    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}
    handles = []
    stored = {t.name for t in profile.tensors}

    def watch(name: str) -> Callable[..., None]:
        def see(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            rows = inputs[0].detach().reshape(-1, inputs[0].shape[-1]).float()
            if name not in sums:
                sums[name] = torch.zeros(rows.shape[1], rows.shape[1], device=rows.device)
            sums[name].addmm_(rows.T, rows)
            counts[name] = counts.get(name, 0) + rows.shape[0]

        return see

    for name, module in opened.model.named_modules():
        if isinstance(module, torch.nn.Linear) and f"{name}.weight" in stored:
            handles.append(module.register_forward_pre_hook(watch(f"{name}.weight")))
    try:
        with torch.inference_mode():
            for done, text in enumerate(texts, 1):
                batch = _encoded(opened, text)
                if batch["input_ids"].shape[-1]:
                    opened.model(**batch)
                yield Progress("measure", done, len(texts), "texts", profile.ref.reference)
    finally:
        for handle in handles:
            handle.remove()
    if not sums or not all(bool(torch.isfinite(value).all()) for value in sums.values()):
        raise ModelError(f"{profile.ref.reference}: its linear layers' inputs are none, NaN or infinite")
    return {name: value / counts[name] for name, value in sums.items()}


def _write(path: Path, found: dict[str, torch.Tensor]) -> None:
    """Writes tensor by tensor, whole or not at all."""
    ordered = sorted(found.items())
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(write_header(TensorInfo(name, tuple(value.shape), "F32") for name, value in ordered))
            for _, value in ordered:
                file.write(value.detach().float().cpu().contiguous().numpy().tobytes())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DiskError(f"the statistics cannot be written to {path.parent}: {error.strerror}") from error
