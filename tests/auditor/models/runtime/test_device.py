"""Which devices a name stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.models.runtime import device
from auditor.models.runtime.device import driver_gpus, pick_device, pick_devices, pick_room


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with three GPUs, as far as torch says."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)


@pytest.mark.usefixtures("gpus")
def test_cuda_stands_for_every_gpu_where_work_can_be_shared() -> None:
    every = ("cuda:0", "cuda:1", "cuda:2")
    assert pick_devices("cuda") == pick_devices("auto") == every
    assert pick_devices("cuda:1") == ("cuda:1",)
    assert pick_devices("cpu") == ("cpu",)
    assert pick_device("cuda") == "cuda:0"
    assert pick_room("cuda") == pick_room("auto") == "cuda", "any with room, or several"
    assert pick_room("cuda:1") == "cuda:1"
    with pytest.raises(UsageError, match="no device cuda:3"):
        pick_devices("cuda:3")


def test_without_a_gpu_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_devices("auto") == ("cpu",)
    with pytest.raises(UsageError, match="no CUDA device"):
        pick_devices("cuda")


def test_the_drivers_gpus_are_counted_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device, "GPUS", tmp_path / "none")
    assert driver_gpus() == 0
    monkeypatch.setattr(device, "GPUS", tmp_path)
    for name in ("0000:17:00.0", "0000:65:00.0"):
        (tmp_path / name).mkdir()
    assert driver_gpus() == 2
    for shown, count in (("", 0), ("1", 1), ("0,1", 2), ("0,1,2", 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
        assert driver_gpus() == count
