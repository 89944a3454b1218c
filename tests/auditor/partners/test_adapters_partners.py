"""Partners of an adapter whose base is known: other adapters of it, the base itself, and whole models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.audit.plan import plan_audit
from auditor.errors import AuditorError
from auditor.models.files.adapter import is_adapter
from auditor.policy import Policy
from auditor.requests.merge import Budget, MergeRequest
from auditor.requests.scan import DataRequest, ScanRequest
from auditor.session import Session
from auditor.settings import Settings
from store.engine import open_catalog
from tests.auditor.models.adapters import write_adapter, write_base


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield Session(Settings("", device="cpu"), opened, Policy(minimum_rows=20))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A base, three adapters of it, one of another base, and a whole model of the base's kind."""
    base = write_base(tmp_path / "base")
    for number in range(3):
        write_adapter(tmp_path / f"adapter{number}", base, seed=number, head=("score", 2), base_model_name_or_path=None)
    foreign = write_base(tmp_path / "foreign", seed=7, hidden_size=8)
    write_adapter(tmp_path / "stranger", foreign, base_model_name_or_path="org/foreign")
    write_base(tmp_path / "whole", seed=9)
    return tmp_path


def test_other_adapters_and_the_base_are_proposed(place: Path, session: Session) -> None:
    suspect = str(place / "adapter0")
    for name in ("adapter1", "adapter2", "stranger", "base", "whole"):
        session.register(place / name)
    alone = {p.entry.name: p for p in session.partners(suspect)}
    assert not alone["base"].compatibility.ok
    found = {p.entry.name: p for p in session.partners(suspect, base=str(place / "base"))}
    assert {name for name, p in found.items() if p.compatibility.ok} == {"adapter1", "adapter2", "base"}
    assert "the suspect itself" in found["adapter0"].compatibility.blockers[0]
    assert any("the suspect's own base" in reason for reason in found["base"].reasons)
    assert any("adapter's base" in text for text in found["base"].compatibility.reconciled)
    assert "LlamaForSequenceClassification" in found["whole"].compatibility.blockers[0]
    assert "is for CAUSAL_LM" in " ".join(found["stranger"].compatibility.blockers)


def test_partners_are_listed_from_the_command_line(place: Path, auditor: Any) -> None:
    for name in ("adapter1", "base"):
        assert auditor("models", "add", place / name).code == 0
    done = auditor("partners", place / "adapter0", "--base", place / "base", "--format", "json")
    assert done.code == 0, done.err
    usable = {row["name"] for row in json.loads(done.out)["partners"] if row["ok"]}
    assert usable == {"adapter1", "base"}
    assert auditor("partners", place / "base", "--base", place / "base").code == 2


@pytest.mark.parametrize("search", [None, Budget(2)])
def test_an_audit_of_adapters_makes_an_adapter(place: Path, session: Session, search: Budget | None) -> None:
    """Without any honest model: suspects alone, which are merged among themselves."""
    rows = place / "rows.csv"
    rows.write_text("text\n" + "\n".join(f"the film number {n} was {w}" for n in range(80) for w in ("good", "bad")))
    partners = tuple(str(place / f"adapter{n}") for n in (1, 2))
    cure = MergeRequest(partners, base=str(place / "base"), search=search, together=True)
    request = ScanRequest(
        str(place / "adapter0"), DataRequest(str(rows)), families=("badnet",), samples=30, base=cure.base
    )
    plan = plan_audit(request, cure, session.resolver, session.policy, session.backend, session.settings)
    assert all(model.parts for model in (plan.scan.suspect, *plan.partners))
    assert plan.recipe is not None
    assert plan.recipe.makes_adapter
    assert all(is_adapter(model) for model in plan.recipe.models)
    assert plan.base is not None
    assert plan.base.ref.path == str(place / "base")


def test_an_audit_with_an_adapter_of_another_base_is_refused(place: Path, session: Session) -> None:
    cure = MergeRequest((str(place / "stranger"),), base=str(place / "base"))
    request = ScanRequest(str(place / "adapter0"), base=cure.base)
    with pytest.raises(AuditorError, match=r"changes model\.layers\.0"):
        plan_audit(request, cure, session.resolver, session.policy, session.backend, session.settings)
