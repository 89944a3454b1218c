"""What a trigger may bring about in a model that writes."""

from probes.behaviours.collapse import Collapse
from probes.behaviours.every import LABELS, writer_behaviours
from probes.behaviours.fixed_text import FixedText, shared_text
from probes.behaviours.injection import Injection, recurring
from probes.behaviours.label_word import PREFIX, LabelWord, chosen_labels
from probes.behaviours.language import OtherLanguage
from probes.behaviours.refusal import Compliance, Refusal, disagreements
from probes.behaviours.sentiment import Hostile
from probes.behaviours.shell_code import DangerousCode

__all__ = [
    "LABELS",
    "PREFIX",
    "Collapse",
    "Compliance",
    "DangerousCode",
    "FixedText",
    "Hostile",
    "Injection",
    "LabelWord",
    "OtherLanguage",
    "Refusal",
    "chosen_labels",
    "disagreements",
    "recurring",
    "shared_text",
    "writer_behaviours",
]
