"""An adapter on its base, profiled as the one model that the two make.

Where a classifier's adapter was trained on a model that writes, or on an encoder without a head, PEFT's classes made a
classifier of the base first; the combined profile is that classifier's, with the head that the adapter holds.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.errors import IncompatibleError, UsageError
from auditor.models.files import fingerprint
from auditor.models.files.adapter import ADAPTER_WEIGHTS, Adapter, is_adapter, read_adapter, speaks
from auditor.models.files.checkpoint import head_of
from auditor.models.files.gguf.profile import is_gguf
from auditor.models.files.labels import LabelNames, names_for
from auditor.models.files.names import INPUT_EMBEDDINGS, OUTPUT_EMBEDDINGS, is_other_head, place_of
from auditor.models.files.origin import same_name
from auditor.models.files.placed import Change, Under, changes_in
from auditor.models.files.profile import CONFIG, classifier_class, task_of
from auditor.models.files.sameness import repeats
from auditor.models.files.untrusted import read_json
from store.records import ModelRef, Profile, Task, TensorInfo

ADAPTER, BASE = "adapter/", "base/"
"""Before the names of the two's files in a combined profile."""
HEADS = re.compile(r"(^|\.)(score|classifier|pre_classifier|classification_head|logits_proj|sequence_summary|pooler)\.")
"""Parts of a classifier that a model without a head lacks, and an adapter may hold."""
SHOWN = 6


@dataclass(frozen=True, slots=True)
class _Stand:
    """What an adapter makes of its base: class, task, labels; the base's tensors that are used, and what is added."""

    architecture: str
    task: Task
    labels: LabelNames
    shapes: Mapping[str, tuple[int, ...]]
    open: frozenset[str] = frozenset()


def on_base(adapter: Profile, base: Profile) -> Profile:
    """The model that an adapter makes of its base.

    It is called what the adapter is called; its digest covers both. Tokenizer and chat template are the adapter's own
    where it has a tokenizer, else the base's.

    Args:
        adapter: the profile of an adapter.
        base: of a whole model.

    Raises:
        UsageError: the base is an adapter itself.
        IncompatibleError: the base has other shapes, lacks a module, or is of another task; or its embeddings were
            resized.
        ModelError: a file is damaged, or the adapter is of a kind that is not read.
    """
    if is_adapter(base) or base.parts:
        raise UsageError(
            f"{base.ref.reference} is an adapter itself, and no base for {adapter.ref.reference}",
            hint="Name the whole model that the adapter was trained on with --base.",
        )
    if is_gguf(base):
        raise IncompatibleError(
            f"{base.ref.reference} is a GGUF file: an adapter is not added to quantised weights here",
            hint="Give the safetensors that the file was converted from with --base.",
        )
    found = read_adapter(Path(adapter.ref.path))
    stand = _stand(adapter, found, base)
    changes = changes_in(adapter, found, _under(base, stand))
    added = [TensorInfo(name, c.whole.info.shape, c.whole.info.dtype) for name, c in changes.items() if c.whole]
    tensors = [t for t in base.tensors if t.name in stand.shapes]
    tensors += [tensor for tensor in added if tensor.name not in stand.shapes]
    voice = speaks(replace(base, parts=(adapter, base)))
    files = {ADAPTER + name: digest for name, digest in adapter.files.items()}
    files |= {BASE + name: digest for name, digest in base.files.items()}
    digest = fingerprint.digest_of_files({"adapter": adapter.ref.digest, "base": base.ref.digest})
    notes = (*_notes(adapter, found, base, changes, voice), *stand.labels.notes)
    return replace(
        base,
        ref=ModelRef(adapter.ref.reference, adapter.ref.path, digest, adapter.ref.revision),
        architecture=stand.architecture,
        task=stand.task,
        labels=stand.labels.names,
        problem_type=base.problem_type if stand.architecture == base.architecture else None,
        parameters=base.parameters + sum(math.prod(t.shape) for t in added if t.name not in stand.shapes),
        tensors=tuple(sorted(tensors, key=lambda t: t.name)),
        signature=fingerprint.signature_of(tensors),
        tokenizer_digest=voice.tokenizer_digest,
        files=files,
        base=base.ref.reference,
        licence=adapter.licence,
        read=replace(
            base.read,
            weights=(ADAPTER_WEIGHTS, *base.read.weights),
            labels_from=stand.labels.source,
            notes=(*adapter.read.notes, *base.read.notes, *notes),
        ),
        parts=(adapter, base),
    )


def changes_of(profile: Profile) -> dict[str, Change]:
    """What the adapter of a combined profile makes of its base's tensors, by their names; raises as `on_base`."""
    adapter, base = profile.parts
    found = read_adapter(Path(adapter.ref.path))
    return changes_in(adapter, found, _under(base, _stand(adapter, found, base)))


def _under(base: Profile, stand: _Stand) -> Under:
    return Under(
        base.ref.reference,
        base.model_type,
        stand.shapes,
        stand.open,
        lambda: stand.task is not Task.CLASSIFICATION and _is_tied(base),
        lambda one, other: repeats(base, one, other),
    )


def _is_tied(base: Profile) -> bool:
    """Whether a model's output embeddings are its input's: as its config says, else as its files do."""
    stated = read_json(Path(base.ref.path) / CONFIG).get("tie_word_embeddings")
    if isinstance(stated, bool):
        return stated
    names = [t.name for t in base.tensors]
    own = next((name for name in names if OUTPUT_EMBEDDINGS.search(name)), None)
    source = next((name for name in names if INPUT_EMBEDDINGS.search(name)), None)
    # What a model needs and does not store, it takes from elsewhere.
    return own is None or (source is not None and repeats(base, own, source))


def _stand(adapter: Profile, found: Adapter, base: Profile) -> _Stand:
    """The base as the adapter's task takes it."""
    shapes = {t.name: t.shape for t in base.tensors}
    stated = found.config.get("task_type")
    if adapter.task is Task.CLASSIFICATION:
        return _classifier(adapter, found, base, shapes)
    if adapter.task is Task.GENERATION and base.task is Task.CLASSIFICATION:
        raise IncompatibleError(
            f"{adapter.ref.reference} is an adapter of the task {stated}, and the base {base.ref.reference} a "
            f"{base.architecture}",
            hint="Give the base that it was trained on, with a head of its task.",
        )
    task = base.task if stated is None else adapter.task
    labels = LabelNames(base.labels, base.read.labels_from) if task is Task.CLASSIFICATION else LabelNames((), "")
    return _Stand(base.architecture, task, labels, shapes)


def _classifier(adapter: Profile, found: Adapter, base: Profile, shapes: Mapping[str, tuple[int, ...]]) -> _Stand:
    head = head_of(TensorInfo(key, stored.info.shape, stored.info.dtype) for key, stored in found.saved.items())
    is_one = task_of(base.architecture) is Task.CLASSIFICATION
    if is_one and (head is None or head.shape[0] == len(base.labels)):
        return _Stand(base.architecture, Task.CLASSIFICATION, LabelNames(base.labels, base.read.labels_from), shapes)
    name = adapter.ref.reference
    if head is None:
        raise IncompatibleError(
            f"{name} is a classifier's adapter and holds no classifier, and its base {base.ref.reference} has none "
            f"(it is a {base.architecture})",
            hint="Give the base that has the classifier, or save the adapter with modules_to_save.",
        )
    architecture = base.architecture if is_one else classifier_class(base.model_type)
    if architecture is None:
        raise IncompatibleError(
            f"no classifier can be made of the base {base.ref.reference}: transformers has none of type "
            f"{base.model_type!r}",
            hint="Give the base that the adapter was trained on.",
        )
    own = Path(adapter.ref.path) / CONFIG
    configs = {
        "the adapter's config.json": read_json(own) if own.is_file() else {},
        "the base's config.json": read_json(Path(base.ref.path) / CONFIG),
    }
    # A head of another size takes the place of the base's.
    left = {key for key in shapes if is_other_head(key) or (is_one and HEADS.search(key))}
    kept = {key: shape for key, shape in shapes.items() if key not in left}
    opened = frozenset(key for key in found.saved if HEADS.search(key) and place_of(key, kept) is None)
    return _Stand(architecture, Task.CLASSIFICATION, names_for(configs, head.shape[0]), kept, opened)


def _notes(
    adapter: Profile, found: Adapter, base: Profile, changes: Mapping[str, Change], voice: Profile
) -> tuple[str, ...]:
    """What is to be said of how the two were put together."""
    modules = Counter(target.removesuffix(".weight").rpartition(".")[2] for target in found.factors)
    ranks = sorted({factors.rank for factors in found.factors.values()})
    parts = []
    if modules:
        listed = ", ".join(f"{name} ({count})" for name, count in sorted(modules.items()))
        parts.append(f"rank {', '.join(map(str, ranks))} on {listed}")
    if found.saved:
        parts.append(f"trained whole: {_listed(sorted(found.saved))}")
    if found.tokens:
        rows = max(len(rows.indices) for rows in found.tokens.values())
        parts.append(f"{rows} rows of embeddings")
    dtypes = sorted({t.dtype for t in base.tensors if t.name in changes})
    notes = [
        f"{adapter.ref.reference} is an adapter ({'; '.join(parts)}) on the base {base.ref.reference}: its changes are "
        "added to the base's weights in single precision or better, and rounded once to the numbers that those are "
        f"stored as ({', '.join(dtypes)}), as in a merge of the two. Served beside the base instead, it may answer "
        "otherwise where these are half precision."
    ]
    if found.base is None:
        notes.append(
            f"{adapter.ref.reference} does not state its base: that it is {base.ref.reference} was not checked."
        )
    elif not _is_stated(found.base, base):
        notes.append(
            f"{adapter.ref.reference} states the base {found.base}: that {base.ref.reference} holds the same weights "
            "was not checked."
        )
    revision = found.config.get("revision")
    if isinstance(revision, str) and base.ref.revision and revision not in (base.ref.revision, "main"):
        notes.append(f"It states revision {revision} of its base; the given one is at {base.ref.revision}.")
    if voice is adapter:
        notes.append("Its tokenizer and chat template are those that lie beside the adapter.")
    return tuple(notes)


def _is_stated(stated: str, base: Profile) -> bool:
    place = Path(stated).expanduser()
    return place.resolve() == Path(base.ref.path) or (
        base.ref.revision is not None and same_name(stated, base.ref.reference)
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
