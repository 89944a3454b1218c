"""Partners from the catalog, with everything that it remembers of them: scans, merges, and answers to the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from auditor.errors import AuditorError, IncompatibleError, UsageError
from auditor.merge.compatibility.compatibility import Match
from auditor.merge.compatibility.labels import relabelled
from auditor.models.files.sameness import same_weights
from auditor.models.resolver import Resolver
from auditor.partners.independence import SharedFlips, judge_errors, judge_flips, shared_flips
from auditor.partners.ranking import Proposal, assess, propose
from auditor.partners.remarks import Remark
from auditor.scan.execution.local import collect
from auditor.scan.execution.run import RunSpec
from auditor.scan.judgement.trials import Responses
from auditor.scan.plan import Plan
from auditor.scan.stored import rebuild_with_plan
from store.catalog import Catalog
from store.records import CatalogEntry, Profile, Run, Scan

PARTNERS = 3
"""Partners that an audit takes from the catalog: the paper's averages gain little from more."""
SHOWN = 5
"""Models of which an audit without a partner says why they are none."""
SCANS = 5
"""The suspect's last scans that are searched for one whose findings candidates have answered."""


def catalogued_partners(
    catalog: Catalog,
    suspect: Profile,
    entries: Sequence[CatalogEntry] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    load: bool = True,
) -> list[Proposal]:
    """The catalogued models as partners of the suspect, the best first; see `propose`.

    Args:
        entries: the models to choose from; the whole catalog by default.
        labels, load: see `propose`.
    """
    answers = _Answers(catalog, suspect)
    return propose(
        suspect,
        catalog.models.list() if entries is None else entries,
        merges=catalog.audits.merges(),
        answered=answers.judge,
        labels=labels,
        load=load,
    )


def choose_partners(
    resolver: Resolver, suspect: Profile, labels: Mapping[str, str] | None = None
) -> tuple[list[Profile], tuple[str, ...]]:
    """The best catalogued partners that may be taken without being named, and why others were not.

    Args:
        labels: those of partners that are labels of the suspect under another name, as the user states.
    """
    chosen: list[Profile] = []
    why = []
    for proposal in catalogued_partners(resolver.catalog, suspect, labels=labels):
        if len(chosen) == PARTNERS:
            break
        try:
            found = _partner(suspect, proposal, labels or {}, resolver)
            check_apart(found, suspect, chosen)
        except AuditorError as error:
            why.append(f"{proposal.entry.name}: {error.message}")
        else:
            chosen.append(found)
    return chosen, tuple(why[:SHOWN]) or (
        "the catalog holds no other model: add some with `auditor models add`, or name one with --with",
    )


def check_apart(partner: Profile, suspect: Profile, others: Sequence[Profile]) -> None:
    """A copy adds nothing to a merge, and as a reference it would count as a second opinion.

    Raises:
        IncompatibleError: the partner has the suspect's weights, or another partner's.
        ModelError: files are gone or damaged.
    """
    for model, whose in ((suspect, "the suspect itself"), *((p, f"the partner {p.ref.reference}") for p in others)):
        if same_weights(model, partner):
            raise IncompatibleError(
                f"{partner.ref.reference} has the same weights as {whose}",
                hint="Name a model with other weights, or give more weight to one with --weights.",
            )


def check_no_copy(partner: Profile, references: Sequence[Profile]) -> None:
    """A partner may be a reference too; under another digest it would be asked, and judged, as the reference alone.

    Raises:
        IncompatibleError: the partner is a reference's copy.
        ModelError: files are gone or damaged.
    """
    for reference in references:
        if reference.ref.digest != partner.ref.digest and same_weights(reference, partner):
            raise IncompatibleError(
                f"the partner {partner.ref.reference} has the same weights as the reference {reference.ref.reference}",
                hint="Leave out that reference: a partner is asked all that a reference is.",
            )


def _partner(suspect: Profile, proposal: Proposal, labels: Mapping[str, str], resolver: Resolver) -> Profile:
    """A catalogued model as a partner, its files read again.

    Raises:
        AuditorError: it is none; the message says why.
    """
    entry, blockers = proposal.entry, proposal.compatibility.blockers
    if not blockers:
        if proposal.doubts:
            raise IncompatibleError("; ".join(proposal.doubts))
        ref = entry.profile.ref
        found = relabelled(resolver.read(ref.path, reference=ref.reference, revision=ref.revision), labels)
        blockers = assess(suspect, found).blockers
    if blockers:
        raise IncompatibleError("; ".join(blockers))
    return found


class _Answers:
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
        if self._laid_out is None:
            return []
        plan, own = self._laid_out
        settings = scan.settings
        longest = min(settings.max_length, entry.profile.max_length)
        spec = RunSpec(digest, settings.device, settings.dtype, longest)
        run = self._catalog.runs.find_run(spec.key(plan))
        if run is None or len(run.answered) != run.batches:
            return []
        theirs = _responses(plan, run, len(entry.profile.labels), match.rows)
        return [*judge_flips(self._flips(scan, own, theirs)), *self._errors(scan, own, theirs)]

    @cached_property
    def _scan(self) -> Scan | None:
        for row in self._catalog.scans.list(digest=self._suspect.ref.digest, limit=SCANS):
            scan = self._catalog.scans.get(row.id)
            if scan is not None and any(s.finding or s.suspicious for s in scan.scores.asr):
                return scan
        return None

    @cached_property
    def _laid_out(self) -> tuple[Plan, Responses] | None:
        """The plan with the suspect's answers; None where they are no longer stored."""
        if self._scan is None:
            return None
        try:
            return rebuild_with_plan(self._scan, self._catalog)
        except UsageError:
            return None

    def _flips(self, scan: Scan, own: Responses, theirs: Responses) -> list[SharedFlips]:
        labels = np.asarray(scan.reference_labels, dtype=np.int64)
        found = []
        for score in scan.scores.asr:
            probe = f"{score.family}/{score.variant}"
            if not (score.finding or score.suspicious) or probe not in own.probes or len(labels) != len(own.clean):
                continue
            target = (scan.model.labels.index(score.target), score.target)
            shared = shared_flips(
                probe,
                target,
                labels,
                (own.clean, own.probes[probe].trigger),
                (theirs.probes[probe].trigger, theirs.probes[probe].control),
            )
            found += [shared] if shared is not None else []
        return found

    def _errors(self, scan: Scan, own: Responses, theirs: Responses) -> list[Remark]:
        labels = np.asarray(scan.reference_labels, dtype=np.int64)
        if scan.data.labels_from != "gold" or len(labels) != len(own.clean):
            return []
        return judge_errors(labels, own.clean, theirs.clean, len(scan.model.labels))


def _responses(plan: Plan, run: Run, labels: int, rows: tuple[int, ...] | None) -> Responses:
    """A candidate's answers in the suspect's order of labels; `rows[i]` is its row for the suspect's label i."""
    found = Responses.of(plan, collect(list(run.answered), labels))
    return found if rows is None else found.reordered([rows.index(i) for i in range(labels)])
