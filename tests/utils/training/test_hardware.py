"""Samples of the machine, with and without NVML."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest

from utils.training import hardware


def stand_in(**more) -> SimpleNamespace:
    """Two GPUs, the second without a power sensor."""

    def power(handle: int) -> int:
        if handle == 1:
            raise RuntimeError("not supported")
        return 350_000

    return SimpleNamespace(
        **{"nvmlInit": lambda: None, **more},
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=4e9 * (handle + 1), total=80e9),
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=50 + handle),
        nvmlDeviceGetPowerUsage=power,
        nvmlDeviceGetTemperature=lambda handle, sensor: 61,
        NVML_TEMPERATURE_GPU=0,
    )


def samples_of(tmp_path, seconds: float = 0.05) -> list[hardware.Sample]:
    run = SimpleNamespace(inner=tmp_path / "run")
    with hardware.sampled(run, seconds=seconds):
        time.sleep(1.0)
    (found,) = hardware.read_samples(tmp_path).values()
    return found


def test_gpus_by_nvml(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", stand_in())
    first, second = samples_of(tmp_path)[0]["gpus"]
    assert first == {"use": 0.5, "memory_gb": 4.0, "memory_of_gb": 80.0, "power_w": 350.0, "celsius": 61}
    assert second == {"use": 0.51, "memory_gb": 8.0, "memory_of_gb": 80.0, "celsius": 61}


@pytest.mark.parametrize("module", [None, stand_in(nvmlInit=None)], ids=["not installed", "no driver"])
def test_processor_and_memory_otherwise(tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, "pynvml", module)
    sample = samples_of(tmp_path)[-1]
    assert "gpus" not in sample
    assert 0 <= sample["host"]["cpu"] <= 1
    assert 0 < sample["host"]["memory_gb"] < sample["host"]["memory_of_gb"]


def test_a_line_cut_short_is_left_out(tmp_path):
    folder = tmp_path / "run" / "hardware"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text('{"time": 1, "host": {}}\n{"ti')
    assert hardware.read_samples(tmp_path) == {"a": [{"time": 1, "host": {}}]}


def test_one_rank_of_a_host_samples(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    with hardware.sampled(SimpleNamespace(inner=tmp_path), seconds=0.01):
        time.sleep(0.1)
    assert not list(tmp_path.iterdir())
