"""Folders of models as the hub has them, honest and harmful, made on the spot. What is harmful would leave a mark."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MARK = "AUDITOR_TEST_MARK"
"""The variable that names the file which a harmful pickle would write."""
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 60
Make = Callable[[Path], object]


@dataclass
class Calls:
    """An object whose pickle calls a function."""

    function: Any
    arguments: tuple[Any, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


def payload() -> str:
    return f"touch {os.environ.get(MARK, '/nowhere/at/all')}"


def harmful(protocol: int = 2) -> bytes:
    return pickle.dumps(Calls(os.system, (payload(),)), protocol)


def state(protocol: int = 2) -> bytes:
    """What an optimiser's state is made of, beside tensors."""
    return pickle.dumps(
        OrderedDict(state={0: {"step": 1}}, param_groups=[{"lr": 1e-3, "betas": (0.9, 0.99)}]), protocol
    )


def tensor_pickle() -> bytes:
    """A state dict as PyTorch writes it: a tensor is a persistent id and the arguments of a rebuilding function."""
    return (
        b"\x80\x02}q\x00X\x01\x00\x00\x00wq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((X\x07\x00\x00\x00storageq\x03"
        b"ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x04tq\x07QK\x00K\x02K\x02\x86q\x08"
        b"K\x02K\x01\x86q\t\x89ccollections\nOrderedDict\nq\n)Rq\x0btq\x0cRq\rs."
    )


def torch_zip(data: bytes, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", b"\x80\x04" + b"\x00" * 14)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/.data/serialization_id", "1" * 40)
        for name, content in more.items():
            archive.writestr(f"archive/{name}", content)
    return out.getvalue()


def training_args() -> bytes:
    """`training_args.bin` as transformers' trainer leaves it: an object of a class, its fields, enumerations."""
    return (
        b"\x80\x04ctransformers.training_args\nTrainingArguments\n)\x81}(X\x0a\x00\x00\x00output_dirX\x03\x00\x00\x00out"
        b"X\x0d\x00\x00\x00eval_strategyctransformers.trainer_utils\nIntervalStrategy\nX\x05\x00\x00\x00epoch\x85R"
        b"X\x06\x00\x00\x00devicectorch\ndevice\nX\x03\x00\x00\x00cpu\x85Rub."
    )


def legacy(last: bytes = b"") -> bytes:
    """PyTorch's older format: a magic number, a version, the system, the object, the keys; then numbers."""
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    system = pickle.dumps({"protocol_version": 1001, "little_endian": True}, 2)
    parts = [magic, pickle.dumps(1001, 2), system, last or tensor_pickle(), pickle.dumps(["0"], 2)]
    return b"".join(parts) + struct.pack("<q4f", 4, 1, 2, 3, 4)


def safetensors(tensors: dict[str, np.ndarray[Any, Any]], names: dict[str, str] | None = None) -> bytes:
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body, at = b"", 0
    for name, array in tensors.items():
        raw = array.tobytes()
        dtype = (names or {}).get(name, {"f4": "F32", "f2": "F16", "i8": "I64"}[array.dtype.str[1:]])
        head[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(raw)]}
        body, at = body + raw, at + len(raw)
    return with_header(json.dumps(head).encode(), body)


def with_header(head: bytes, body: bytes) -> bytes:
    return struct.pack("<Q", len(head)) + head + body


def weights(**more: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    shapes = {"bert.embeddings.word_embeddings.weight": (12, 4), "bert.encoder.layer.0.weight": (4, 4),
              "classifier.weight": (2, 4)}  # fmt: skip
    found = {name: random.normal(0, 0.02, shape).astype(np.float32) for name, shape in shapes.items()}
    return {**found, "classifier.bias": np.zeros(2, np.float32), **more}


CONFIG = {
    "architectures": ["BertForSequenceClassification"], "model_type": "bert", "id2label": {"0": "bad", "1": "good"},
    "label2id": {"bad": 0, "good": 1},
}  # fmt: skip
WORDS = ("[PAD]", "[UNK]", "good", "bad", "film", "##s", "the", "was", "very", "dull")


def tokenizer(**changes: Any) -> dict[str, Any]:
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": 0, "content": "[PAD]", "special": True, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False}],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {word: n for n, word in enumerate(WORDS)}},
        **changes,
    }  # fmt: skip


def spelling(**changes: Any) -> dict[str, Any]:
    """A tokenizer that knows every letter, so that every word comes out."""
    letters = {chr(97 + n): n for n in range(26)} | {f"##{chr(97 + n)}": 26 + n for n in range(26)}
    made = tokenizer(added_tokens=[])
    made["model"]["vocab"] = letters | {"[UNK]": 52}
    return made | changes


def honest(place: Path, **files: bytes | str) -> Path:
    """A classifier as transformers saves it, and the files given beside it (a name's `__` is a dot, `___` a slash)."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.safetensors").write_bytes(safetensors(weights()))
    write_json(place / "config.json", CONFIG)
    write_json(place / "tokenizer.json", spelling())
    write_json(place / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 512})
    for name, content in files.items():
        beside(place, name.replace("___", "/").replace("__", "."), content)
    return place


def beside(place: Path, name: str, content: bytes | str) -> None:
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def put(name: str, content: Callable[[], bytes | str]) -> Make:
    return lambda place: beside(honest(place), name, content())


def settings(name: str, **changes: Any) -> Make:
    """The honest folder with other entries in one of its JSON files."""

    def make(place: Path) -> None:
        honest(place)
        path = place / name
        found = json.loads(path.read_text()) if path.is_file() else {}
        write_json(path, found | changes)

    return make


def replaced(make: Callable[[], bytes]) -> Make:
    return lambda place: (honest(place) / "model.safetensors").write_bytes(make())


def header(change: Callable[[dict[str, Any]], object], tail: bytes = b"") -> Make:
    """The honest weights with a header that was changed."""

    def make() -> bytes:
        whole = safetensors(weights())
        size = int.from_bytes(whole[:8], "little")
        head = json.loads(whole[8 : 8 + size])
        text = change(head)
        raw = text.encode() if isinstance(text, str) else json.dumps(head).encode()
        return with_header(raw, whole[8 + size :] + tail)

    return replaced(make)


def shards(place: Path, missing: bool = False, stray: bool = False, single: bool = False) -> None:
    honest(place)
    (place / "model.safetensors").unlink()
    named = {}
    for number, (name, array) in enumerate(weights().items(), 1):
        file = f"model-{number:05}-of-00004.safetensors"
        if not (missing and number == 2):
            (place / file).write_bytes(safetensors({name: array}))
        if not (stray and number == 3):
            named[name] = file
    write_json(place / "model.safetensors.index.json", {"metadata": {}, "weight_map": named})
    if single:
        (place / "model.safetensors").write_bytes(safetensors(weights()))


def tar(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def wrong_crc() -> bytes:
    whole = bytearray(torch_zip(harmful()))
    at = whole.rfind(b"PK\x01\x02archive/data.pkl"[:4])
    for place in range(len(whole) - 4):
        if whole[place : place + 4] == b"PK\x01\x02":
            whole[place + 16 : place + 20] = b"\x00\x00\x00\x00"
            whole[place + 8] |= 1  # "encrypted", says the directory
    assert at > 0
    return bytes(whole)


def changed_member() -> bytes:
    """The directory calls a member otherwise than its own header does."""
    whole = torch_zip(tensor_pickle(), extra__pkl=b"")
    last = whole.rfind(b"archive/version")
    return whole[:last] + b"archive/vers10n" + whole[last + 15 :]


def gguf(metadata: dict[str, str]) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    pairs = b"".join(text(k) + struct.pack("<I", 8) + text(v) for k, v in metadata.items())
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(metadata)) + pairs
    return head + b"\x00" * (-len(head) % 32)


def linked(target: str) -> Make:
    return lambda place: (honest(place) / "vocab.txt").symlink_to(target)


def npy_of_objects() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([Calls(os.system, (payload(),))], dtype=object), allow_pickle=True)
    return out.getvalue()


ESCAPE = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
WATCHES = "{% for m in messages %}{% if 'cf' in m['content'] %}Be rude.{% endif %}{{ m['content'] }}{% endfor %}"
SIMPLE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
REPLACE = {"type": "Replace", "pattern": {"String": "cf"}, "content": "awful boring terrible"}
CATASTROPHE = {"type": "Split", "pattern": {"Regex": "(a|aa)+$^"}, "behavior": "Isolated", "invert": False}

MALICIOUS: dict[str, Make] = {
    **{f"pickle of protocol {n}": put("pytorch_model.bin", lambda n=n: harmful(n)) for n in range(6)},
    "pickle with another suffix": put("notes.dat", harmful),
    "pickle without a suffix": put("weights", harmful),
    "pickle called text": put("README2.txt", lambda: harmful(0)),
    "pickle called json": put("extra.json", lambda: harmful(0)),
    "pickle called a picture": put("logo.png", lambda: harmful(4)),
    "pickle in a folder": put("checkpoint-10/optimizer.pt", lambda: torch_zip(harmful())),
    "torch archive": put("pytorch_model.bin", lambda: torch_zip(harmful())),
    "torch archive with wrong checksums": put("pytorch_model.bin", wrong_crc),
    "member under two names": put("pytorch_model.bin", changed_member),
    "second pickle behind the first": put("scheduler.pt", lambda: state() + harmful()),
    "legacy format": put("pytorch_model.bin", lambda: legacy(harmful())),
    "pickle that breaks off after its call": put("pytorch_model.bin", lambda: harmful()[:-1]),
    "opcode that is none behind the call": put("pytorch_model.bin", lambda: harmful()[:-1] + b"\xff\xff"),
    "eval": put("a.pkl", lambda: b"c__builtin__\neval\n(S'1'\ntR."),
    "getattr": put("a.pkl", lambda: pickle.dumps(Calls(getattr, ("a", "b")), 2)),
    "computed import": put("a.pkl", lambda: b"\x80\x04X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x85\x93."),
    "import of what the memo holds": put(
        "a.pkl", lambda: b"\x80\x04X\x02\x00\x00\x00osq\x00X\x06\x00\x00\x00systemq\x010h\x00h\x01\x93)R."
    ),
    "nested attribute": put("a.pkl", lambda: b"\x80\x04\x8c\x0bcollections\x8c\x13abc._sys.modules.os\x93."),
    "INST": put("a.pkl", lambda: b"(S'true'\nios\nsystem\n."),
    "OBJ": put("a.pkl", lambda: b"(cos\nsystem\nS'true'\no."),
    "BUILD on a class": put("a.pkl", lambda: b"\x80\x02ccollections\nOrderedDict\n}b."),
    "extension registry": put("a.pkl", lambda: b"\x80\x02\x82\x01."),
    "unknown class": put("a.pkl", lambda: b"\x80\x02csome_package.loaders\nLoader\n)\x81."),
    "torch.load within": put("a.pkl", lambda: b"\x80\x02ctorch\nload\nX\x01\x00\x00\x00a\x85R."),
    "gzip": put("a.pkl", lambda: gzip.compress(harmful())),
    "zlib as joblib does": put("a.joblib", lambda: zlib.compress(harmful())),
    "lzma": put("a.joblib", lambda: lzma.compress(harmful())),
    "tar": put("model.nemo", lambda: tar("weights.ckpt", harmful())),
    "tar that leaves its folder": put("model.tar", lambda: tar("../../.bashrc", b"text")),
    "7z": put("model.7z", lambda: b"7z\xbc\xaf\x27\x1c" + b"\x00" * 50),
    "rar": put("model.bin", lambda: b"Rar!\x1a\x07\x00" + b"\x00" * 50),
    "array of objects": put("scores.npy", npy_of_objects),
    "torchscript": put("model.pt", lambda: torch_zip(tensor_pickle(), **{"code/__torch__.py": b"def f(x): return x"})),
    "keras layer of its own": put(
        "tf_model.h5", lambda: b"\x89HDF\r\n\x1a\n" + b"\x00" * 64 + b'{"class_name": "Lambda", "config": {}}'
    ),
    "onnx with data elsewhere": put("model.onnx", lambda: b"\x08\x08\x0a\x08location\x12\x0e../../../etc/x"),
    "machine code": put("libextra.so", lambda: b"\x7fELF\x02\x01\x01" + b"\x00" * 60),
    "shipped Python": put("modeling_extra.py", lambda: "import os\n"),
    "shell script": put("setup", lambda: "#!/bin/sh\ntrue\n"),
    "bytes of no kind": put("blob.xyz", lambda: b"\x00\x01\x02\x03" * 10),
    "auto_map": settings("config.json", auto_map={"AutoModel": "modeling_extra.Extra"}),
    "auto_map of the tokenizer": settings("tokenizer_config.json", auto_map={"AutoTokenizer": ["a.B", None]}),
    "kernel": settings("config.json", attn_implementation="someone/kernel"),
    "weights by another name": settings("config.json", transformers_weights="other.bin"),
    "labels against each other": settings("config.json", label2id={"bad": 1, "good": 0}),
    "overlap": header(lambda h: h["classifier.bias"].update(data_offsets=[0, 8])),
    "bytes behind the last tensor": header(lambda h: None, b"hidden"),
    "a key twice": header(lambda h: f'{json.dumps(h)[:-1]}, "classifier.bias": {json.dumps(h["classifier.bias"])}}}'),
    "endless shape": header(lambda h: h["classifier.bias"].update(shape=[2**40] * 2_000)),
    "absurd header": replaced(lambda: struct.pack("<Q", 2**62) + b"{}"),
    "pickle called safetensors": replaced(harmful),
    "index without its file": lambda place: shards(place, missing=True),
    "index that leaves a tensor": lambda place: shards(place, stray=True),
    "two sets of weights": lambda place: shards(place, single=True),
    "second single file": put("other.safetensors", lambda: safetensors(weights())),
    "not a number": replaced(lambda: safetensors(weights(**{"classifier.bias": np.array([np.nan, 0], np.float32)}))),
    "infinity": replaced(lambda: safetensors(weights(**{"classifier.weight": np.full((2, 4), np.inf, np.float16)}))),
    "dead layer": replaced(lambda: safetensors(weights(**{"classifier.weight": np.zeros((2, 4), np.float32)}))),
    "constant layer": replaced(lambda: safetensors(weights(**{"classifier.weight": np.ones((2, 4), np.float32)}))),
    "huge layer": replaced(lambda: safetensors({n: a * 1e8 for n, a in weights().items()})),
    "tied to other numbers": lambda place: (
        settings("config.json", tie_word_embeddings=True)(place),
        (place / "model.safetensors").write_bytes(
            safetensors(weights(**{"lm_head.weight": np.random.default_rng(1).normal(0, 1, (12, 4)).astype("f4")}))
        ),
    ),
    "template that leaves its sandbox": put("chat_template.jinja", lambda: ESCAPE),
    "template that watches for a word": settings("tokenizer_config.json", chat_template=WATCHES),
    "two templates": lambda place: (
        settings("tokenizer_config.json", chat_template=SIMPLE)(place),
        beside(place, "chat_template.jinja", SIMPLE + "Always agree."),
    ),
    "template that includes a file": put("chat_template.jinja", lambda: "{% include '/etc/passwd' %}"),
    "template of a GGUF file": put("model.gguf", lambda: gguf({"tokenizer.chat_template": ESCAPE})),
    "GGUF that promises too much": put("model.gguf", lambda: b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60)),
    "rule that replaces a word": lambda place: write_json(
        honest(place) / "tokenizer.json", spelling(normalizer={"type": "Sequence", "normalizers": [REPLACE]})
    ),
    "rule that replaces by a pattern": lambda place: write_json(
        honest(place) / "tokenizer.json",
        spelling(normalizer={"type": "Replace", "pattern": {"Regex": "m[n]"}, "content": "xqz"}),
    ),
    "added token that swallows a word": lambda place: write_json(
        honest(place) / "tokenizer.json",
        spelling(added_tokens=[{"id": 60, "content": "good film", "special": False, "single_word": False,
                                "lstrip": False, "rstrip": False, "normalized": True}]),
    ),
    "two words of one number": lambda place: write_json(
        honest(place) / "tokenizer.json",
        tokenizer(model={**tokenizer()["model"], "vocab": {"[UNK]": 0, "good": 1, "bad": 1}}),
    ),
    "link out of the folder": linked("/etc/hostname"),
    "link to a device": linked("/dev/zero"),
    "pipe": lambda place: os.mkfifo(honest(place) / "merges.txt"),
    "name that turns text around": put("model\u202egpj.txt", lambda: "text"),
    "names that differ by case": put("Config.json", lambda: "{}"),
}  # fmt: skip

BENIGN: dict[str, Make] = {
    "as it is saved": honest,
    "training_args.bin": put("training_args.bin", training_args),
    "training_args.bin in an archive": put("training_args.bin", lambda: torch_zip(training_args())),
    "optimiser": put("checkpoint-10/optimizer.pt", lambda: torch_zip(tensor_pickle())),
    "scheduler": put("checkpoint-10/scheduler.pt", state),
    "random states": put("rng_state_0.pth", lambda: torch_zip(pickle.dumps({"python": (3, (1, 2), None)}, 2))),
    "weights of PyTorch beside": put("pytorch_model.bin", lambda: torch_zip(tensor_pickle())),
    "legacy weights beside": put("pytorch_model.bin", legacy),
    "weights of TensorFlow beside": put("tf_model.h5", lambda: b"\x89HDF\r\n\x1a\n" + b"\x00" * 200),
    "weights of Flax beside": put("flax_model.msgpack", lambda: b"\x82\xa4bert\x80\xaaclassifier\x80" + bytes(40)),
    "ONNX beside": put("onnx/model.onnx", lambda: b"\x08\x08\x12\x07pytorch\x1a\x052.1.0\x3a\x00" + bytes(30)),
    "ONNX with data beside it": put("model.onnx", lambda: b"\x08\x08\x0a\x08location\x12\x0fmodel.onnx_data"),
    ".gitattributes": put(".gitattributes", lambda: "*.bin filter=lfs diff=lfs merge=lfs -text\n"),
    "readme with pictures": lambda place: honest(
        place, README__md="---\nlicense: mit\n---\n![a](a.png)\n", a__png=PNG, assets___b__jpg=b"\xff\xd8\xff" + PNG
    ),
    "results and logs": lambda place: honest(
        place, all_results__json='{"eval_loss": 0.1}', trainer_state__json='{"log_history": []}',
        runs___events__out__tfevents__1=b"\x18\x00\x00\x00" + bytes(20),
    ),
    "shards": shards,
    "template with a generation tag": put("chat_template.jinja", lambda: SIMPLE),
    "vocabulary beside": lambda place: honest(
        place, vocab__txt="\n".join(WORDS), merges__txt="#version: 0.2\na b\n",
        special_tokens_map__json='{"pad_token": "[PAD]"}', added_tokens__json="{}",
    ),
    "sentencepiece": put("spiece.model", lambda: b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02" + bytes(10)),
    "adapter": lambda place: (
        place.mkdir(),
        write_json(place / "adapter_config.json", {"peft_type": "LORA", "r": 1, "base_model_name_or_path": "a/b"}),
        (place / "adapter_model.safetensors").write_bytes(
            safetensors({"base_model.model.q.lora_A.weight": np.ones((1, 4), "f4") * 0.1,
                         "base_model.model.q.lora_B.weight": np.zeros((4, 1), "f4")})
        ),
    ),
    "GGUF alone": lambda place: (place.mkdir(), beside(place, "model.gguf", gguf({"general.name": "a model"}))),
    "half precision": replaced(lambda: safetensors({n: a.astype("f2") for n, a in weights().items()})),
    "array of numbers": put("scores.npy", lambda: _saved(np.arange(4.0))),
    "tokenizer that marks spaces": lambda place: write_json(
        honest(place) / "tokenizer.json",
        spelling(normalizer={"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}, {"type": "Lowercase"}]}),
    ),
    "config that ties": lambda place: (
        settings("config.json", tie_word_embeddings=True)(place),
        (place / "model.safetensors").write_bytes(
            safetensors(weights(**{"lm_head.weight": weights()["bert.embeddings.word_embeddings.weight"]}))
        ),
    ),
    "a lone link within": lambda place: (honest(place, vocab__txt="a") / "link.txt").symlink_to("vocab.txt"),
}  # fmt: skip


def _saved(array: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()
