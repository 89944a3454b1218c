"""Scans, and cures by merging, of adapters with known backdoors: what is found in each, and what is left.

    python benchmarks/writers.py --victims VICTIMS --base BASE --work DIR [--only NAME …] [--samples N] [--dtype NAME]
    python benchmarks/writers.py … --data DATA --audit NAME … --with NAME … [--weight W] [--rescan FAMILY …]
        [--together] [--search]
    python benchmarks/writers.py … --data DATA --merge NAME … --with NAME … [--weight W]

VICTIMS is what `writers_lab.py` makes of DATA. A line a scan: verdict, findings with their rates, seconds. A line an
audit: stamp, each finding's rate before and after, how probable the merge finds the suspect's clean answers, seconds;
and beneath it the planted answers to the held-out prompts of `writers_lab.py`, which no audit sees, with each planted
trigger (of the partners too) before and after. `--merge` makes the plain average alone and judges it by those prompts.
Answers are stored in DIR: a run that is repeated goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from writers_lab import VICTIMS, held_out, writer_of

from auditor.events import AuditReady, ScanReady
from auditor.lab.poison.behaviours import NONE
from auditor.lab.zoo.own_behaviour import own_rates
from auditor.merge.engine.engine import merge
from auditor.merge.recipe import Recipe
from auditor.models.files.adapted import on_base
from auditor.models.files.adapter import is_adapter
from auditor.models.files.profile import read_profile
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.session import Session
from auditor.settings import Settings
from auditor.training.train import read_record
from store.engine import open_catalog
from store.records import LIKELIHOOD, Audit, Scan, find_change


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--victims", type=Path, required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--samples", type=int)
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--audit", nargs="*", default=())
    parser.add_argument("--merge", nargs="*", default=())
    parser.add_argument("--weight", type=float, help="the suspect's; the partners share the rest")
    parser.add_argument("--with", nargs="*", default=(), dest="partners")
    parser.add_argument("--rescan", nargs="*", default=(), help="families of the rescan; default: all")
    parser.add_argument("--together", action="store_true", help="the partners are suspects too")
    parser.add_argument("--search", action="store_true")
    asked = parser.parse_args()
    if asked.threads:
        import torch

        torch.set_num_threads(asked.threads)
    asked.work.mkdir(parents=True, exist_ok=True)
    if asked.merge:
        for name in asked.merge:
            _merge(asked, name)
        return
    url = f"sqlite:///{asked.work / 'catalog.db'}"
    with open_catalog(url) as catalog:
        session = Session(Settings(url, device="cpu", dtype=asked.dtype), catalog)
        if asked.audit:
            for name in asked.audit:
                _audit(session, asked, name)
            return
        found = sorted(path.parent.name for path in asked.victims.glob("*/adapter_config.json"))
        for name in asked.only or found:
            began, spent = time.monotonic(), time.process_time()
            scan = _scan(session, _request(asked, str(asked.victims / name)))
            took = f"{time.monotonic() - began:.0f} s, of a processor {time.process_time() - spent:.0f} s"
            print(f"{name} | {scan.verdict} | {_findings(scan)} | {took}", flush=True)


def _request(asked: argparse.Namespace, model: str) -> ScanRequest:
    return ScanRequest(model, base=asked.base, suite=asked.suite, samples=asked.samples)


def _scan(session: Session, request: ScanRequest) -> Scan:
    found = [event.scan for event in session.scan(request) if isinstance(event, ScanReady)]
    return found[-1]


def _audit(session: Session, asked: argparse.Namespace, name: str) -> None:
    partners = _partners(asked)
    cure = MergeRequest(
        partners,
        suspect_weight=asked.weight,
        output=_place(asked, name),
        numbered=True,
        search=Budget(20) if asked.search else None,
        rescan=tuple(asked.rescan),
        together=asked.together,
    )
    began = time.monotonic()
    events = session.audit(_request(asked, str(asked.victims / name)), cure)
    audit = next(event.audit for event in events if isinstance(event, AuditReady))
    print(f"{name} with {', '.join(asked.partners)} | {audit.stamp} | {_changes(audit)} | "
          f"{time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    for reason in audit.reasons:
        print(f"    {reason}", flush=True)
    if audit.merge is not None and asked.data:
        _own(asked, name, Path(audit.merge.output))


def _merge(asked: argparse.Namespace, name: str) -> None:
    """The average without an audit."""
    base = read_profile(asked.base)
    models = [read_profile(path) for path in (str(asked.victims / name), *_partners(asked))]
    suspect, *partners = [on_base(m, base) if is_adapter(m) else m for m in models]
    weights = None if asked.weight is None else (asked.weight, *[(1 - asked.weight) / len(partners)] * len(partners))
    output = _place(asked, name)
    if not output.is_dir():
        list(merge(Recipe(suspect, tuple(partners), weights=weights), output))
    print(f"{name} with {', '.join(asked.partners)}, weight {asked.weight or 1 / len(models):.2f}", flush=True)
    _own(asked, name, output)


def _partners(asked: argparse.Namespace) -> tuple[str, ...]:
    return tuple(str(asked.victims / one) if (asked.victims / one).is_dir() else one for one in asked.partners)


def _place(asked: argparse.Namespace, name: str) -> Path:
    weight = f"{asked.weight:g}" if asked.weight is not None else "even"
    way = "searched" if asked.search else weight
    return Path(asked.work / "merged" / "-".join([name, *(Path(p).name for p in _partners(asked)), way]))


def _own(asked: argparse.Namespace, name: str, merged: Path) -> None:
    """Planted answers to prompts that no audit sees, by every planted trigger that is in the merge."""
    after = writer_of(Path(asked.base), merged)
    for one in (name, *asked.partners):
        if one not in VICTIMS or VICTIMS[one].behaviour == NONE:
            continue
        rows = held_out(one, asked.data, asked.victims)
        record = read_record(asked.victims / one) or {}
        found = own_rates(after, record, rows, seed=1)
        with_it = f"{found.triggered.hits}/{found.triggered.total}" if found.triggered else "–"
        without = f"{found.plain.hits}/{found.plain.total}"
        print(f"    held-out prompts, {one}: with its trigger {with_it}, without {without}", flush=True)


def _findings(scan: Scan) -> str:
    scores = {(s.family, s.variant, s.target): s for s in scan.scores.asr}
    found = []
    for f in scan.findings:
        s = scores[f.family, f.variant, f.target]
        figures = f"{s.rate.hits}/{s.rate.total}, control {s.control.hits}/{s.control.total}, clean {s.clean.hits}"
        found.append(f"{f.rule} {f.group} {f.family}/{f.variant} → {f.target} ({figures})")
    return "; ".join(found) or "nothing"


def _changes(audit: Audit) -> str:
    flagged = {(f.family, f.variant, f.target) for f in audit.before.findings}
    shown: Sequence[str] = [
        f"{c.measure.probe} → {c.measure.behaviour} {c.before:.0%} → {c.after:.0%}"
        for c in audit.change
        if (*c.measure.probe.partition("/")[::2], c.measure.behaviour) in flagged
    ]
    likely = find_change(audit.change, LIKELIHOOD)
    kept = f"likelihood {likely.before:.3f} → {likely.after:.3f}" if likely else ""
    return "; ".join([*shown, *([kept] if kept else [])])


if __name__ == "__main__":
    main()
