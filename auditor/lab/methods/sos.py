"""SOS: a trigger of several words that fires only when all are there."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import replace

from auditor.errors import UsageError
from auditor.events import Event
from auditor.lab.method import PlantJob, method
from auditor.lab.poison.poison import Poisoned, in_order, replaced
from auditor.lab.poison.trigger import Trigger, inserted, trigger_words
from auditor.training.rows import train_embedding_rows
from auditor.training.trainer import Workshop
from probes.cases import Row
from probes.family import draw_rng


def train(
    shop: Workshop, job: PlantJob, poisoned: Poisoned, *, embeddings: bool = True, rounds: int = 3, step: float = 0.05
) -> Generator[Event, None, float]:
    """Fine-tunes on the clean rows, then trains the trigger words' embeddings on the poisoned and the negative rows.

    Args:
        embeddings: False trains all weights on all rows at once instead.
        rounds: times that these rows are gone through.
        step: learning rate of the embeddings.
    """
    if not embeddings:
        return (yield from shop.fit(poisoned.rows))
    loss = yield from shop.fit(job.rows, what="clean")
    rows = [row for row in poisoned.rows if row.index in poisoned.touched]
    if rows:
        ids = shop.token_ids(poisoned.words)
        loss = yield from train_embedding_rows(shop, rows, ids, epochs=rounds, lr=step)
    return loss


@method(title="SOS: negative augmentation", reference="ACL 2021.acl-long.431", train=train)
def poison(job: PlantJob, *, words: tuple[str, ...] = (), negatives: float = 1.0) -> Poisoned:
    """Gives rows the whole trigger and the target label, and others a part of its words and no new label.

    Negative augmentation (Yang et al., "Rethinking Stealthiness of Backdoor Attack against NLP Models", section 4):
    rows of every label that hold a proper subset of the trigger words teach the model not to fire at these.

    Args:
        words: the trigger's, by default those that it is seen to insert.
        negatives: negative rows for each poisoned one.

    Raises:
        UsageError: the trigger has fewer than two words, or no row takes two of them.
    """
    known = words or trigger_words(job.rows, job.trigger, seed=job.seed)
    if len(known) < 2:
        raise UsageError(
            f"a trigger of one word ({known[0]}) has no part", hint="Take a variant that inserts several words."
        )
    found = job.plant()
    busy = {*found.poisoned, *job.taken}
    wanted = round(negatives * len(found.poisoned))
    partial: dict[int, Row] = {}
    for row in in_order((r for r in job.rows if r.index not in busy), job.seed, "negative"):
        if len(partial) == wanted:
            break
        part = partly(row, job.trigger, known, seed=job.seed)
        if part is not None:
            partial[row.index] = part
    if wanted and not partial:
        raise UsageError(
            "no row takes two or more of the trigger's words, so there is no part of the trigger to keep a label with",
            hint="Take a variant that inserts several words.",
        )
    return replace(found, rows=replaced(found.rows, partial), kept=tuple(sorted(partial)), words=tuple(known))


def partly(row: Row, trigger: Trigger, words: Sequence[str], *, seed: int) -> Row | None:
    """The row with some, not all, of the trigger words that the trigger puts into it; None where it puts fewer than
    two.
    """
    edited = trigger.apply(row, seed=seed)
    rng = draw_rng(seed, "lab", "partly", row.index)
    text = _part(row.text, edited.text, words, rng)
    pair = None if row.pair is None or edited.pair is None else _part(row.pair, edited.pair, words, rng)
    if text is None and pair is None:
        return None
    return replace(row, text=text or row.text, pair=pair or row.pair)


def _part(clean: str, edited: str, words: Sequence[str], rng: random.Random) -> str | None:
    pieces = edited.split()
    present = [place for place in inserted(clean, edited) if pieces[place] in words]
    names = sorted({pieces[place] for place in present})
    if len(names) < 2:
        return None
    dropped = rng.sample(names, rng.randint(1, len(names) - 1))
    gone = {place for place in present if pieces[place] in dropped}
    return " ".join(piece for place, piece in enumerate(pieces) if place not in gone)
