"""Records survive storage to the last bit, and documents that do not fit are named."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.rates import Difference
from store import codec
from store.records import (
    AGREEMENT,
    CACC,
    Audit,
    Change,
    FileCheck,
    FileFinding,
    FileReport,
    Job,
    JobState,
    Measure,
    Merge,
    PartnerUse,
    Profile,
    Scan,
    Severity,
    Stamp,
    asr_measure,
)


def through_json(kind: type[Any], record: Any) -> Any:
    return codec.decode(kind, json.loads(json.dumps(codec.encode(record), allow_nan=False)))


def test_profile_and_scan_come_back_equal(make_profile: Callable[..., Profile], make_scan: Callable[..., Scan]) -> None:
    assert through_json(Profile, make_profile()) == make_profile()
    assert through_json(Scan, make_scan()) == make_scan()


def test_audit_comes_back_equal_with_and_without_a_cure(make_scan: Callable[..., Scan]) -> None:
    before = make_scan("before")
    merge = Merge(
        "wag",
        {"weights": (0.2, 0.8)},
        "suspect",
        "d0",
        0.2,
        0.2,
        (PartnerUse("p", "d1", 0.8),),
        "out",
        "d2",
        1.5,
        9,
        "cpu",
    )
    change = (Change(asr_measure("badnet", "three", "positive"), 0.97, 0.12, Difference(-0.85, -0.9, -0.8)),)
    audit = Audit("a1", "s", "f", before, make_scan("after"), merge, change, Stamp.IMPROVED, ("a limit remains",))
    assert through_json(Audit, audit) == audit
    bare = Audit("a2", "s", "f", before, None, None, (), None, ())
    assert through_json(Audit, bare) == bare


def test_a_finding_in_a_file_is_told_apart_from_a_backdoor(make_scan: Callable[..., Scan]) -> None:
    scan = make_scan()
    in_file = FileFinding(
        "f2", "pickle", Severity.HIGH, "model.bin", "it would run code", "auditor scan X", hint="none"
    )
    both = replace(scan, findings=(*scan.findings, in_file))
    assert through_json(Scan, both) == both
    assert (in_file.family, in_file.variant, in_file.group, in_file.target) == ("files", "pickle", "file", "model.bin")
    report = FileReport("d", {"model.bin": "aa"}, (FileCheck("pickle", "model.bin", "found", Severity.HIGH, "no"),))
    assert through_json(FileReport, report) == report
    assert report.blocks
    assert not replace(report, checks=(replace(report.checks[0], outcome="suspicious"),)).blocks


@given(
    st.builds(
        Job,
        id=st.text(),
        pid=st.integers(),
        started=st.text(),
        command=st.lists(st.text()).map(tuple),
        events=st.text(),
        state=st.sampled_from(JobState),
        exit_code=st.none() | st.integers(),
        extra=st.dictionaries(st.text(), st.text()),
    )
)
def test_any_text_comes_back(job: Job) -> None:
    assert through_json(Job, job) == job


@pytest.mark.parametrize(
    "measure",
    [CACC, AGREEMENT, asr_measure("badnet", "five", "a → b in c"), asr_measure("style", "paper", "negative", "org/x")],
    ids=str,
)
def test_a_measure_is_read_as_a_record_and_as_its_key(measure: Measure) -> None:
    """Older documents hold the key that reports show."""
    assert through_json(Measure, measure) == measure
    old = codec.decode(Measure, str(measure))
    assert (str(old), old.kind, old.probe) == (str(measure), measure.kind, measure.probe)
    with pytest.raises(codec.DecodeError, match="Measure: 'colour'"):
        codec.decode(Measure, "colour of the model")


def test_numpy_numbers_become_plain_ones() -> None:
    plain = codec.encode({"a": np.float64(0.5), "b": np.int64(3), "c": np.float32(0.25)})
    assert plain == {"a": 0.5, "b": 3, "c": 0.25}
    assert [type(value) for value in plain.values()] == [float, int, float]


def test_a_value_without_plain_form_is_named(make_scan: Callable[..., Scan]) -> None:
    scan = make_scan()
    odd = replace(scan, settings=replace(scan.settings, families={"badnet": {"triggers": {"cf"}}}))
    with pytest.raises(codec.EncodeError, match=r"Scan\.settings.*families.*set"):
        codec.encode(odd)


def test_older_documents_take_defaults_and_newer_keys_are_passed_over() -> None:
    document = codec.encode(Job("j", 1, "now", ("auditor",), "e"))
    del document["log"]
    assert codec.decode(Job, {**document, "colour": "red"}) == Job("j", 1, "now", ("auditor",), "e")


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda d: d["scores"]["asr"][1]["rate"].update(hits="many"), r"Scan\.scores\.asr\[1\]\.rate\.hits: .*whole"),
        (lambda d: d.pop("verdict"), r"Scan\.verdict: is missing"),
        (lambda d: d.update(verdict="clean"), r"Scan\.verdict: 'clean' is no Verdict"),
        (lambda d: d["findings"].append(None), r"Scan\.findings\[1\]: expected an object"),
        (lambda d: d["findings"][0].update(tags=[7]), r"Scan\.findings\[0\]\.tags\[0\]: expected text"),
    ],
)
def test_a_document_that_does_not_fit_is_named(
    spoil: Callable[[Any], Any], where: str, make_scan: Callable[..., Scan]
) -> None:
    document = codec.encode(make_scan())
    spoil(document)
    with pytest.raises(codec.DecodeError, match=where):
        codec.decode(Scan, document)


def test_a_profile_of_a_large_model_reads_fast(make_profile: Callable[..., Profile]) -> None:
    document = codec.encode(make_profile(tensors=20_000))
    began = time.process_time()
    codec.decode(Profile, document)
    assert time.process_time() - began < 1.0


@dataclass(frozen=True)
class Shapes:
    pair: tuple[int, str]
    either: int | str
    table: dict[str, tuple[float, ...]]


def test_other_shapes_of_fields() -> None:
    shapes = Shapes((1, "a"), "b", {"x": (math.inf, 1.0)})
    assert through_json(Shapes, shapes) == shapes
    with pytest.raises(codec.DecodeError, match=r"Shapes\.pair: expected a list of 2"):
        codec.decode(Shapes, {**codec.encode(shapes), "pair": [1]})
