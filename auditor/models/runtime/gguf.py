"""GGUF files as models of transformers, their weights converted to plain numbers; what was hashed is what is loaded."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.errors import DiskError, ModelError
from auditor.models.files.gguf.reader import read_gguf
from auditor.models.files.staging import FULL
from auditor.models.runtime.verified import changed, unloadable
from probes.reading import open_regular
from store.records import Profile

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CHUNK = 1 << 20


@contextmanager
def private_gguf(profile: Profile, *, whole: bool) -> Iterator[Path]:
    """A private copy of a GGUF file, alone in its directory, if its bytes are those that were hashed.

    Args:
        whole: with the weights; else the copy is as long, and they are a hole that takes no room.

    Raises:
        ModelError: the file is not what was hashed, or cannot be read; or the package for GGUF is not installed.
        DiskError: the copy does not fit on the disk.
    """
    if find_spec("gguf") is None:
        raise ModelError(
            f"{profile.ref.reference} is a GGUF file, which takes the package gguf",
            hint="Install it: pip install 'auditor[gguf]'",
        )
    path = Path(profile.ref.path)
    header = read_gguf(path)
    with tempfile.TemporaryDirectory(prefix="auditor-") as private:
        copy = Path(private, path.name)
        running, left = hashlib.sha256(), header.size if whole else header.start
        try:
            with open_regular(path) as source, copy.open("wb") as target:
                while part := source.read(CHUNK):
                    running.update(part)
                    target.write(part[:left])
                    left = max(0, left - len(part))
                target.truncate(header.size)
        except OSError as error:
            if error.errno in FULL:
                raise DiskError(
                    f"no room in {private} for a copy of {path} ({header.size:,} bytes)",
                    hint="Free some space, or name another place with the environment variable TMPDIR.",
                ) from error
            raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
        if running.hexdigest() != profile.files[path.name]:
            raise changed(path)
        yield copy


def gguf_tokenizer(file: Path, name: str) -> PreTrainedTokenizerBase:
    """The tokenizer in a GGUF file.

    Raises:
        ModelError: it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            file.parent, gguf_file=file.name, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        raise unloadable(name, "its tokenizer cannot be read", error, str(file.parent)) from error
    return found


def gguf_model(file: Path, name: str, dtype: str) -> tuple[PreTrainedModel, Mapping[str, Any]]:
    """The language model in a GGUF file on the CPU, and what transformers says of its loading.

    Raises:
        ModelError: it cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    maker: Any = AutoModelForCausalLM
    try:
        # transformers shows a bar of its own there, whatever its verbosity is.
        with redirect_stderr(io.StringIO()):
            model, info = maker.from_pretrained(
                file.parent,
                gguf_file=file.name,
                quantization_config=GgufConfig(dequantize=True),
                dtype=getattr(torch, dtype),
                output_loading_info=True,
                trust_remote_code=False,
                local_files_only=True,
            )
    except Exception as error:
        raise unloadable(name, "it cannot be loaded", error, str(file.parent)) from error
    return model, info
