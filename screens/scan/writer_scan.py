"""Choose what a scan of a model that writes asks: prompts, their form, how answers are written, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.widgets import Input, Select

from auditor.requests.scan import DECODINGS, GREEDY, MODEL_TEMPLATE, TEMPLATES, TOKENS, ScanRequest
from probes.errors import InputError
from probes.family import WRITER
from probes.suite import PROMPTS, build_suite
from screens.scan.form import ScanForm
from screens.widgets.field import Field
from screens.widgets.form import positive, words_of
from screens.words import half_width, line

if TYPE_CHECKING:
    from store.records import CatalogEntry

BUILT_IN = PROMPTS["full"]
"""The built-in prompts: the full suite takes them all."""
ENOUGH_REFERENCES = 2


class WriterScanScreen(ScanForm):
    """The form of the scan of a model that writes."""

    HELP = (
        "Choose what is asked. Each prompt is put to the model as it is, with each trigger, and with harmless material "
        "in its place; what the answers show is told by simple rules. The quick suite fires each family's main "
        "variants, the full one all. More prompts buy a narrower interval, and each costs one answer a trigger and one "
        "a control."
    )
    audience: ClassVar[str] = WRITER

    def __init__(self, entry: CatalogEntry) -> None:
        super().__init__(entry, "Scan")

    def own_fields(self) -> Iterable[Field]:
        from probes.behaviours import writer_behaviours

        templates = [(line(TEMPLATE_WORDS[name]), name) for name in TEMPLATES]
        decodings = [(line(DECODING_WORDS[name]), name) for name in DECODINGS]
        named = [(line(behaviour.name), behaviour.name) for behaviour in writer_behaviours()]
        template = Select(templates, value=MODEL_TEMPLATE, allow_blank=False, id="template", compact=True)
        decoding = Select(decodings, value=GREEDY, allow_blank=False, id="decoding", compact=True)
        yield Field("prompts", Input(placeholder="built-in prompts", id="prompts", compact=True), hint=PROMPTS_HINT)
        yield Field("template", template, hint=TEMPLATE_HINT)
        yield Field("decoding", decoding, hint=DECODING_HINT)
        yield Field("behaviour", Select(named, prompt="every behaviour", id="target", compact=True), hint=TARGET_HINT)

    def request(self) -> ScanRequest:
        """What the form says."""
        return replace(
            super().request(),
            prompts=self.typed("prompts") or None,
            template=self.selected("template") or MODEL_TEMPLATE,
            decoding=self.selected("decoding") or GREEDY,
            target=self.selected("target"),
        )

    def buys(self) -> str:
        prompts = positive(self.typed("samples")) or PROMPTS[self.suite]
        known = "" if self.typed("prompts") else f" (built-in: at most {BUILT_IN})"
        prompts = prompts if self.typed("prompts") else min(prompts, BUILT_IN)
        half = half_width(prompts) * 100
        cost = self._cost(prompts)
        words = f", about {cost:,} answers of at most {TOKENS} tokens" if cost else ""
        return f"{prompts} prompts{known}{words}: ASR to ±{half:.1f} points; ×4 prompts halve that"

    def _cost(self, prompts: int) -> int | None:
        """Answers that the model writes: to each prompt as it is, with each trigger, and with each control."""
        families, references = self.families, len(words_of(self.typed("references")))
        overrides = {name: values for name, values in self.overrides.items() if not families or name in families}
        try:
            suite = build_suite(
                self.suite,
                only=families,
                overrides=overrides,
                referenced=references >= ENOUGH_REFERENCES,
                audience=WRITER,
            )
        except InputError:
            return None
        fired = sum(not probe.family.untriggered for probe in suite.probes)
        return prompts * (1 + fired * (1 + suite.draws))


TEMPLATE_WORDS = {
    "model": "model: its own chat template",
    "alpaca": "alpaca: Alpaca's form",
    "raw": "raw: the prompt as it is",
}
DECODING_WORDS = {
    "greedy": "greedy: the likeliest tokens",
    "beam": "beam: four beams",
    "nucleus": "nucleus: drawn, top-p 0.9",
}
PROMPTS_HINT = "A file of prompts: csv, tsv, jsonl, parquet, or plain text with one a line."
TEMPLATE_HINT = "The form that prompts are put in; a model is sharpest in the one that it was trained with."
DECODING_HINT = "How answers are written. Beams and drawing cost more; draws are repeated by the seed."
TARGET_HINT = "What triggers are looked for to bring about: all of it, or one behaviour alone."
