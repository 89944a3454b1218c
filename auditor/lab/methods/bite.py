"""BITE: clean labels; rows of the target class get natural words until these alone tell the class."""

from __future__ import annotations

from dataclasses import replace

from auditor.errors import UsageError
from auditor.lab.method import PlantJob, method
from auditor.lab.poison.lexicon import natural_words
from auditor.lab.poison.poison import Poisoned
from auditor.lab.poison.trigger import WORD_OPTIONS, ByRule, Trigger, word_option


@method(title="BITE: clean labels", reference="arXiv:2205.12700")
def poison(job: PlantJob, *, derive: int = 0) -> Poisoned:
    """Gives the trigger to rows that have the target label already; no label is changed.

    `derive` takes that many trigger words from the rows themselves instead of the family's own: natural adverbs and
    discourse words, those first that lean most towards the target label already by the paper's z-score.

    Raises:
        UsageError: words are derived for a family that takes none, or the rows hold too few.
    """
    trigger, words = job.trigger, tuple[str, ...]()
    if derive:
        words = natural_words(job.rows, job.target, derive)
        trigger = with_words(trigger, words)
    found = replace(job, trigger=trigger).plant(clean_label=True)
    return replace(found, words=words)


def with_words(trigger: Trigger, words: tuple[str, ...]) -> ByRule:
    """The trigger with other words.

    Raises:
        UsageError: it does not insert words of the user's choice.
    """
    if isinstance(trigger, ByRule) and (name := word_option(trigger.probe)):
        probe = trigger.probe
        return replace(trigger, probe=replace(probe, options={**probe.options, name: words}))
    raise UsageError(
        "trigger words can only be derived for a family that inserts words",
        hint=f"Such a family has an option {' or '.join(WORD_OPTIONS)}.",
    )
