"""A profiled model's files, read once each and compared with the profile: what was hashed is what is used."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.errors import ModelError
from auditor.models.files.adapter import speaks
from auditor.models.files.fingerprint import TEMPLATES, tokenizer_files
from probes.reading import read_bytes
from store.records import Profile

MOST = 2**32
"""Bytes of a file that is held whole; weights go their own way."""
WEIGHT_SUFFIXES = (".safetensors", ".safetensors.index.json")


def verified(path: Path, digest: str) -> bytes:
    """A file's bytes, if they are still those that were hashed.

    Raises:
        ModelError: they are not, or the file cannot be read.
    """
    try:
        content = read_bytes(path, MOST)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise changed(path)
    return content


def changed(path: Path) -> ModelError:
    """A file is no longer what was hashed."""
    return ModelError(
        f"{path} changed while it was being read", hint="Let whatever writes there finish, then try again."
    )


@contextmanager
def small_files(profile: Profile) -> Iterator[Path]:
    """A private directory that holds the model's files beside its weights, and nothing else.

    Of an adapter on its base those are the base's; where the adapter has a tokenizer, that and its templates stand in
    the place of the base's.

    Raises:
        ModelError: one of them is not what was hashed.
    """
    base = profile.parts[1] if profile.parts else profile
    voice = speaks(profile)
    owners = {file: base for file in base.files if voice is base or not _is_voice(file)}
    owners |= {file: voice for file in voice.files if _is_voice(file)}
    with tempfile.TemporaryDirectory(prefix="auditor-") as private:
        for file, owner in owners.items():
            if not file.endswith(WEIGHT_SUFFIXES):
                copy = Path(private, file)
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(verified(Path(owner.ref.path) / file, owner.files[file]))
        yield Path(private)


def _is_voice(file: str) -> bool:
    """Whether a file is of a tokenizer, or a chat template."""
    return bool(tokenizer_files([file])) or file.startswith(("chat_template.", f"{TEMPLATES}/"))


def unloadable(name: str, what: str, error: Exception, private: str = "") -> ModelError:
    """transformers raises nearly any kind of exception on odd files; its first line usually says why."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(
        f"{name}: {what}: {said.replace(private, name) if private else said}",
        hint="The files may be damaged, or made for another version of transformers.",
    )
