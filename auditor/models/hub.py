"""The Hugging Face Hub: what a repository holds, searching, and fetching what is safe to read.

`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and `HF_HUB_OFFLINE` are obeyed. Nothing but safetensors, configs, tokenizers,
templates and the model card is ever downloaded: no pickles, no Python.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.errors import AuditorError, DiskError, FetchError, ModelError, UsageError
from auditor.models.files.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from auditor.models.files.fingerprint import CONFIGS, TEMPLATES, TOKENIZER_FILES
from auditor.models.files.profile import CONFIG
from auditor.models.files.safetensors import INDEX, WEIGHTS
from auditor.models.files.weight_sets import OTHER_FORMATS, weights_beside
from auditor.models.runtime.quiet import quiet_hub

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

CARD = ("README.md", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE")
_SHARD = re.compile(r"[\w.-]+-\d+-of-\d+\.safetensors", re.ASCII)
_TEMPLATE = re.compile(rf"{TEMPLATES}/[\w.-]+\.jinja", re.ASCII)
_TIKTOKEN = re.compile(r"[\w.-]+\.tiktoken", re.ASCII)


@dataclass(frozen=True, slots=True)
class HubInfo:
    """What the hub says of a model.

    `size` is the bytes that a fetch would download, None where it was not told. `architecture` and `model_type` are
    those of its config, `parameters` those of its safetensors, as far as the hub tells; `base_models` and `datasets`
    are what its card states. `weights` are the SHA-256 of its weight files; `whole` is False for an adapter, or where
    there is no safetensors file.
    """

    name: str
    commit: str | None
    size: int | None
    licence: str | None
    gated: bool
    base_model: str | None
    pipeline_tag: str | None
    downloads: int
    last_modified: str | None
    architecture: str | None = None
    model_type: str | None = None
    parameters: int | None = None
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    whole: bool = True


class Hub:
    """A hub and who asks it.

    Args:
        endpoint: address; `HF_ENDPOINT` or huggingface.co by default.
        token: access token; `HF_TOKEN` or the stored login by default.
    """

    def __init__(self, endpoint: str | None = None, token: str | None = None) -> None:
        from huggingface_hub import HfApi

        self._api = HfApi(endpoint=endpoint, token=token, library_name="auditor")

    @property
    def endpoint(self) -> str:
        """The hub's address."""
        return self._api.endpoint

    def info(self, name: str, revision: str | None = None) -> HubInfo:
        """What the hub says of a repository.

        Raises:
            UsageError: no such repository or revision.
            FetchError: not reached, offline, or refused.
        """
        return _summary(self._model_info(name, revision))

    def search(
        self, text: str | None = None, task: str | None = None, limit: int = 20, base_model: str | None = None
    ) -> list[HubInfo]:
        """Models with safetensors, the most downloaded first.

        Args:
            text: words in the name.
            task: the hub's name of a task, as `text-classification`.
            limit: at most so many.
            base_model: only models that were made from this one.

        Raises:
            FetchError: not reached, offline, or refused.
        """
        tags = ["safetensors", *([f"base_model:{base_model}"] if base_model else [])]
        with quiet_hub(), self._told(text or base_model or "the search"):
            found = self._api.list_models(
                search=text,
                pipeline_tag=task,
                filter=tags,
                sort="downloads",
                limit=limit,
                full=True,
                cardData=True,
                fetch_config=True,
            )
            return [_summary(model) for model in found]

    def fetch(self, name: str, revision: str | None = None) -> tuple[str, str]:
        """Downloads what is needed of a model into the hub's cache; returns the directory and the commit.

        Without a connection a complete copy in the cache is taken.

        Raises:
            UsageError: no such repository or revision.
            ModelError: it has no safetensors.
            FetchError: not reached and not in the cache, or refused.
            DiskError: the disk is full.
        """
        from huggingface_hub import constants

        if constants.is_offline_mode():
            return self._cached(name, revision, FetchError(f"{name} is not in the cache, and HF_HUB_OFFLINE is set"))
        try:
            files = [s.rfilename for s in self._model_info(name, revision).siblings or ()]
        except FetchError as error:
            return self._cached(name, revision, error)
        _require_safetensors(name, files)
        weights = [file for file in wanted(files) if file.endswith(".safetensors")]
        small = [file for file in wanted(files) if file not in weights]
        with quiet_hub(), self._told(name, revision):
            path = self._api.snapshot_download(name, revision=revision, allow_patterns=small, max_workers=4)
            commit = Path(path).name
            # One after the other, in this thread: an interrupt would wait for a thread that downloads gigabytes.
            for file in weights:
                self._api.hf_hub_download(name, file, revision=commit)
        return path, commit

    def _model_info(self, name: str, revision: str | None) -> ModelInfo:
        with quiet_hub(), self._told(name, revision):
            return self._api.model_info(name, revision=revision, files_metadata=True)

    def _cached(self, name: str, revision: str | None, reason: FetchError) -> tuple[str, str]:
        """The snapshot in the cache if everything that a fetch would bring is there; else raises the reason."""
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        hint = reason.hint or "Fetch it once with a connection, or give the path of a directory."
        try:
            config = try_to_load_from_cache(name, CONFIG, revision=revision)
        except HFValidationError as error:
            raise UsageError(f"{name!r} is no name on the hub: {_first_line(error)}") from error
        if not isinstance(config, str):
            raise FetchError(reason.message, hint=hint) from reason
        directory = Path(config).parent
        lacking = [file for file in _listed_once(name, directory.name) if not (directory / file).is_file()]
        if lacking:
            raise FetchError(f"{reason.message}; its copy in the cache lacks {lacking[0]}", hint=hint) from reason
        return str(directory), directory.name

    @contextmanager
    def _told(self, name: str, revision: str | None = None) -> Iterator[None]:
        """Turns the hub library's errors into ours."""
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        # The transport's base error, of whichever HTTP library this version of huggingface_hub is built on.
        transport = tuple(base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception))
        try:
            yield
        except AuditorError:
            raise
        except HFValidationError as error:
            raise UsageError(f"{name!r} is no name on the hub: {_first_line(error)}") from error
        except transport as error:
            raise self._explained(error, name, revision) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FetchError(
                f"{self.endpoint} answered for {name} what cannot be understood: {_first_line(error)}",
                hint="Does HF_ENDPOINT name a hub, or a mirror of one?",
            ) from error

    def _explained(self, error: Exception, name: str, revision: str | None) -> AuditorError:
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        login = "Set HF_TOKEN, or log in with `hf auth login`."
        if isinstance(error, GatedRepoError):
            return FetchError(
                f"{name} is gated: its terms must be accepted first",
                hint=f"Accept them at {self.endpoint}/{name}. {login}",
            )
        if isinstance(error, RevisionNotFoundError):
            return UsageError(f"{name} has no revision {revision or 'main'!r}", hint=f"See {self.endpoint}/{name}.")
        if isinstance(error, RepositoryNotFoundError):
            return UsageError(
                f"there is no repository {name} on {self.endpoint}, or it is private", hint=f"If it is private: {login}"
            )
        if isinstance(error, OfflineModeIsEnabled):
            return FetchError(f"{name} cannot be fetched: HF_HUB_OFFLINE is set", hint="Unset it, or give a directory.")
        if isinstance(error, HfHubHTTPError):
            status = error.response.status_code
            hint = login if status in {401, 403} else "Wait a little and try again."
            return FetchError(f"{self.endpoint} answered {status} for {name}: {_first_line(error)}", hint=hint)
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DiskError(
                f"the disk is full: {name} could not be fetched", hint="Free space, or set HF_HOME elsewhere."
            )
        return FetchError(
            f"{name} could not be fetched from {self.endpoint}: {_first_line(error)}",
            hint="Check the connection (HF_ENDPOINT names the hub), or give the path of a directory.",
        )


def wanted(files: Iterable[str]) -> list[str]:
    """The files of a repository that a fetch brings: what a profile hashes, and the model card."""
    names = set(files)
    fixed = {*CONFIGS, *TOKENIZER_FILES, *CARD, ADAPTER_CONFIG, ADAPTER_WEIGHTS}
    chosen = {n for n in names if n in fixed or _TEMPLATE.fullmatch(n) or _TIKTOKEN.fullmatch(n)}
    if WEIGHTS in names:
        chosen.update(names & {WEIGHTS, INDEX})
    elif INDEX in names:
        chosen.update(n for n in names if n == INDEX or _SHARD.fullmatch(n))
    return sorted(chosen)


def _require_safetensors(name: str, files: list[str]) -> None:
    chosen = wanted(files)
    if WEIGHTS in chosen and CONFIG in chosen:
        # A second set is refused when the profile is read; here before gigabytes are fetched for that.
        weights_beside(name, files, (WEIGHTS,), indexed=INDEX in chosen)
    if any(n.endswith(".safetensors") for n in chosen):
        return
    others = sorted(n for n in files if n.endswith((*OTHER_FORMATS, ".safetensors")))
    if not others:
        raise ModelError(f"{name} holds no weights", hint="Is it the repository of a model, or of something else?")
    raise ModelError(
        f"{name} has no {WEIGHTS}, only {', '.join(others[:3])}; other formats may run code when they are opened",
        hint="Look for a revision with safetensors: the hub's bot offers them as pull requests (name@refs/pr/N).",
    )


def _listed_once(name: str, commit: str) -> list[str]:
    """What a fetch of this commit would bring, by the listing that an earlier fetch left in the cache."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        return wanted(file.path for file in get_cached_repo_tree(name, revision=commit))
    except CachedRepoTreeNotFoundError:
        return []


def _summary(model: ModelInfo) -> HubInfo:
    card: Any = model.card_data or {}
    tags = model.tags or []
    sizes = {s.rfilename: s.size for s in model.siblings or ()}
    needed = [sizes[n] for n in wanted(sizes)]
    chosen = {n for n in wanted(sizes) if n.endswith(".safetensors") and n != ADAPTER_WEIGHTS}
    known = [n for n in needed if n is not None]
    config = model.config or {}
    classes = config.get("architectures")
    return HubInfo(
        name=model.id,
        commit=model.sha,
        size=sum(known) if known and len(known) == len(needed) else None,
        licence=_one(card.get("license")) or _tagged(tags, "license:"),
        gated=bool(model.gated),
        base_model=_one(card.get("base_model")) or _tagged(tags, "base_model:"),
        pipeline_tag=model.pipeline_tag,
        downloads=model.downloads or 0,
        last_modified=model.last_modified.astimezone(UTC).isoformat() if model.last_modified else None,
        architecture=_one(classes[:1]) if isinstance(classes, list) else None,
        model_type=_one(config.get("model_type")),
        parameters=model.safetensors.total if model.safetensors else None,
        base_models=_several(card.get("base_model")) or tuple(n for n in [_tagged(tags, "base_model:")] if n),
        datasets=_several(card.get("datasets")),
        weights=tuple(sorted(s.lfs.sha256 for s in model.siblings or () if s.rfilename in chosen and s.lfs)),
        whole=not sizes or (CONFIG in sizes and bool(chosen)),
    )


def _one(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) and value else None


def _several(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(v for v in values if isinstance(v, str) and v)


def _tagged(tags: list[str], prefix: str) -> str | None:
    """The value of a tag such as `license:mit`; `base_model:finetune:…` says how, which is not asked."""
    values = [t.removeprefix(prefix) for t in tags if t.startswith(prefix)]
    return next((v for v in values if ":" not in v), None)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
