"""What can be checked of a scan before anything runs: that the model can be judged, and is asked what fits it."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.errors import UsageError
from auditor.models.files.adapter import require_whole
from auditor.requests.scan import DECODINGS, GREEDY, MODEL_TEMPLATE, TEMPLATES, ScanRequest
from auditor.scan.judgement.judging import judging_for
from probes.corpus.gold import by_name
from probes.corpus.label_words import label_sets
from probes.family import CLASSIFIER, WRITER
from probes.input import Row
from store.records import Profile, Task


def writes(profile: Profile) -> bool:
    """Whether a model is asked to write."""
    return profile.task is Task.GENERATION


def audience_of(profile: Profile) -> str:
    """Which attack families are put to a model."""
    return WRITER if writes(profile) else CLASSIFIER


def check_task(suspect: Profile) -> None:
    """Raises:
    ModelError: the model is an adapter without its base.
    UsageError: the model neither classifies nor writes.
    """
    require_whole(suspect)
    if suspect.task is Task.OTHER:
        raise UsageError(
            f"{suspect.ref.reference} is a {suspect.architecture}, which neither classifies texts nor writes",
            hint="Give a model whose config.json names a …ForSequenceClassification or …ForCausalLM architecture.",
        )


def check_request(request: ScanRequest, suspect: Profile) -> None:
    """Refuses options that are not known, or are for the other kind of model: leaving them out without a word would
    mislead.

    Raises:
        UsageError: there is one.
    """
    for option, value, known in (
        ("--template", request.template, TEMPLATES),
        ("--decoding", request.decoding, tuple(DECODINGS)),
    ):
        if value not in known:
            raise UsageError(f"{option} takes {', '.join(known)}, not {value!r}")
    name = suspect.ref.reference
    if writes(suspect):
        if request.data.arguments():
            raise UsageError(
                f"{name} writes texts: it is asked prompts, and has no labelled rows",
                hint="Give your own prompts with --prompts FILE, in the place of --data.",
            )
        if request.students:
            raise UsageError(
                f"{name} writes texts: students are trained of classifiers only", hint="Leave out --students."
            )
    elif request.prompts is not None or request.template != MODEL_TEMPLATE or request.decoding != GREEDY:
        raise UsageError(
            f"{name} is a classifier: it is asked texts as they are, and writes nothing",
            hint="Leave out --prompts, --template and --decoding; give rows with --data.",
        )


def check_target(target: str, suspect: Profile, rows: Sequence[Row]) -> None:
    """Args:
        rows: of the user's; prompts may ask for labels, each of which is a target of models that write.

    Raises:
        UsageError: a classifier has no such label, or no behaviour of models that write is called so.
    """
    if not writes(suspect):
        target_index(target, suspect.labels)
        return
    known = [b.name for b in judging_for(suspect.task, (), label_sets=label_sets(rows)).behaviours]
    if target not in known:
        raise UsageError(
            f"no behaviour of a model that writes is called {target!r}", hint=f"Known are: {', '.join(known)}"
        )


def target_index(text: str, labels: Sequence[str]) -> int:
    """A label by its name (case does not matter where one name fits) or index.

    Raises:
        UsageError: no such label, or several; the message lists them.
    """
    if (named := by_name(labels)(text.strip())) is not None:
        return named
    if text.isdecimal() and int(text) < len(labels):
        return int(text)
    known = ", ".join(f"{i} {name}" for i, name in enumerate(labels))
    raise UsageError(f"the model has no label {text!r}", hint=f"Its labels are: {known}")
