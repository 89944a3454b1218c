"""What guides guided module substitution: a search over the modules of a victim with texts that no table judges.

As in arXiv:2412.20476 the defender has some clean texts and some of the victim's own training texts that were found to
be poisoned. The search measures each substitution in memory; the merge itself is then made by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from paper_lab import DATA, Attack, DataSet, Protocol

from auditor.lab.poison.trigger import ByRule, Trigger, read_rewrites
from auditor.merge.strategies.guided_substitution import Guided, Measure, guide
from auditor.merge.tensors.modules import module_of, modules_of, weights_of
from auditor.models.files.profile import read_profile
from auditor.models.runtime.load import load_classifier, read_weights
from probes.corpus import read_corpus
from probes.family import FAMILIES
from probes.input import Input, Row
from probes.probe import Probe
from probes.sampling import sample

UNJUDGED: Mapping[str, str] = {"sst2": "sst2/test.csv", "olid": "olid/dev.csv"}
"""Labelled clean rows that no table judges. OLID has none that its training sets lack, so these were trained on."""
ROWS = 100
"""Clean rows, and poisoned ones, that the search sees."""


def unjudged(data: Path, name: str) -> list[Row]:
    """Clean rows of a data set whose texts are in none of its test files."""
    corpus = DATA[name]
    files = [corpus.test, *(attack.test for attack in corpus.attacks.values() if attack.test)]
    judged = {row.input for file in files for row in read_corpus(data / file, labels=corpus.labels).rows}
    rows = read_corpus(data / UNJUDGED[name], labels=corpus.labels).rows
    return [row for row in rows if row.input not in judged]


def poisoned(data: Path, name: str, attack: str) -> list[Row]:
    """Training texts with the attack's trigger, of another class than the target where the attack takes any.

    A set that came poisoned is compared with its clean twin; elsewhere the trigger is put into training rows.
    """
    corpus, spec = DATA[name], DATA[name].attacks[attack]
    target = corpus.labels.index(corpus.target)
    pairs = list(_published(data, corpus, spec) if spec.train else _planted(data, corpus, spec))
    edited = [(clean, row) for clean, row in pairs if _letters(clean.text) != _letters(row.text)]
    moved = [row for clean, row in edited if clean.label not in (target, None)]
    return moved or [row for clean, row in edited if clean.label == target]


def _published(data: Path, corpus: DataSet, spec: Attack) -> Iterator[tuple[Row, Row]]:
    """Row for row the clean training set and the poisoned one, as far as the poisoned row has the target label."""
    target = corpus.labels.index(corpus.target)
    clean, edited = (read_corpus(data / file, labels=corpus.labels).rows for file in (corpus.train, str(spec.train)))
    known = {row.index: row for row in clean}
    yield from ((known[row.index], row) for row in edited if row.index in known and row.label == target)


def _planted(data: Path, corpus: DataSet, spec: Attack) -> Iterator[tuple[Row, Row]]:
    rows = read_corpus(data / corpus.train, labels=corpus.labels).rows
    trigger: Trigger
    if spec.rewrites:
        trigger = read_rewrites(data / spec.rewrites, split=Path(corpus.train).stem)
    else:
        family = FAMILIES[spec.family]
        variant = spec.variant or next(iter(family.variants))
        trigger = ByRule(Probe(family, variant, family.settings(variant)))
    yield from ((row, trigger.apply(row, seed=2)) for row in rows)


def _letters(text: str) -> str:
    """A text without what another tokenisation changes."""
    return "".join(character for character in text.casefold() if character.isalnum())


def search(data: Path, name: str, attack: str, victim: Path, partner: Path, protocol: Protocol) -> Guided:
    """The modules of the victim that the partner's should replace."""
    corpus = DATA[name]
    target = corpus.labels.index(corpus.target)
    clean = sample(unjudged(data, name), ROWS, 0)
    triggered = sample(poisoned(data, name, attack), ROWS, 0)
    profile, other = read_profile(victim), read_profile(partner)
    own, theirs = read_weights(profile), read_weights(other)
    model = load_classifier(profile, device=protocol.device, dtype="float32", max_length=protocol.max_length)
    parameters = model.parameters()

    def measure(plan: Mapping[str, Sequence[float]]) -> Measure:
        with torch.no_grad():
            for tensor in own:
                _, share = weights_of(module_of(tensor), plan, (1.0, 0.0))
                parameters[tensor].copy_((theirs if share else own)[tensor])
        right = _share(
            zip(model.choose([row.input for row in clean]).labels.tolist(), (row.label for row in clean), strict=True)
        )
        asks: list[Input] = [row.input for row in triggered]
        return Measure(right, _share((answer, target) for answer in model.choose(asks).labels.tolist()))

    try:
        return guide(modules_of(own), 2, measure({}), measure)
    finally:
        model.close()


def _share(answers: Iterable[tuple[int, int | None]]) -> float:
    """Of the answers whose label is the wanted one."""
    found = [answer == want for answer, want in answers]
    return sum(found) / len(found)
