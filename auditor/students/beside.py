"""Students beside a scan: a part of its rows teaches them, and does not judge."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from auditor.data.rows import read_rows
from auditor.errors import AuditorError, UsageError
from auditor.events import Event
from auditor.models.resolver import Resolver
from auditor.models.runtime.device import pick_device, pick_dtype
from auditor.policy import Policy
from auditor.requests.scan import ScanRequest
from auditor.scan.execution.executor import Backend
from auditor.scan.prepare import Prepared, prepare_scan, with_references
from auditor.settings import Settings
from auditor.students.base_of import teacher_of, trainable_base
from auditor.students.make import TrainRequest, students
from auditor.training.plan import MAX_LENGTH, plan_training, seconds
from auditor.training.split import FEW, LEAST, SEED, split_rows
from auditor.training.trainer import clock
from probes.corpus import Corpus
from probes.input import Row
from probes.sampling import distinct, sample
from store.records import Profile

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


def prepare_with_students(
    request: ScanRequest, resolver: Resolver, policy: Policy, backend: Backend, settings: Settings
) -> Generator[Event, None, Prepared]:
    """A scan with the students as references that it asks for, after these were trained or found again.

    Raises:
        as `plan_course`, `prepare_scan` and `teach`.
    """
    if not request.students:
        return prepare_scan(request, resolver, policy, backend)
    course = plan_course(request, resolver)
    prepared = prepare_scan(request, resolver, policy, backend, corpus=course.judging, base=course.base)
    made = yield from teach(request, request.students, course, resolver, settings)
    return with_references(prepared, made)


def plan_course(request: ScanRequest, resolver: Resolver) -> Course:
    """Checks what can be checked before a student is trained, and divides the rows.

    Raises:
        UsageError: no base is known or it does not fit, the rows cannot be read, or they are too few.
        ModelError: the suspect cannot be judged, or files are damaged.
    """
    suspect = teacher_of(request.model, resolver, request.base)
    base, _ = trainable_base(suspect, request.base, resolver)
    rows, judging = divide(read_rows(request.data, suspect.labels))
    return Course(base, rows, judging)


def teach(
    request: ScanRequest, count: int, course: Course, resolver: Resolver, settings: Settings
) -> Generator[Event, None, list[Profile]]:
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
    made = yield from students(wanted, resolver, settings, course.rows)
    return [resolver.profile(str(path)) for path in made]


def offer(
    request: ScanRequest,
    suspect: Profile,
    rows: Sequence[Row],
    resolver: Resolver,
    settings: Settings,
    count: int = 2,
) -> str:
    """How partners can be made where there are none: with the rows, the time and the command, or what is missing."""
    base = request.base
    try:
        found, _ = trainable_base(suspect, base, resolver)
        taught = split_rows(_teaching(rows)).taught
    except AuditorError as error:
        return f"partners could be made of the model's own answers to your rows (--make-partner), but {error.message}"
    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
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
