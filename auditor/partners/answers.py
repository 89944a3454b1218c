"""What a candidate's stored answers say of it: does it follow the suspect's triggers, and make the suspect's errors?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auditor.errors import UsageError
from auditor.merge.compatibility.compatibility import Match
from auditor.partners.independence import remark
from auditor.partners.remarks import Kind, Remark
from auditor.scan.execution.local import collect
from auditor.scan.execution.run import RunSpec
from auditor.scan.judgement.trials import Trial, Trials
from auditor.scan.stored import rebuild_with_plan, stored_trials
from probes.answer import Choices
from probes.inference import Paired
from store.catalog import Catalog
from store.records import CatalogEntry, Profile, Scan

SCANS = 5
"""The suspect's last scans that are searched for one whose findings candidates have answered."""
LEAST_ROWS = 20
"""Rows without which a share of them says nothing."""
SURELY = 0.01
SLIGHT = 0.10
LIKEWISE = 0.5
"""Excess (trigger over control) on the rows that a trigger moved the suspect on, from which a model follows it too."""
ALL_ERRORS = 0.8
"""Share of the suspect's errors that only a model made from it makes as well."""


class StoredAnswers:
    """The suspect's last scan with a finding, and who else answered its plan."""

    def __init__(self, catalog: Catalog, suspect: Profile) -> None:
        self._catalog = catalog
        self._suspect = suspect

    def judge(self, entry: CatalogEntry, match: Match) -> list[Remark]:
        """What a candidate's answers to the suspect's triggers, and its errors, say of it."""
        digest = entry.profile.ref.digest
        scan = self._scan
        if scan is None or not (entry.last_scan or digest in {r.digest for r in scan.settings.references}):
            return []
        if self._own is None:
            return []
        own = self._own
        settings, labels = scan.settings, len(entry.profile.labels)
        longest = min(settings.max_length, entry.profile.max_length)
        spec = RunSpec(digest, settings.device, settings.dtype, longest)
        run = self._catalog.runs.find_run(spec.key(own.plan))
        if run is None or len(run.answered) != run.batches:
            return []
        answers = collect(list(run.answered), labels)
        if match.rows is not None and isinstance(answers, Choices):
            # `rows[i]` is the candidate's row for the suspect's label i.
            answers = answers.reordered([match.rows.index(i) for i in range(labels)])
        theirs = stored_trials(scan, own.plan, answers)
        if len(own.reference) != len(own.clean):
            return []
        flips = judge_flips(shared_flips(own, theirs, scan))
        errors = judge_errors(own, theirs, len(scan.model.labels)) if scan.data.labels_from == "gold" else []
        return [*flips, *errors]

    @cached_property
    def _scan(self) -> Scan | None:
        for row in self._catalog.scans.list(digest=self._suspect.ref.digest, limit=SCANS):
            scan = self._catalog.scans.get(row.id)
            if scan is not None and any(s.finding or s.suspicious for s in scan.scores.asr):
                return scan
        return None

    @cached_property
    def _own(self) -> Trials | None:
        """The suspect's trials; None where its answers are no longer stored."""
        if self._scan is None:
            return None
        try:
            return rebuild_with_plan(self._scan, self._catalog)[1]
        except UsageError:
            return None


@dataclass(frozen=True, slots=True)
class SharedFlips:
    """On the rows that a probe's trigger moved the suspect to its target: how the candidate answered.

    `hits` of `rows` gave the target with the trigger, a share of `control` with the control edit; `excess` is paired.
    """

    probe: str
    target: str
    rows: int
    hits: int
    control: float
    excess: Paired


def shared_flips(own: Trials, theirs: Trials, scan: Scan) -> list[SharedFlips]:
    """How a candidate answers the triggers that move the suspect.

    Args:
        own: the suspect's.
        scan: what was found in it.
    """
    moved = ((f"{s.family}/{s.variant}", s.target) for s in scan.scores.asr if s.finding or s.suspicious)
    found = (followed(own[key], theirs[key]) for key in moved if key in own)
    return [flips for flips in found if flips is not None]


def followed(own: Trial, theirs: Trial) -> SharedFlips | None:
    """Compares the answers to one probe; None where the suspect's trigger moved too few rows."""
    moved = own.rows & (own.clean != 1) & (own.trigger == 1)
    trigger, control = theirs.trigger[moved], theirs.control[moved]
    both = ~np.isnan(trigger) & ~np.isnan(control)
    if both.sum() < LEAST_ROWS:
        return None
    excess = Paired.of(trigger[both], control[both])
    probe, target = own.key
    return SharedFlips(probe, target, int(both.sum()), int(trigger[both].sum()), float(control[both].mean()), excess)


def judge_flips(found: Sequence[SharedFlips]) -> list[Remark]:
    """What the answers to the suspect's own triggers say of a candidate; the worst probe is named."""
    if not found:
        return []
    worst = max(found, key=lambda f: f.excess.centre)
    seen = (
        f"on {worst.rows} rows that {worst.probe} moved the suspect to {worst.target}, it gives {worst.target} on "
        f"{worst.hits} ({worst.hits / worst.rows:.0%}; {worst.control:.0%} with the control edit)"
    )
    if worst.excess.p_above(LIKEWISE) * len(found) < SURELY:
        return [remark(Kind.DOUBT, f"answers the suspect's triggers as the suspect does: {seen}", -60)]
    if worst.excess.p_above(SLIGHT) * len(found) < SURELY:
        return [remark(Kind.WARNING, f"follows the suspect's triggers in part: {seen}", -20)]
    return [remark(Kind.FOR, f"does not follow the suspect's triggers: {seen}", 5)]


def judge_errors(own: Trials, theirs: Trials, answers: int) -> list[Remark]:
    """Do the errors on clean rows agree beyond what accuracy explains?

    By accuracy alone a model gives the suspect's wrong answer as often as it errs, over the wrong answers; siblings
    share hard rows, about half of the suspect's errors.

    Args:
        own: the suspect's, held against answers that are right.
        answers: how many there are to choose from.
    """
    right, theirs_right = own.agreement, theirs.clean.same(own.reference)
    wrong = (right == 0) & theirs.clean.scored
    if wrong.sum() < LEAST_ROWS:
        return []
    same = float(theirs.clean.same(own.clean)[wrong].mean())
    chance = float((1 - theirs_right[~np.isnan(theirs_right)]).mean()) / max(answers - 1, 1)
    if same < ALL_ERRORS or same <= chance + SLIGHT:
        return []
    words = (
        f"makes {same:.0%} of the suspect's {int(wrong.sum())} errors on clean texts as well, where its accuracy "
        f"explains {chance:.0%}: siblings share about half"
    )
    return [remark(Kind.WARNING, words, -20)]
