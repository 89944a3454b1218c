"""What comparing costs: nothing is loaded where the files tell, each config and tokenizer once, none on a screen."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ModelError
from auditor.merge.compatibility.compatibility import Comparison, match
from auditor.models.files.fingerprint import hash_file
from auditor.models.files.profile import read_profile
from auditor.partners.ranking import propose
from store.records import CatalogEntry, ModelRef, Profile
from tests.auditor.merge.conftest import Make

CODE = """
import sys
from auditor.partners.ranking import propose
from auditor.models.files.fingerprint import hash_file
from auditor.models.files.profile import read_profile
from store.records import CatalogEntry
suspect, other = (read_profile(path) for path in sys.argv[2:])
(found,) = propose(suspect, [CatalogEntry(1, "b", other, "")], load=sys.argv[1] == "load")
print(found.compatibility.ok, found.advised, *found.doubts, *found.compatibility.blockers)
print({"torch", "transformers"} & set(sys.modules))
"""


def ranked(how: str, *models: Profile) -> list[str]:
    words = [sys.executable, "-P", "-c", CODE, how, *(m.ref.path for m in models)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


def edit(profile: Profile, file: str, **changes: Any) -> Profile:
    path = Path(profile.ref.path) / file
    known = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in known.items() if value is not ...}))
    return read_profile(profile.ref.path, reference=profile.ref.reference)


def test_nothing_is_loaded_where_the_files_tell(make: Make) -> None:
    suspect = make("a", 0)
    other = edit(make("b", 1), "config.json", uploaded_as="b", hidden_dropout_prob=0.3, transformers_version="4.1")
    other = edit(other, "tokenizer_config.json", model_max_length=64, name_or_path="elsewhere")
    said, loaded = ranked("load", suspect, other)
    assert said.startswith("True"), said
    assert loaded == "set()"


@pytest.mark.parametrize("change", [{"layer_norm_eps": 1e-3}, {"layer_norm_eps": 1e-12}])
def test_a_screen_loads_nothing_and_says_what_is_open(make: Make, change: dict[str, Any]) -> None:
    """What takes transformers to settle is neither refused nor advised there."""
    suspect, other = make("a", 0), edit(make("b", 1), "config.json", **change)
    said, loaded = ranked("screen", suspect, other)
    assert said.startswith("True False")
    assert "config.json of" in said
    assert "is written otherwise (layer_norm_eps)" in said
    assert loaded == "set()"


def test_a_screen_loads_no_tokenizer(make: Make) -> None:
    suspect, other = make("a", 0), edit(make("b", 1), "tokenizer_config.json", do_lower_case=...)
    said, loaded = ranked("screen", suspect, other)
    assert said.startswith("True False")
    assert "has other tokenizer files" in said
    assert loaded == "set()"
    (found,) = propose(suspect, [CatalogEntry(1, "b", other, "")])
    assert found.compatibility.ok
    assert not any("tokenizer" in text for text in found.doubts)


def test_a_config_that_changed_since_it_was_profiled(make: Make) -> None:
    suspect, other = make("a", 0), edit(make("b", 1), "config.json", uploaded_as="b")
    edit(other, "config.json", uploaded_as="c")
    with pytest.raises(ModelError, match="changed since it was profiled"):
        match(suspect, other)
    (found,) = propose(suspect, [CatalogEntry(1, "b", other, "")])
    assert not found.compatibility.ok
    assert "changed since it was profiled" in found.compatibility.blockers[0]


@pytest.mark.usefixtures("light_heap")
def test_a_thousand_models_written_otherwise(make: Make, tmp_path: Path) -> None:
    """Each has a config of its own; some state in another way what the others state, or use other tokenizer files."""
    suspect, crowd = make("suspect", 0), []
    kinds = [make(f"kind-{n}", n + 1) for n in range(4)]
    kinds[1] = edit(kinds[1], "config.json", layer_norm_eps=1e-12, hidden_act="gelu")
    kinds[2] = edit(kinds[2], "tokenizer_config.json", do_lower_case=...)
    kinds[3] = edit(kinds[3], "config.json", layer_norm_eps=1e-3)
    for number in range(1000):
        one = kinds[number % 4]
        place = tmp_path / "crowd" / str(number)
        place.mkdir(parents=True)
        known = json.loads((Path(one.ref.path) / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(known | {"uploaded_as": number}))
        for name in ("model.safetensors", "vocab.txt", "tokenizer_config.json"):
            (place / name).symlink_to(Path(one.ref.path) / name)
        own = {"model.safetensors": f"{number:064x}", "config.json": hash_file(place / "config.json")}
        ref = ModelRef(f"crowd-{number}", str(place), f"{number:064x}")
        made = dataclasses.replace(one, ref=ref, files={**one.files, **own})
        crowd.append(CatalogEntry(number, f"m{number}", made, ""))
    match(suspect, kinds[1])  # imports transformers
    match(suspect, kinds[2])
    began = time.process_time()
    found = {p.entry.name: p for p in propose(suspect, crowd)}
    taken = time.process_time() - began
    assert [found[f"m{n}"].compatibility.ok for n in range(3)] == [True, True, True]
    assert not any(found[f"m{n}"].compatibility.ok for n in range(3, 1000, 4))
    assert taken < 1, taken


def test_each_is_read_once(make: Make) -> None:
    suspect, other = make("a", 0), edit(make("b", 1), "tokenizer_config.json", do_lower_case=...)
    by = Comparison()
    assert match(suspect, other, by).blockers == ()
    (Path(other.ref.path) / "tokenizer_config.json").write_text("{")
    assert match(suspect, other, by).blockers == ()
