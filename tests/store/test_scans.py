"""Scans; audits, merges, jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from store.catalog import Catalog
from store.jobs import UnknownJob
from store.records import AsrScore, Audit, Job, JobState, Merge, PartnerUse, Profile, Scan, Stamp, Verdict

MakeScan = Callable[..., Scan]


def test_a_scan_is_found_by_id_and_by_a_prefix_that_fits_it_alone(catalog: Catalog, make_scan: MakeScan) -> None:
    for scan_id in ("scan-a", "scan-abc", "scan-x1"):
        catalog.scans.save(make_scan(scan_id))
    assert catalog.scans.get("scan-a") == make_scan("scan-a"), "an exact id wins over longer ones"
    assert catalog.scans.get("scan-x") == make_scan("scan-x1")
    assert catalog.scans.get("scan") is None
    assert catalog.scans.get("____") is None
    assert catalog.scans.get("") is None


def test_scans_are_listed_newest_first(
    catalog: Catalog, make_scan: MakeScan, make_profile: Callable[..., Profile], make_score: Callable[..., AsrScore]
) -> None:
    other = make_profile("other")
    catalog.scans.save(make_scan("new", finished="2025-03-03T00:00:00+00:00", cacc=None, asr=()))
    catalog.scans.save(make_scan("old", finished="2025-03-01T00:00:00+00:00"))
    unjudged = (make_score(hits=99, judged=False), make_score(hits=40))
    catalog.scans.save(make_scan("mid", finished="2025-03-02T00:00:00+00:00", model=other, asr=unjudged))
    assert [row.id for row in catalog.scans.list()] == ["new", "mid", "old"]
    assert [row.id for row in catalog.scans.list(limit=1, offset=1)] == ["mid"]
    (row,) = catalog.scans.list(digest=other.ref.digest)
    assert (row.verdict, row.worst_asr, row.cacc, row.suite) == (Verdict.FOUND, 0.4, 0.9, "quick")
    newest = catalog.scans.list()[0]
    assert (newest.worst_asr, newest.cacc) == (None, None)
    assert catalog.scans.count() == 3
    assert catalog.scans.count(other.ref.digest) == 1


def test_a_model_shows_its_newest_scan_whatever_the_order_of_saving(
    catalog: Catalog, make_scan: MakeScan, make_profile: Callable[..., Profile]
) -> None:
    profile = make_profile()
    copy = replace(profile, ref=replace(profile.ref, path="/copy"))
    ids = [catalog.models.add(p).id for p in (profile, copy)]
    catalog.scans.save(make_scan("new", finished="2025-03-03T00:00:00+00:00", verdict=Verdict.NOTHING))
    catalog.scans.save(make_scan("old", finished="2025-03-01T00:00:00+00:00"))
    for model_id in ids:
        entry = catalog.models.get(model_id)
        assert entry is not None
        assert (entry.last_scan, entry.last_verdict) == ("new", Verdict.NOTHING)
        assert entry.last_scanned == "2025-03-03T00:00:00+00:00"
        assert entry.found_by == "old", "what was found stands"
    catalog.scans.save(make_scan("newest", finished="2025-03-04T00:00:00+00:00"))
    assert [e.found_by for e in catalog.models.list()] == ["newest", "newest"]


def test_audits_and_merges(catalog: Catalog, make_scan: MakeScan) -> None:
    def merge(suspect: str, output: str, kept: float = 0.2) -> Merge:
        partners = (PartnerUse("p", "pp", 0.8),)
        return Merge("wag", {"n": 1}, suspect, suspect, 0.2, kept, partners, output, output, 1.0, 2, "cpu")

    audit = Audit("audit-1", "s", "2025-01-01", make_scan(), None, merge("a", "b"), (), Stamp.IMPROVED, ("why",))
    catalog.audits.save(audit)
    catalog.audits.save(replace(audit, id="audit-2", finished="2025-01-02", stamp=None))
    assert catalog.audits.get("audit-1") == audit
    assert catalog.audits.get("audit-") is None
    assert [(row.id, row.stamp) for row in catalog.audits.list()] == [("audit-2", None), ("audit-1", Stamp.IMPROVED)]
    assert [row.id for row in catalog.audits.list(digest=make_scan().model.digest, limit=1)] == ["audit-2"]
    assert catalog.audits.list(digest="none") == []

    for made in (merge("a", "b"), merge("b", "c"), merge("x", "y"), merge("a", "b", kept=0.5)):
        catalog.audits.save_merge(made)
    assert catalog.audits.merges("b") == [merge("b", "c"), merge("a", "b", kept=0.5)]
    assert catalog.audits.merges("a") == [merge("a", "b", kept=0.5)]
    assert len(catalog.audits.merges()) == 3


def test_jobs(catalog: Catalog) -> None:
    job = Job("j1", 4711, "2025-01-01", ("auditor", "scan", "x"), "events.jsonl", subject="x", extra={"a": "b"})
    catalog.jobs.add(job)
    catalog.jobs.add(replace(job, id="j2", started="2025-01-02"))
    assert catalog.jobs.get("j1") == job
    assert [j.id for j in catalog.jobs.list()] == ["j2", "j1"]
    assert [j.id for j in catalog.jobs.list(1)] == ["j2"]
    catalog.jobs.finish("j1", None, "t1")
    assert catalog.jobs.get("j1") == replace(job, state=JobState.LOST, finished="t1")
    catalog.jobs.finish("j1", 1, "t2")
    done = replace(job, state=JobState.DONE, exit_code=1, finished="t2")
    assert catalog.jobs.get("j1") == done, "its exit code came late"
    catalog.jobs.finish("j1", None, "t3")
    assert catalog.jobs.get("j1") == done
    with pytest.raises(UnknownJob):
        catalog.jobs.finish("j3", 0, "t")
    assert catalog.jobs.get("j3") is None
