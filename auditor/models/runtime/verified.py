"""A profiled model's files, read once each and compared with the profile: what was hashed is what is used."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.errors import ModelError
from store.records import Profile

WEIGHT_SUFFIXES = (".safetensors", ".safetensors.index.json")


def verified(path: Path, digest: str) -> bytes:
    """A file's bytes, if they are still those that were hashed.

    Raises:
        ModelError: they are not, or the file cannot be read.
    """
    try:
        content = path.read_bytes()
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

    Raises:
        ModelError: one of them is not what was hashed.
    """
    directory = Path(profile.ref.path)
    with tempfile.TemporaryDirectory(prefix="auditor-") as private:
        for file, digest in profile.files.items():
            if not file.endswith(WEIGHT_SUFFIXES):
                copy = Path(private, file)
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(verified(directory / file, digest))
        yield Path(private)


def unloadable(name: str, what: str, error: Exception, private: str = "") -> ModelError:
    """transformers raises nearly any kind of exception on odd files; its first line usually says why."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(
        f"{name}: {what}: {said.replace(private, name) if private else said}",
        hint="The files may be damaged, or made for another version of transformers.",
    )
