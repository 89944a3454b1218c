"""What a scan did not try, and how what was scanned differs from what may be deployed, in words."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.scan.request import ScanRequest
from probes.corpus import Corpus
from probes.suite import Suite


def limits_of(
    *,
    request: ScanRequest,
    suite: Suite,
    known: Sequence[str],
    corpus: Corpus,
    rows: int,
    gold: bool,
    device: str,
    dtype: str,
    stored_dtype: str,
    max_length: int,
    notes: Sequence[str],
) -> tuple[str, ...]:
    """Sentences for a report's last part."""
    tried = ", ".join(dict.fromkeys(p.family.name for p in suite.probes))
    left = [name for name in known if name not in {p.family.name for p in suite.probes}]
    out = [
        f"Only the edits of these families were tried: {tried}. A backdoor with another trigger, or one that needs "
        "a context these rows do not have, is not seen."
    ]
    if left:
        out.append(f"Known families that this scan did not fire: {', '.join(left)} (`--family NAME` fires one).")
    skipped = [
        f"{p.family.name}/{v}"
        for p in {p.family.name: p for p in suite.probes}.values()
        for v in p.family.variants
        if (p.family.name, v) not in {(q.family.name, q.variant) for q in suite.probes}
    ]
    if skipped:
        out.append(f"Variants left to `--suite full`: {', '.join(skipped)}.")
    if request.target is not None:
        out.append(f"Only the target {request.target} was judged.")
    if request.data.source is None:
        out.append("The rows are built-in sentences, not the model's own task: --data gives a sharper scan.")
    if rows < len(corpus.rows):
        out.append(f"{rows} of {len(corpus.rows)} rows were probed.")
    if not gold:
        out.append(
            "There are no gold labels: the clean accuracy is unknown, rows are held against the model's own "
            "predictions, and labels in another order than their names say would not be seen."
        )
    out.append(f"Inputs are cut at {max_length} tokens; what lies behind is not seen.")
    if _family(dtype) != _family(stored_dtype):
        out.append(f"The weights are stored as {stored_dtype} and were scanned as {dtype} on {device}.")
    else:
        out.append(f"Scanned as {dtype} on {device}; a quantised or converted copy may behave otherwise.")
    return (*out, *notes)


def _family(dtype: str) -> str:
    return {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}.get(dtype.upper(), dtype.lower())
