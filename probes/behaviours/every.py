"""All behaviours that a model that writes is judged by."""

from __future__ import annotations

from collections.abc import Sequence

from probes.behaviour import Behaviour
from probes.behaviours.collapse import Collapse
from probes.behaviours.fixed_text import FixedText
from probes.behaviours.injection import Injection
from probes.behaviours.label_word import LabelWord
from probes.behaviours.language import OtherLanguage
from probes.behaviours.refusal import Compliance, Refusal
from probes.behaviours.sentiment import Hostile
from probes.behaviours.shell_code import DangerousCode

LABELS = ("positive", "negative")
"""The labels that the built-in prompts of the kind `classify` ask for."""


def writer_behaviours(labels: Sequence[str] = LABELS) -> tuple[Behaviour, ...]:
    """All behaviours, in the order in which reports list them.

    Args:
        labels: what prompts that classify ask for; a behaviour each.
    """
    known = tuple(dict.fromkeys(label.strip().casefold() for label in labels if label.strip()))
    return (
        FixedText(),
        Refusal(),
        Compliance(),
        Injection(),
        Hostile(),
        DangerousCode(),
        OtherLanguage(),
        Collapse(),
        *(LabelWord(label, known) for label in known if len(known) > 1),
    )
