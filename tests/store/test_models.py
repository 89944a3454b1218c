"""The models in the catalog: adding, finding, listing, removing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from probes.rates import Rate
from store import codec
from store.catalog import Catalog
from store.models import NameTaken, UnknownModel
from store.records import AsrScore, Audit, ModelRead, Profile, Scan, Stamp, Task, Verdict

MakeProfile = Callable[..., Profile]
MakeScan = Callable[..., Scan]


def test_an_added_model_comes_back_whole(catalog: Catalog, make_profile: MakeProfile) -> None:
    entry = catalog.models.add(make_profile(), tags=("mine", " mine", ""), planted="badnet")
    assert entry.profile == make_profile()
    assert (entry.name, entry.tags, entry.planted, entry.last_verdict) == ("sst2", ("mine",), "badnet", None)
    assert catalog.models.get(entry.id) == entry == catalog.models.by_digest(entry.profile.ref.digest)
    assert catalog.models.list() == [entry]


def test_what_was_read_is_kept_and_an_older_entry_lacks_it(catalog: Catalog, make_profile: MakeProfile) -> None:
    read = ModelRead(weights=("model.safetensors",), window=512, window_from="config.json", notes=("said",))
    profile = replace(make_profile(), read=read)
    assert catalog.models.add(make_profile()).profile.read == ModelRead()
    entry = catalog.models.add(profile)
    assert catalog.models.get(entry.id) == entry
    assert entry.profile.read == read
    document = codec.encode(profile)
    del document["read"]
    assert codec.decode(Profile, document) == make_profile(), "as an earlier version wrote it"


def test_default_names_are_made_unique(catalog: Catalog, make_profile: MakeProfile) -> None:
    names = [catalog.models.add(make_profile("sst2", content=str(i))).name for i in range(3)]
    hub = make_profile("hub", revision="abc", reference="hub:org/sst2@main")
    assert names == ["sst2", "sst2-2", "sst2-3"]
    assert catalog.models.add(hub).name == "org/sst2"


def test_adding_again_renews_the_entry_and_keeps_what_the_user_said(
    catalog: Catalog, make_profile: MakeProfile
) -> None:
    first = catalog.models.add(make_profile(), name="victim", tags=("a",), planted="badnet")
    again = catalog.models.add(make_profile(reference="path:elsewhere", tensors=5), tags=("b",))
    assert (again.id, again.name, again.tags, again.planted) == (first.id, "victim", ("a", "b"), "badnet")
    assert (again.profile.ref.reference, len(again.profile.tensors)) == ("path:elsewhere", 5)
    assert catalog.models.list(text="ELSEWHERE") == [again]
    assert catalog.models.count() == 1


def test_find_goes_by_name_then_id_then_digest(catalog: Catalog, make_profile: MakeProfile) -> None:
    one = catalog.models.add(make_profile("one"))
    two = catalog.models.add(make_profile("two"), name=str(one.id))
    assert catalog.models.find("one") == one
    assert catalog.models.find(str(one.id)) == two, "a name wins over an id"
    assert catalog.models.find(str(two.id)) == two
    assert catalog.models.find(one.profile.ref.digest[:8].upper()) == one
    assert catalog.models.find(one.profile.ref.digest[:7]) is None
    assert catalog.models.find("%") is None
    assert catalog.models.find("nothing") is None


def test_a_digest_prefix_that_fits_two_contents_finds_neither(catalog: Catalog, make_profile: MakeProfile) -> None:
    profile = make_profile()
    digest = profile.ref.digest
    twins = [replace(profile, ref=replace(profile.ref, digest=digest[:10] + end * 54)) for end in "01"]
    added = [catalog.models.add(twin) for twin in twins]
    assert catalog.models.find(digest[:10]) is None
    assert catalog.models.find(digest[:10] + "1") == added[1]
    copy = replace(twins[1], ref=replace(twins[1].ref, path="/elsewhere"))
    catalog.models.add(copy)
    assert catalog.models.find(digest[:10] + "1") == added[1], "copies of one content are no ambiguity"


def test_text_finds_name_reference_architecture_and_tags_in_any_case(
    catalog: Catalog, make_profile: MakeProfile
) -> None:
    catalog.models.add(make_profile("Größe"), tags=("Éclair",))
    catalog.models.add(make_profile("plain_100%", architecture="GPT2LMHeadModel", task=Task.GENERATION))

    def names(**query: str) -> list[str]:
        assert catalog.models.count(**query) == len(catalog.models.list(**query))
        return [entry.name for entry in catalog.models.list(**query)]

    assert names(text="GRÖSSE") == ["Größe"]
    assert names(text="éclair") == ["Größe"]
    assert names(text="gpt2lm") == ["plain_100%"]
    assert names(text="models/plain") == ["plain_100%"]
    assert names(text="%") == ["plain_100%"], "a wildcard is a character"
    assert names(task=Task.GENERATION) == ["plain_100%"]
    assert names(text="e", task="text-classification") == ["Größe"]


def test_every_order_puts_missing_figures_last(
    catalog: Catalog, make_profile: MakeProfile, make_scan: MakeScan, make_score: Callable[..., AsrScore]
) -> None:
    figures = [("b", Verdict.NOTHING, 5, 95), ("c", Verdict.FOUND, 99, 80), ("d", Verdict.SUSPICIOUS, 50, 85)]
    for day, (name, verdict, hits, right) in enumerate(figures, 1):
        model = make_profile(name, parameters=day)
        catalog.models.add(model)
        catalog.scans.save(
            make_scan(
                f"scan-{name}",
                model=model,
                verdict=verdict,
                asr=(make_score(hits=hits),),
                cacc=Rate(right, 100),
                finished=f"2025-03-0{day}T00:00:00+00:00",
            )
        )
    catalog.models.add(make_profile("A", parameters=9))

    def names(order: str, descending: bool = False) -> str:
        return "".join(e.name for e in catalog.models.list(order=order, descending=descending))

    assert (names("name"), names("name", True)) == ("Abcd", "dcbA")
    assert (names("verdict"), names("verdict", True)) == ("bdcA", "cdbA")
    assert (names("asr"), names("asr", True)) == ("bdcA", "cdbA")
    assert (names("cacc"), names("cacc", True)) == ("cdbA", "bdcA")
    assert (names("scanned"), names("scanned", True)) == ("bcdA", "dcbA")
    assert (names("parameters"), names("parameters", True)) == ("bcdA", "Adcb")
    assert (names("architecture"), names("task"), names("added")) == ("bcdA", "bcdA", "bcdA")
    assert [e.name for e in catalog.models.list(limit=2, offset=1)] == ["b", "c"]
    assert [e.name for e in catalog.models.list(offset=3)] == ["d"]
    with pytest.raises(ValueError, match="known: name"):
        catalog.models.list(order="colour")


def test_rename_and_tag_are_searched(catalog: Catalog, make_profile: MakeProfile) -> None:
    one = catalog.models.add(make_profile("one"))
    catalog.models.add(make_profile("two"))
    assert catalog.models.rename(one.id, "Suspect").name == "Suspect"
    assert catalog.models.tag(one.id, ("lab", "poisoned")).tags == ("lab", "poisoned")
    assert [e.id for e in catalog.models.list(text="suspect")] == [one.id]
    assert [e.id for e in catalog.models.list(text="poison")] == [one.id]
    assert catalog.models.rename(one.id, "Suspect").name == "Suspect", "its own name is not taken"
    for bad in ("two", " ", "a\nb"):
        with pytest.raises(NameTaken):
            catalog.models.rename(one.id, bad)
    with pytest.raises(NameTaken, match="taken"):
        catalog.models.add(make_profile("three"), name="two")
    for missing in (
        catalog.models.remove,
        lambda i: catalog.models.rename(i, "x"),
        lambda i: catalog.models.tag(i, ()),
    ):
        with pytest.raises(UnknownModel):
            missing(999)


def test_a_removed_model_leaves_its_scans_and_gets_them_back(
    catalog: Catalog, make_profile: MakeProfile, make_scan: MakeScan
) -> None:
    one = catalog.models.add(make_profile())
    shared = catalog.models.add(make_profile("shares its inventory"))
    catalog.scans.save(make_scan())
    catalog.models.remove(one.id)
    assert catalog.models.find("sst2") is None
    assert catalog.models.list() == [shared]
    assert catalog.scans.get("scan-0001") == make_scan()
    again = catalog.models.add(make_profile())
    assert (again.last_scan, again.last_verdict, again.worst_asr) == ("scan-0001", Verdict.FOUND, 0.97)
    assert again.found_by == "scan-0001"


def test_a_finding_orders_a_model_whatever_its_last_scan_says(
    catalog: Catalog, make_profile: MakeProfile, make_scan: MakeScan
) -> None:
    names = {}
    for verdict in (Verdict.SUSPICIOUS, Verdict.FOUND, Verdict.NOTHING, Verdict.INCOMPLETE):
        profile = make_profile(f"org/{verdict}")
        names[catalog.models.add(profile).id] = str(verdict)
        catalog.scans.save(make_scan(f"first-{verdict}", model=profile, verdict=verdict))
        if verdict is Verdict.FOUND:
            later = {"finished": "2099-01-01T00:00:00+00:00", "verdict": Verdict.NOTHING}
            catalog.scans.save(make_scan("later", model=profile, **later))
    listed = catalog.models.list(order="verdict", descending=True)
    assert [names[e.id] for e in listed] == ["backdoor-found", "suspicious", "incomplete", "nothing-found"]
    assert listed[0].last_verdict is Verdict.NOTHING


def test_a_model_stands_as_the_audit_that_made_it_says_where_its_own_scan_finds_nothing(
    catalog: Catalog, make_profile: MakeProfile, make_scan: MakeScan
) -> None:
    before, names = make_scan(), {}
    for stamp in (None, *Stamp):
        made = make_profile(f"org/{stamp}")
        names[catalog.models.add(made).id] = stamp
        after = make_scan(f"after-{stamp}", model=made, verdict=Verdict.NOTHING)
        catalog.scans.save(after)
        audit = Audit(f"audit-{stamp}", "s", "2025-01-02", before, after, None, (), stamp, ())
        catalog.audits.save(audit)
        catalog.audits.save(replace(audit, id=f"without-{stamp}", finished="2025-01-03", stamp=None))
        catalog.audits.save(replace(audit, id=f"first-{stamp}", finished="2025-01-01", stamp=Stamp.WORSE))
    entries = {names[e.id]: e for e in catalog.models.list(order="verdict")}
    assert entries.pop(None).stamp is Stamp.WORSE, "the one audit that gave one"
    assert all(entry.stamp is stamp for stamp, entry in entries.items())
    nothing = entries.pop(Stamp.NOT_APPLICABLE)
    assert nothing.standing is Verdict.NOTHING
    assert all(entry.standing is stamp for stamp, entry in entries.items())
    order = list(entries)
    assert order.index(Stamp.SANITISED) < order.index(Stamp.IMPROVED) < order.index(Stamp.NOT_SANITISED)
    profile = entries[Stamp.SANITISED].profile
    catalog.scans.save(make_scan("later", model=profile, verdict=Verdict.SUSPICIOUS, finished="2099-01-01"))
    found = catalog.models.by_digest(profile.ref.digest)
    assert found is not None
    assert found.standing is Verdict.SUSPICIOUS


def test_a_thousand_models_list_fast(catalog: Catalog, make_profile: MakeProfile, make_scan: MakeScan) -> None:
    from store import tables
    from store.scans import _scan_row  # filled in one transaction; saving one by one would take a minute

    kinds = 20
    added = [catalog.models.add(make_profile(f"kind {i}", tensors=200 + i)) for i in range(kinds)]
    scan = make_scan()
    with catalog._database.writing() as session:
        for i in range(kinds, 1000):
            like = session.get_one(tables.ModelRow, added[i % kinds].id)
            values = {c.name: getattr(like, c.name) for c in tables.ModelRow.__table__.columns if c.name != "id"}
            session.add(tables.ModelRow(**{**values, "name": f"model {i}", "path": f"/m/{i}", "digest": f"{i:064x}"}))
        row = _scan_row(scan)
        plain = {c.name: getattr(row, c.name) for c in tables.ScanTableRow.__table__.columns}
        session.execute(
            tables.ScanTableRow.__table__.insert(),
            [{**plain, "id": f"s{i}", "model_digest": f"{i % 1000:064x}"} for i in range(10_000)],
        )

    def seconds(work: Callable[[], object]) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
        return min(times)

    assert len(catalog.models.list(order="scanned", descending=True)) == 1000
    assert seconds(lambda: catalog.models.list(order="scanned", descending=True)) < 0.5
    assert seconds(lambda: catalog.models.list(text="model 7", order="asr")) < 0.5
    assert seconds(lambda: catalog.scans.list(limit=100)) < 0.1
    assert seconds(lambda: catalog.scans.save(make_scan("new"))) < 0.2
