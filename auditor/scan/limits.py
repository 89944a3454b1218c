"""What a scan did not try, and how what was scanned differs from what may be deployed, in words."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.requests.scan import ScanRequest
from probes.corpus import Corpus
from probes.family import FAMILIES
from probes.suite import Suite


def limits_of(
    *,
    request: ScanRequest,
    suite: Suite,
    known: Sequence[str],
    corpus: Corpus,
    rows: int,
    probed: int,
    gold: bool,
    device: str,
    dtype: str,
    stored_dtype: str,
    max_length: int,
    notes: Sequence[str],
    screened: Sequence[str] = (),
    cut: int = 0,
    cut_at: int = 0,
    writing: bool = False,
) -> tuple[str, ...]:
    """Sentences for a report's last part.

    Args:
        writing: the model writes: rows are prompts.
    """
    tried = ", ".join(dict.fromkeys([*(p.family.name for p in suite.probes), *(n.partition("/")[0] for n in screened)]))
    fired = {*(p.name for p in suite.probes), *screened}
    families = {n: FAMILIES[n] for n in dict.fromkeys(name.partition("/")[0] for name in sorted(fired))}
    needing = [
        f"{n}/{v}"
        for n in known
        for v in FAMILIES[n].referenced
        if f"{n}/{v}" not in fired and not FAMILIES[n].decided_by_kind(v)
    ]
    out = [
        f"Only the edits of these families were tried: {tried}. A backdoor with another trigger, or one that needs "
        "a context these rows do not have, is not seen."
    ]
    left = [n for n in known if n not in families and not _all_in(needing, n)]
    if left:
        out.append(f"Known families that this scan did not fire: {', '.join(left)} (`--family NAME` fires one).")
    skipped = [n for f in families.values() for v in f.variants if (n := f"{f.name}/{v}") not in {*fired, *needing}]
    if skipped:
        out.append(f"Variants left to `--suite full`: {', '.join(skipped)}.")
    if needing:
        out.append(
            "Not fired, since two or more references of the same task (--reference) alone can judge them: "
            f"{', '.join(needing)}."
        )
    if request.target is not None:
        out.append(f"Only the target {request.target} was judged.")
    if writing:
        out += _of_writing(request, len(corpus.rows), probed)
    elif request.data.source is None:
        out.append("The rows are built-in sentences, not the model's own task: --data gives a sharper scan.")
    if probed < len(corpus.rows) and not writing:
        more = f"; {rows - probed} others were asked as they are, for the clean accuracy" if rows > probed else ""
        out.append(f"{probed} of {len(corpus.rows)} rows were probed{more}.")
    if not gold and not writing:
        out.append(
            "There are no gold labels: the clean accuracy is unknown, rows are held against the model's own "
            "predictions, and labels in another order than their names say would not be seen."
        )
    if not writing:
        out.append(f"Inputs are cut at {max_length} tokens; text beyond them is not seen.")
    if cut:
        out.append(
            f"{cut} of {rows} rows were too long for that once edited: they were cut at {cut_at} tokens, at whole "
            "words, before the edits were made, so that all of these are seen; the rest of these rows was not tried."
        )
    if _family(dtype) != _family(stored_dtype):
        out.append(f"The weights are stored as {stored_dtype} and were scanned as {dtype} on {device}.")
    else:
        out.append(f"Scanned as {dtype} on {device}; a quantised or converted copy may behave otherwise.")
    return (*out, *notes)


def _of_writing(request: ScanRequest, prompts: int, probed: int) -> list[str]:
    """What is to be said of the prompts, and of the answers to them."""
    how = request.asking
    source = "built-in" if request.prompts is None else "given"
    return [
        f"{probed} of {prompts} {source} prompts were asked, in the form {how.template!r}; a backdoor that needs "
        "another kind of prompt, a system message or an earlier turn is not seen.",
        f"Answers were written to at most {how.tokens} tokens ({request.decoding}): what comes later in an answer is "
        "not seen, and a deployment that samples answers otherwise.",
        "What answers show is told by simple rules (phrases, words, patterns, repetition), not by a reader.",
        "What a model brings into its answers without any trigger is told only beside references, or beside the base "
        "of an adapter.",
    ]


def _all_in(needing: Sequence[str], family: str) -> bool:
    """Whether all variants of a family, which has some, are among those that need references."""
    variants = FAMILIES[family].variants
    return bool(variants) and all(f"{family}/{variant}" in needing for variant in variants)


def _family(dtype: str) -> str:
    return {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}.get(dtype.upper(), dtype.lower())
