"""One round of scans over models whose backdoors are known, all on the same terms."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.data.instructions import read_instructions
from auditor.data.rows import read_rows
from auditor.errors import UsageError
from auditor.events import Event, ScanReady
from auditor.lab.zoo.zoo import Inhabitant, inhabitants
from auditor.models.files.profile import read_profile
from auditor.requests.plant import BENIGN
from auditor.requests.scan import MODEL_TEMPLATE, TEMPLATES, DataRequest, ScanRequest
from auditor.training.train import read_record
from probes.corpus import CorpusError
from probes.input import Row
from store.records import Scan

if TYPE_CHECKING:
    from auditor.session import Session

REFERENCES = 3
"""Benign models that a scan takes as references, where it takes any."""


@dataclass(frozen=True)
class Round:
    """Models, and how each is scanned.

    `samples` are the rows a scan (None: the suite's own number), `families` names (none: all of the suite). With
    `references`, other benign models of the same held-out rows see the same edits. `data` has held-out files for models
    that have none of their own.
    """

    session: Session
    models: tuple[Inhabitant, ...]
    suite: str
    samples: int | None
    families: tuple[str, ...]
    references: bool
    data: tuple[str, ...]

    @classmethod
    def over(
        cls,
        session: Session,
        directory: Path | None,
        suite: str,
        samples: int | None,
        families: tuple[str, ...],
        *,
        references: bool,
        data: tuple[str, ...] = (),
    ) -> Round:
        """A round over a zoo; without a directory, over the catalogued models that the lab has made.

        Raises:
            UsageError: there are none.
        """
        models = inhabitants(directory) if directory else _catalogued(session)
        return cls(session, tuple(models), suite, samples, families, references, data)

    def request(self, model: Inhabitant) -> ScanRequest | None:
        """The scan of a model; None where there are no held-out rows for it. A model that writes is asked the built-in
        prompts, in the form that it was trained on.
        """
        if model.writes:
            return self._of_prompts(model)
        source = _heldout_of(model, self.data)
        if source is None:
            return None
        others = _references_of(model, self.models) if self.references else ()
        return ScanRequest(
            str(model.path),
            data=source,
            suite=self.suite,
            families=self.families,
            samples=self.samples,
            references=tuple(str(other.path) for other in others),
            seed=self.session.settings.seed,
        )

    def _of_prompts(self, model: Inhabitant) -> ScanRequest:
        others = _references_of(model, self.models) if self.references else ()
        template = str(model.record.get("template"))
        return ScanRequest(
            str(model.path),
            suite=self.suite,
            families=self.families,
            samples=self.samples,
            references=tuple(str(other.path) for other in others),
            template=template if template in TEMPLATES else MODEL_TEMPLATE,
            seed=self.session.settings.seed,
        )

    def instructions(self, model: Inhabitant) -> tuple[Row, ...]:
        """Held-out instructions with answers for a model that writes: its own, else the first of the given files.

        Raises:
            UsageError: there are none.
        """
        for path in (model.heldout, *map(Path, self.data)):
            if path is None:
                continue
            text, pair, answer = model.columns if path == model.heldout else (None, None, None)
            try:
                return read_instructions(path, prompt=text, second=pair, answer=answer).rows
            except CorpusError as error:
                if path == model.heldout:
                    raise UsageError(error.message, hint=error.hint) from error
        raise UsageError("no held-out instructions with answers: name them in the spec, or give them with --data")

    def scan(self, request: ScanRequest) -> Generator[Event, None, Scan]:
        """A scan's events, and its record; stored answers are used again."""
        found: list[Scan] = []
        for event in self.session.scan(request):
            if isinstance(event, ScanReady):
                found.append(event.scan)
            yield event
        return found[-1]


def _catalogued(session: Session) -> list[Inhabitant]:
    """The catalogued models that the lab has made.

    Raises:
        UsageError: there are none.
    """
    found = []
    for entry in session.entries():
        path = Path(entry.profile.ref.path)
        if (record := read_record(path)) is not None:
            beside = {m.name: m for m in inhabitants(path.parent)}
            found.append(beside.get(path.name, Inhabitant(entry.name, path, record)))
    if not found:
        raise UsageError(
            "the catalog holds no model that the lab has made", hint="`auditor lab zoo SPEC.toml -o DIR` makes some."
        )
    return found


def _heldout_of(model: Inhabitant, data: Sequence[str]) -> DataRequest | None:
    """The model's own held-out rows, else the first of the given files that fits its labels."""
    if model.heldout is not None:
        text, pair, label = model.columns
        return DataRequest(str(model.heldout), text, pair, label)
    labels = read_profile(model.path).labels
    for source in data:
        try:
            if read_rows(DataRequest(source), labels).label_names is not None:
                return DataRequest(source)
        except UsageError:
            continue
    return None


def _references_of(model: Inhabitant, models: Sequence[Inhabitant]) -> tuple[Inhabitant, ...]:
    """Other benign models that are judged on the same rows and have the same labels."""
    same = [
        other
        for other in models
        if other.record.get("family") == BENIGN
        and other.name != model.name
        and (other.heldout, other.record.get("labels")) == (model.heldout, model.record.get("labels"))
        and other.writes == model.writes
    ]
    return tuple(same[:REFERENCES])
