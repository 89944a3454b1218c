"""One version's commands for `same.py`: run through the command line, and what they leave as lines to compare."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import runpy
import shlex
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What may differ

LEFT_OUT = ("started", "finished", "seconds", "peak_bytes")
"""Keys of JSON of whose values only the type is compared."""
BY_THE_CLOCK = ("tally", "rows-seen")
"""Kinds of events that come every so many seconds. So does progress: of several in a row the last is compared."""
PROGRESS = r"(?m)^[^:\n]+: \d+ of \d+ [a-z]+.*\n"
"""Lines on stderr that come every so many seconds."""
MASKS: Mapping[str, str] = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?": "<time>",
    r"(merged into \S+) in [\d.]+ s": r"\1 in <seconds>",
    r"\d+ rows/s, [\d:]+ left": "<speed>",
    r"\b(rows in|about) (\d+:)?\d+:\d\d\b": r"\1 <minutes>",
}
"""Parts of texts that may differ, and what stands for them."""
Found = dict[str, list[str]]
"""By what a command left, its lines."""

# A command


def is_found(checkout: Path) -> bool:
    """Whether this process, a fork, imports a checkout's program from now on."""
    sys.path[:] = [str(checkout), *(place for place in sys.path if place != str(Path(__file__).parent))]
    found = importlib.util.find_spec("auditor")
    return found is not None and Path(found.origin or "/").is_relative_to(checkout)


def environment(checkout: Path, home: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(checkout), "XDG_DATA_HOME": str(home / "share"), "COLUMNS": "80", "NO_COLOR": "1"}


def become(checkout: Path, home: Path, words: Sequence[str], streams: Sequence[Path]) -> int:
    """In a fork: `python -m auditor WORDS` of a checkout, with stdout and stderr in files."""
    for descriptor, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.chdir(checkout)
    os.environ |= environment(checkout, home)
    sys.argv = ["auditor", *words]
    is_found(checkout)
    try:
        runpy.run_module("auditor", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def forked(work: Callable[..., int], *given: Any) -> int:
    """The exit code of a function in a process of its own."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = work(*given)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# What it leaves: lines, each with its place where it is one of JSON


def flat(value: Any, place: str = "") -> Iterator[str]:
    """JSON as a line a value."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from flat(value[key], f"{place}.{key}" if place else key)
    elif isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from flat(part, f"{place}[{number}]")
    else:
        yield f"{place} = {json.dumps(value, ensure_ascii=False)}"


def blank(value: Any) -> Any:
    """JSON without the values that may differ."""
    if isinstance(value, dict):
        return {k: f"<{type(v).__name__}>" if k in LEFT_OUT else blank(v) for k, v in value.items()}
    return [blank(v) for v in value] if isinstance(value, list) else value


def regular(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The events that come in every run, a line each."""
    kept = [e for e in events if e["kind"] not in BY_THE_CLOCK]
    for event, after in zip(kept, [*kept[1:], {}], strict=False):
        if event["kind"] != "progress" or (after.get("kind"), after.get("stage")) != ("progress", event["stage"]):
            yield json.dumps(blank(event), ensure_ascii=False, sort_keys=True)


def tensors(path: Path) -> str:
    """What a safetensors file holds: the digest of the whole, and of each tensor."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    digests = {
        name: f"{t['dtype']} {t['shape']} {hashlib.sha256(data[start:][slice(*t['data_offsets'])]).hexdigest()}"
        for name, t in header.items()
    }
    return json.dumps({"file": hashlib.sha256(data).hexdigest(), "tensors": digests})


@dataclass
class Version:
    """A checkout at work.

    Its `store` holds its catalog and all that its commands write. While a part runs, it stands at `home`, which is the
    same place for all versions: paths are in reports, in event files and in digests.

    `exact`: ids, times and durations are compared as well; the events, which tell of this run, are not.
    """

    checkout: Path
    store: Path
    home: Path
    models: Path
    exact: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    found: Found = field(default_factory=dict)
    part: str = ""
    codes: list[int] = field(default_factory=list)
    named: int = 0
    asked: int = 0
    seconds: float = 0.0

    def run_part(self, part: str, work: Callable[[Version], None]) -> Found:
        """Does what a part does; gives back what its commands left."""
        self.part, self.found, self.codes, self.named, began = part, {}, [], 0, time.perf_counter()
        self.store.rename(self.home)
        work(self)
        self.home.rename(self.store)
        self.seconds = time.perf_counter() - began
        return self.found

    def told(self) -> str:
        """The part's commands, their exit codes and the seconds, in words."""
        codes = ", ".join(f"{count} × {code}" for code, count in sorted(Counter(self.codes).items()))
        return f"{len(self.codes):>3} commands ({codes})  {self.seconds:.0f} s"

    def __call__(self, *words: object) -> None:
        """Runs a command, and keeps what it leaves."""
        place = self.home / "commands" / f"{self.part}-{len(self.codes) + 1:02}"
        place.mkdir(parents=True)
        logged, *streams = (place / name for name in ("events", "stdout", "stderr"))
        given = [str(word) for word in words]
        everywhere = ["--catalog", f"sqlite:///{self.home}/catalog.db", "--events", str(logged), "--plain"]
        more = [] if "--help" in given else everywhere
        code = forked(become, self.checkout, self.home, [*given, *more], streams)
        self.codes.append(code)
        lines = logged.read_text(encoding="utf-8").splitlines() if logged.exists() else ()
        events = [json.loads(line) for line in lines]
        for event in events:
            if event.get("id", "") not in ("", *self.ids):
                self.named += 1
                self.ids[event["id"]] = f"<id {self.named} of {self.part}>"
            if event["kind"] in ("scan-ready", "partner-scanned", "audit-ready"):
                self.records[event["id"]] = event["kind"]
            self.asked += event["answers"] if event["kind"] == "batch-answered" else 0
        out, err = (path.read_text(encoding="utf-8") for path in streams)
        said = f"auditor {shlex.join(given)}"
        self.keep(f"{said} · exit code", str(code))
        self.keep(f"{said} · stdout", out)
        self.keep(f"{said} · stderr", re.sub(PROGRESS, "", err))
        if not self.exact:
            self.keep(f"{said} · events", "\n".join(regular(events)))

    def keep(self, place: str, text: str) -> None:
        place, text = self.masked(place), self.masked(text)
        try:
            document = json.loads(text)
        except ValueError:
            self.found[place] = re.sub(r"(?<=>)(?=<)", "\n", text).splitlines()
        else:
            self.found[place] = list(flat(document if self.exact else blank(document)))

    def keep_directory(self, path: Path) -> None:
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            weights = file.suffix == ".safetensors"
            self.keep(str(file), tensors(file) if weights else file.read_text(encoding="utf-8", errors="replace"))

    def masked(self, text: str) -> str:
        text = text.replace(str(self.checkout), "CHECKOUT").replace(str(self.home.parent), "WORK")
        if self.exact:
            return text
        if self.ids:
            text = re.sub("|".join(self.ids), lambda found: self.ids[found[0]], text)
        for pattern, instead in MASKS.items():
            text = re.sub(pattern, instead, text)
        return text
