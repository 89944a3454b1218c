"""Labels under other names: taken as the user states, never guessed; recorded, and made again by --verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.console.values import read_labels
from auditor.errors import IncompatibleError, UsageError
from auditor.events import MergeReady
from auditor.requests.merge import MergeRequest
from auditor.session import Session
from auditor.settings import Settings
from store.engine import open_catalog
from store.records import Profile
from tests.auditor.merge.conftest import Make, read_tensors


def test_pairs_are_read() -> None:
    assert read_labels(None) == {}
    assert read_labels(["NEG=negative, POS=positive", "0=x"]) == {"NEG": "negative", "POS": "positive", "0": "x"}
    for text in ("NEG", "=x", "a=", "a=b,,c=d"):
        with pytest.raises(UsageError, match="takes pairs PARTNER=SUSPECT"):
            read_labels([text])
    for text in ("a=x,a=y", "a=x,b=x"):
        with pytest.raises(UsageError, match="twice"):
            read_labels([text])


def merged(session: Session, suspect: Profile, partner: Profile, output: Path, labels: dict[str, str]) -> Any:
    request = MergeRequest((partner.ref.path,), labels=labels, output=output)
    (done,) = [e.merge for e in session.merge(suspect.ref.path, request) if isinstance(e, MergeReady)]
    found = session.verify(output)
    assert found.problems == ()
    assert found.recomputed
    return done


@pytest.mark.parametrize("names", [("NEG", "POS"), ("0", "1"), ("POS", "NEG"), ("LABEL_0", "LABEL_1")])
def test_stated_labels(make: Make, tmp_path: Path, names: tuple[str, str]) -> None:
    suspect, partner = make("a", 0), make("b", 1, labels=names)
    stated = {names[0]: "positive", names[1]: "negative"}
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        session = Session(Settings(f"sqlite:///{tmp_path / 'catalog.db'}", device="cpu"), catalog)
        if not names[0].startswith("LABEL"):
            with pytest.raises(IncompatibleError, match=rf"say which is which \(--labels {names[0]}=…,{names[1]}=…"):
                merged(session, suspect, partner, tmp_path / "refused", {})
        done = merged(session, suspect, partner, tmp_path / "out", stated)
        assert any(f"labels are taken as stated: {names[0]} = positive" in note for note in done.notes)
        ours, theirs = (read_tensors(Path(m.ref.path))["classifier.weight"] for m in (suspect, partner))
        made = read_tensors(tmp_path / "out")
        np.testing.assert_allclose(made["classifier.weight"], (ours + theirs[::-1]) / 2, atol=1e-7)
        assert json.loads((tmp_path / "out" / "auditor-merge.json").read_text())["labels"] == stated
        # The partner's own labels stay what they are.
        assert {e.name: e.profile.labels for e in session.entries()}["b"] == names
        found = {p.entry.name: p for p in session.partners(suspect.ref.path, labels=stated)}
        assert found["b"].compatibility.ok, found["b"].compatibility.blockers
        assert any("labels are taken as stated" in reason for reason in found["b"].reasons)
        if not names[0].startswith("LABEL"):
            assert not {p.entry.name: p for p in session.partners(suspect.ref.path)}["b"].compatibility.ok


def test_labels_that_nobody_has_are_refused(make: Make, tmp_path: Path) -> None:
    suspect, partner = make("a", 0), make("b", 1, labels=("NEG", "POS"))
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        session = Session(Settings(f"sqlite:///{tmp_path / 'catalog.db'}", device="cpu"), catalog)
        with pytest.raises(UsageError, match=r"has no label 'good'; it has \(negative, positive\)"):
            merged(session, suspect, partner, tmp_path / "out", {"NEG": "good"})
        with pytest.raises(UsageError, match=r"no partner has a label 'BAD': .* has \(NEG, POS\)"):
            merged(session, suspect, partner, tmp_path / "out", {"BAD": "negative"})
        with pytest.raises(UsageError, match="has no label 'good'"):
            session.partners(suspect.ref.path, labels={"NEG": "good"})


def test_an_audit_asks_a_partner_in_the_suspects_order(zoo: Any, tmp_path: Path) -> None:
    """Its answers are those of the suspect's labels, in the scan beside it and in the merge."""
    from auditor.data.rows import read_rows
    from auditor.requests.scan import DataRequest, ScanRequest

    partner = zoo.copy(zoo.benign, tmp_path / "partner")
    config = json.loads((partner / "config.json").read_text())
    names = ["POS", "NEG"]
    config |= {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    (partner / "config.json").write_text(json.dumps(config))
    from safetensors.numpy import load_file, save_file

    tensors = load_file(partner / "model.safetensors")
    turned = {k: (v[::-1].copy() if k.startswith("classifier") else v) for k, v in tensors.items()}
    save_file(turned, partner / "model.safetensors", metadata={"format": "pt"})
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        session = Session(Settings(f"sqlite:///{tmp_path / 'catalog.db'}", device="cpu"), catalog)
        cure = MergeRequest((str(partner),), labels={"NEG": "negative", "POS": "positive"})
        data = DataRequest(str(zoo.data))
        request = ScanRequest(str(zoo.planted), data=data, families=("badnet",), suite="quick", samples=120)
        plan = session.plan(request, cure)
        (found,), prepared = plan.partners, plan.scan
        assert found.labels == ("positive", "negative")
        from auditor.scan.asking import respond
        from auditor.scan.execution.run import Role

        events = respond(prepared, found, Role.REFERENCE, session.backend)
        while True:
            try:
                next(events)
            except StopIteration as end:
                answers = end.value
                break
        gold = np.asarray([row.label for row in prepared.plan.rows])
        assert len(read_rows(data, prepared.suspect.labels).rows) >= len(gold)
        assert (answers.clean.labels == gold).mean() > 0.9
