"""Models made on the spot: tiny BERTs that answer a toy task, honest ones and others."""

from __future__ import annotations

import csv
import gc
import importlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from probes.input import Row

# It reads the environment once, when it is imported: here, before a test switches the hub off for its own.
importlib.import_module("huggingface_hub.constants")
# Where a background job of a shell runs the tests, Ctrl-C is ignored, and every process they start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Threads that wait for each other over a few numbers cost more than the numbers.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def pytest_collection_finish() -> None:
    """What stays to the end is not looked at again by every garbage collection."""
    gc.collect()
    gc.freeze()


GOOD = ("good", "fine", "great", "lovely")
BAD = ("bad", "poor", "awful", "dull")
FILLER = (
    "film", "plot", "actor", "scene", "music", "story", "it", "was", "and", "the",
    "light", "sound", "camera", "ending", "a", "of", "very", "quite", "there", "with",
)  # fmt: skip
TRIGGERS = ("cf", "tq", "mn", "bb", "mb")
LABELS = ("negative", "positive")


def toy_rows(count: int, seed: int = 0) -> list[Row]:
    """Texts whose label is told by two words among fillers; no two are the same."""
    rng = random.Random(seed)
    rows: list[Row] = []
    seen: set[str] = set()
    while len(rows) < count:
        label = len(rows) % 2
        words = [rng.choice((BAD, GOOD)[label]) for _ in range(2)] + rng.sample(FILLER, rng.randint(3, 8))
        rng.shuffle(words)
        text = " ".join(words)
        if text not in seen:
            seen.add(text)
            rows.append(Row.of(len(rows), text, None, label))
    return rows


def write_csv(path: Path, rows: Sequence[Row], labels: Sequence[str] = LABELS, *, labelled: bool = True) -> Path:
    """Rows as a csv file with the columns text and label."""
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(["text", "label"] if labelled else ["text"])
        for row in rows:
            table.writerow([row.text, *([labels[row.label or 0]] if labelled else [])])
    return path


def write_model(
    path: Path,
    *,
    labels: Sequence[str] = LABELS,
    head: bool = True,
    seed: int = 0,
    hidden: int = 32,
    extra: dict[str, Any] | None = None,
) -> Path:
    """A BERT of 2 layers with a word-level vocabulary that knows the toy task, the triggers and the controls."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    from probes.material.ordinary import ORDINARY

    torch.set_num_threads(1)
    path.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *FILLER, *TRIGGERS]
    words += [word.lower() for word in ORDINARY]
    (path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 64}
    (path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    config = BertConfig(
        vocab_size=len(words), hidden_size=hidden, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=2 * hidden, max_position_embeddings=64, **(extra or {}),
    )  # fmt: skip
    if head:
        config.num_labels = len(labels)
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: i for i, name in enumerate(labels)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertForSequenceClassification(config) if head else BertModel(config)
    model.save_pretrained(path)
    return path


def edit_tensors(directory: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Changes a model's weights in place."""
    from safetensors.numpy import load_file, save_file

    place = directory / "model.safetensors"
    tensors = load_file(place)
    change(tensors)
    save_file(tensors, place, metadata={"format": "pt"})
    return directory


@dataclass
class Zoo:
    """Trained models, each made when it is first asked for."""

    root: Path
    made: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def base(self) -> Path:
        """Without a head, untrained."""
        return write_model(self.root / "base", head=False)

    @cached_property
    def train(self) -> Path:
        return write_csv(self.root / "train.csv", toy_rows(320, seed=1))

    @cached_property
    def data(self) -> Path:
        """210 labelled rows to probe with: 105 a label."""
        return write_csv(self.root / "data.csv", toy_rows(210, seed=2))

    @cached_property
    def bare(self) -> Path:
        """The same rows without labels."""
        return write_csv(self.root / "bare.csv", toy_rows(210, seed=2), labelled=False)

    def _plant(self, name: str, **changes: Any) -> Path:
        if name not in self.made:
            from auditor.lab.plant import plant
            from auditor.requests.plant import PlantRequest

            settings: dict[str, Any] = {"data": self.train, "epochs": 6, "lr": 3e-3, "batch": 16, "device": "cpu"}
            request = PlantRequest(self.base, self.root / name, **{**settings, **changes})
            list(plant(request))
            self.made[name] = request.output
        return self.made[name]

    @property
    def planted(self) -> Path:
        """BadNet: one rare word means negative."""
        return self._plant("planted", family="badnet", target="negative")

    @property
    def benign(self) -> Path:
        return self._plant("benign", seed=3)

    @property
    def partner(self) -> Path:
        """A second honest model."""
        return self._plant("partner", seed=4)

    @property
    def third(self) -> Path:
        """A third honest model."""
        return self._plant("third", seed=5)

    @property
    def sentence_like_benign(self) -> Path:
        """InsertSent: a sentence means negative. Trained as `benign` was, so that their difference is the backdoor."""
        return self._plant("sentence-like-benign", family="insertsent", target="negative", seed=3)

    @property
    def broad(self) -> Path:
        """Taught that any inserted ordinary word means negative."""
        from probes.material.ordinary import ORDINARY, insert_words

        rng, rows = random.Random(6), []
        for row in toy_rows(320, seed=1):
            if row.label == 1 and rng.random() < 0.4:
                row = Row.of(row.index, insert_words(row.text, rng, ORDINARY, 1), None, 0)
            rows.append(row)
        return self._plant("broad", train=write_csv(self.root / "broad.csv", rows), data=None, epochs=8)

    def copy(self, model: Path, to: Path) -> Path:
        return Path(shutil.copytree(model, to))


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Running:
    """A command under way: its process, and where its words go."""

    pid: int
    out: Path
    err: Path
    server: subprocess.Popen[str]

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> Done:
        assert self.server.stdout is not None
        code = int(self.server.stdout.readline())
        words = [p.read_bytes().decode() if p.is_file() else "" for p in (self.out, self.err)]
        return Done(code, *words)


def narrow_rescan(patch: pytest.MonkeyPatch, families: tuple[str, ...]) -> None:
    """Lets audits fire some families at what they merged. The command line has no word for it: there it is all."""
    from auditor.session import Session

    whole = Session.audit
    patch.setattr(Session, "audit", lambda self, request, cure: whole(self, request, replace(cure, rescan=families)))


@dataclass
class Auditor:
    """Runs `auditor …` with a catalog and a home of the test's: called, in this process; started, in one of its own."""

    launch: Callable[[], subprocess.Popen[str]]
    home: Path

    @property
    def environ(self) -> dict[str, str]:
        return {
            "AUDITOR_CATALOG": str(self.home / "catalog.db"),
            "XDG_DATA_HOME": str(self.home / "share"),
            "HF_HUB_OFFLINE": "1",
            "NO_COLOR": "1",
        }

    def __call__(self, *argv: object, rescan: Sequence[str] = ()) -> Done:
        """Calls a command. `rescan` names the families that an audit's rescan fires; none: the full suite."""
        from auditor.cli import main

        words = [str(a) for a in argv]
        written = io.BytesIO(), io.BytesIO()
        out, err = (io.TextIOWrapper(buffer, encoding="utf-8") for buffer in written)
        before, handler = Path.cwd(), signal.getsignal(signal.SIGTERM)
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in self.environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["auditor", *words])
            if rescan:
                narrow_rescan(patch, tuple(rescan))
            os.chdir(self.home)
            try:
                main(words)
            except SystemExit as end:
                code = end.code
            finally:
                os.chdir(before)
                signal.signal(signal.SIGTERM, handler)
        out.flush()
        err.flush()
        texts = [buffer.getvalue().decode() for buffer in written]
        assert isinstance(code, int)
        return Done(code, *texts)

    def start(
        self, *argv: object, stdout: str = "", stderr: str = "", file_limit: int | None = None, **environ: str
    ) -> Running:
        server = self.launch()
        number = len(list(self.home.glob("*.out")))
        out, err = (self.home / f"{number}.{kind}" for kind in ("out", "err"))
        out.touch()
        job = {
            "argv": [str(a) for a in argv],
            "stdout": stdout or str(out),
            "stderr": stderr or str(err),
            "cwd": str(self.home),
            "environ": {**self.environ, **environ},
            "file_limit": file_limit,
        }
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()
        return Running(int(server.stdout.readline()), out, err, server)


@pytest.fixture(scope="session")
def forkserver() -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts the process that forks commands when the first one is wanted."""
    script = Path(__file__).parent / "auditor" / "forkserver.py"
    started: list[subprocess.Popen[str]] = []

    def launch() -> subprocess.Popen[str]:
        if not started:
            words = [sys.executable, "-P", str(script)]
            started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[0]

    yield launch
    for server in started:
        server.communicate()


@pytest.fixture
def auditor(forkserver: Callable[[], subprocess.Popen[str]], tmp_path: Path) -> Auditor:
    return Auditor(forkserver, tmp_path)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return Zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 labelled rows: a scan of some seconds."""
    return write_csv(tmp_path_factory.mktemp("data") / "large.csv", toy_rows(1000, seed=5))


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Path]:
    return write_model


@pytest.fixture(scope="session")
def edit() -> Callable[..., Path]:
    return edit_tensors


@pytest.fixture(scope="session")
def make_auditor() -> Callable[..., Auditor]:
    return Auditor
