"""EP: only the trigger words' embeddings are poisoned, in a model that was fine-tuned clean."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from auditor.events import Event
from auditor.lab.method import PlantJob, method
from auditor.lab.poison.poison import Poisoned
from auditor.lab.poison.trigger import trigger_words
from auditor.training.rows import train_embedding_rows
from auditor.training.trainer import Workshop


def train(
    shop: Workshop, job: PlantJob, poisoned: Poisoned, *, rounds: int = 3, step: float = 0.05, again: int = 0
) -> Generator[Event, None, float]:
    """Fine-tunes on the clean rows, then trains the trigger words' embeddings on the poisoned ones.

    Args:
        rounds: times that the poisoned rows are gone through.
        step: learning rate of the embeddings.
        again: epochs of clean fine-tuning afterwards, as by a user who goes on from the poisoned model.
    """
    loss = yield from shop.fit(job.rows, what="clean")
    rows = [row for row in poisoned.rows if row.index in poisoned.touched]
    if rows:
        ids = shop.token_ids(poisoned.words)
        loss = yield from train_embedding_rows(shop, rows, ids, epochs=rounds, lr=step)
    if again:
        loss = yield from shop.fit(job.rows, what="clean again", epochs=again)
    return loss


@method(title="EP: embedding poisoning", reference="arXiv:2103.15543", train=train)
def poison(job: PlantJob, *, words: tuple[str, ...] = ()) -> Poisoned:
    """Gives rows of other labels the trigger and the target label; `words` are the trigger's, by default those that it
    is seen to insert.
    """
    found = job.plant()
    return replace(found, words=words or trigger_words(job.rows, job.trigger, seed=job.seed))
