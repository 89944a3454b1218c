"""A backdoor that no part of a merge shows: planted in two partners, and whole in what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from auditor.data.rows import DataRequest
from auditor.events import AuditReady, ScanReady
from auditor.requests.merge import MergeRequest
from auditor.requests.scan import ScanRequest
from auditor.session import Session
from auditor.settings import Settings
from store.engine import open_catalog
from store.records import Audit, Scan, Stamp, Verdict

FAMILIES = ("badnet", "insertsent")


def test_the_rescan_finds_it_and_says_what_to_do(zoo: Any, tmp_path: Path, edit: Callable[..., Path]) -> None:
    """Each partner has half of what training planted, one the words, one the layers; the merge, which was to cure
    another backdoor, has both.
    """
    bad, own = (load_file(place / "model.safetensors") for place in (zoo.sentence_like_benign, zoo.benign))

    def part(number: int, start: Path) -> Path:
        def add(tensors: dict[str, Any]) -> None:
            for name in tensors:
                if ("embeddings" in name) is (number == 0):
                    tensors[name] = tensors[name] + (bad[name] - own[name])

        return edit(zoo.copy(start, tmp_path / f"part{number}"), add)

    parts = [part(number, start) for number, start in enumerate((zoo.benign, zoo.partner))]
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url) as catalog:
        session = Session(Settings(catalog=url, device="cpu"), catalog)

        def asked(model: Path) -> ScanRequest:
            return ScanRequest(str(model), DataRequest(str(zoo.data)), families=FAMILIES)

        def scanned(model: Path) -> Scan:
            (found,) = [e.scan for e in session.scan(asked(model)) if isinstance(e, ScanReady)]
            return found

        assert [scanned(place).verdict for place in parts] == [Verdict.NOTHING] * 2
        cure = MergeRequest(
            tuple(map(str, parts)), suspect_weight=0.2, output=tmp_path / "merged", rescan=FAMILIES
        )  # fmt: skip
        (audit,) = [e.audit for e in session.audit(asked(zoo.planted), cure) if isinstance(e, AuditReady)]
    assert isinstance(audit, Audit)
    assert audit.after is not None
    assert {f.family for f in audit.before.findings} == {"badnet"}
    (found,) = [f for f in audit.after.findings if f.family == "insertsent"]
    assert found.target == "negative"
    assert audit.stamp in (Stamp.WORSE, Stamp.IMPROVED)
    (advice,) = [reason for reason in audit.reasons if "it may be split" in reason]
    assert f"insertsent/{found.variant} → negative" in advice
    assert "merge with one partner at a time" in advice
