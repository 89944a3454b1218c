"""What a scan needs from outside: devices, loaded models, and the catalog's stored answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from auditor.models.runtime.capabilities import Target
from auditor.models.runtime.device import pick_device, pick_dtype
from auditor.models.runtime.tokenizer import ModelTokenizer, load_tokenizer
from auditor.settings import Settings
from probes.cases import Row
from store.catalog import Catalog
from store.records import Profile, Run


@dataclass
class CatalogBackend:
    """Loads models as the settings say, and keeps answers in the catalog."""

    settings: Settings
    catalog: Catalog

    @cached_property
    def _device(self) -> tuple[str, str]:
        device = pick_device(self.settings.device)
        return device, pick_dtype(self.settings.dtype, device)

    def device(self) -> tuple[str, str]:
        """The device and dtype that models are loaded with."""
        return self._device

    def load(self, profile: Profile, max_length: int) -> Target:
        """Opens a classifier; an input that is longer than it takes is unscorable."""
        from auditor.models.runtime.load import load_classifier

        device, dtype = self._device
        return load_classifier(profile, device=device, dtype=dtype, max_length=max_length, whole=True)

    def tokenizer(self, profile: Profile) -> ModelTokenizer:
        """A model's tokenizer, without the model."""
        return load_tokenizer(profile)

    def open_run(self, key: str, *, model_digest: str, batches: int, fresh: bool) -> Run:
        """The stored answers to a plan, or a new place for them."""
        return self.catalog.runs.open_run(key, model_digest=model_digest, batches=batches, fresh=fresh)

    def keep_rows(self, digest: str, rows: Sequence[Row]) -> None:
        """Stores the rows of a plan."""
        self.catalog.runs.keep_rows(digest, rows)
