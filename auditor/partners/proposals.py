"""Partners from the catalog, with everything that it remembers of them: scans, merges, and answers to the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.errors import AuditorError, IncompatibleError
from auditor.merge.compatibility.labels import relabelled
from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import is_adapter
from auditor.models.files.sameness import same_weights
from auditor.models.resolver import Resolver
from auditor.partners.answers import StoredAnswers
from auditor.partners.fitting import assess
from auditor.partners.ranking import Proposal, propose
from store.catalog import Catalog
from store.records import CatalogEntry, Profile

PARTNERS = 3
"""Partners that an audit takes from the catalog: the paper's averages gain little from more."""
SHOWN = 5
"""Models of which an audit without a partner says why they are none."""


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
    answers = StoredAnswers(catalog, suspect)
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
        if suspect.parts and is_adapter(found):
            found = on_base(found, suspect.parts[1])
        blockers = assess(suspect, found).blockers
    if blockers:
        raise IncompatibleError("; ".join(blockers))
    return found
