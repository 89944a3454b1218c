"""Students beside a scan: a part of its rows teaches them, and does not judge."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditor.data.rows import read_rows
from auditor.errors import AuditorError, ModelError, UsageError
from auditor.events import Event
from auditor.models.runtime.device import pick_device, pick_dtype
from auditor.requests.scan import ScanRequest
from auditor.scan.judgement.classification import not_judgeable
from auditor.scan.prepare import check_task
from auditor.students.base_of import base_of
from auditor.students.make import TrainRequest, students
from auditor.training.base import check_base
from auditor.training.plan import MAX_LENGTH, plan_training, seconds
from auditor.training.split import FEW, LEAST, SEED, split_rows
from auditor.training.trainer import clock
from probes.corpus import Corpus
from probes.input import Row
from probes.sampling import distinct, sample
from store.records import Profile

if TYPE_CHECKING:
    from auditor.session import Session

MOST = 1_000
"""Rows that teach, at most: more of them made students little better."""
SHARE = 3
"""One row in so many teaches, at most: the others judge."""


@dataclass(frozen=True)
class Course:
    """What students of a scan's suspect are made from: the base, the rows that teach, and the scan's without them."""

    base: Profile
    rows: tuple[Row, ...]
    judging: Corpus


def plan_course(session: Session, request: ScanRequest) -> Course:
    """Checks what can be checked before a student is trained, and divides the rows.

    Raises:
        UsageError: no base is known or it does not fit, the rows cannot be read, or they are too few.
        ModelError: the suspect cannot be judged, or files are damaged.
    """
    suspect = session.profile(request.model)
    check_task(suspect)
    if reason := not_judgeable(suspect):
        raise ModelError(f"{reason}; students are trained of single-label classifiers")
    base, _ = base_of(session, suspect, request.base)
    check_base(base, suspect.labels)
    rows, judging = divide(read_rows(request.data, suspect.labels))
    return Course(base, rows, judging)


def teach(session: Session, request: ScanRequest, count: int, course: Course) -> Generator[Event, None, list[Profile]]:
    """The students, trained now or found again; see `students`, which raises the same."""
    wanted = TrainRequest(
        request.data,
        None,
        model=request.model,
        base=request.base,
        count=count,
        seed=request.seed,
        max_length=min(request.max_length or MAX_LENGTH, MAX_LENGTH),
    )
    made = yield from students(session, wanted, course.rows)
    return [session.profile(str(path)) for path in made]


def offer(session: Session, request: ScanRequest, suspect: Profile, rows: Sequence[Row], count: int = 2) -> str:
    """How partners can be made where there are none: with the rows, the time and the command, or what is missing."""
    base = request.base
    try:
        found, _ = base_of(session, suspect, base)
        check_base(found, suspect.labels)
        taught = split_rows(_teaching(rows)).taught
    except AuditorError as error:
        return f"partners could be made of the model's own answers to your rows (--make-partner), but {error.message}"
    device = pick_device(session.settings.device)
    dtype = pick_dtype(session.settings.dtype, device)
    training = plan_training(found, len(taught), seed=request.seed)
    minutes = clock(count * seconds(found, taught, training, device, dtype))
    words = ["auditor", "audit", request.model, "--make-partner", str(count), *request.data.arguments()]
    command = shlex.join([*words, *(["--base", base] if base else [])])
    return (
        f"partners can be made: `{command}` trains {count} students from the model's own answers to {len(taught):,} of "
        f"the rows, in about {minutes} on {device} in {dtype}"
    )


def divide(corpus: Corpus) -> tuple[tuple[Row, ...], Corpus]:
    """The rows that teach, without their labels, and the corpus of those that judge.

    A third teaches, at most a thousand rows. The choice depends on the rows' texts alone: scans with other suites and
    seeds take the same, so that their students are the same ones.

    Raises:
        UsageError: too few rows.
    """
    taught = _teaching(corpus.rows)
    seen = {row.input for row in taught}
    left = tuple(row for row in corpus.rows if row.input not in seen)
    note = f"{len(taught):,} of {len(corpus.rows):,} rows are kept for students to learn from; they do not judge"
    return taught, replace(corpus, rows=left, notes=(*corpus.notes, note))


def _teaching(rows: Sequence[Row]) -> tuple[Row, ...]:
    bare = distinct(replace(row, label=None) for row in rows if row.text.strip())
    count = min(MOST, len(bare) // SHARE)
    if count < LEAST:
        raise UsageError(
            f"{len(bare)} rows are too few for students: one in {SHARE} teaches them and does not judge, and "
            f"{LEAST} at least must teach",
            hint=f"Give {SHARE * FEW} rows or more with --data, {SHARE * MOST:,} for the best students; "
            "they need no labels.",
        )
    return sample(bare, count, SEED)
