"""What the driver reports is asked once and passed on; device files show whether there is one."""

from pathlib import Path

import pytest
from machine_facts import gpu, put

from workbench.machine import driver as module
from workbench.machine.driver import (
    RECENT_SECONDS,
    driver_version,
    expected_device,
    find_gpu,
    has_gpu_device,
)
from workbench.machine.facts import Nvml, NvmlReport

NOW = 1_772_445_600.0


@pytest.fixture
def asked(frozen_clock: float, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what was asked of the driver, which lists two GPUs."""
    calls: list[object] = []

    def query(environment: object) -> NvmlReport:
        calls.append(environment)
        return NvmlReport(nvml=Nvml(gpus=(gpu(0), gpu(1))), asked=frozen_clock)

    monkeypatch.setattr(module, "query_nvml", query)
    return calls


def test_a_recent_report_is_used(asked: list[object]) -> None:
    gpus = gpu(0, memory_used=10**9), gpu(1, memory_used=0)
    known = NvmlReport(nvml=Nvml(gpus=gpus), asked=NOW - 5)
    choice = find_gpu("auto", known, {})
    assert choice.gpu is not None
    assert (choice.gpu.index, choice.report, asked) == (1, known, [])
    # That the driver did not respond is known, too.
    silent = NvmlReport(nvml=None, asked=NOW)
    assert (find_gpu("auto", silent, {}).gpu, asked) == (None, [])


@pytest.mark.parametrize("age", [RECENT_SECONDS + 1, -RECENT_SECONDS - 1])
def test_an_old_report_is_not(age: float, asked: list[object]) -> None:
    old = NvmlReport(nvml=None, asked=NOW - age)
    choice = find_gpu("auto", old, {})
    assert choice.gpu is not None
    assert choice.report is not None
    assert (choice.report.asked, asked) == (NOW, [{}])
    assert find_gpu("auto", None, {}).gpu is not None
    assert asked == [{}, {}]


def test_a_run_on_the_cpu_asks_nothing(asked: list[object]) -> None:
    choice = find_gpu("none", None, {})
    assert (choice.gpu, choice.report, asked) == (None, None, [])


@pytest.mark.parametrize(
    ("files", "environment", "found"),
    [
        (("dev/nvidia0",), {}, True),
        (("dev/nvidia12",), {"CUDA_VISIBLE_DEVICES": "3"}, True),
        (("dev/dxg",), {}, True),
        (("dev/nvidia0",), {"CUDA_VISIBLE_DEVICES": "-1"}, False),
        (("dev/nvidia0",), {"CUDA_VISIBLE_DEVICES": ""}, False),
        (("dev/nvidiactl", "dev/null"), {}, False),
        ((), {}, False),
    ],
)
def test_a_gpu_by_its_device_file(
    files: tuple[str, ...], environment: dict[str, str], found: bool, tmp_path: Path
) -> None:
    put(tmp_path, {"dev/full": "", **dict.fromkeys(files, "")})
    assert has_gpu_device(environment, tmp_path) is found


def test_a_plan_asks_the_driver_only_for_a_gpu(
    asked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "has_gpu_device", lambda environment: False)
    assert (expected_device("auto", {}), expected_device("none", {}), asked) == ("CPU", "CPU", [])
    assert expected_device(1, {}) == "NVIDIA H200"
    monkeypatch.setattr(module, "has_gpu_device", lambda environment: True)
    assert (expected_device("auto", {}), len(asked)) == ("NVIDIA H200", 2)


def test_the_version_of_the_driver(tmp_path: Path) -> None:
    assert driver_version(tmp_path) == ""
    loaded = (
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
        "GCC version:  gcc version 12.3.0\n"
    )
    put(tmp_path, {"proc/driver/nvidia/version": loaded})
    assert driver_version(tmp_path) == "535.104.05"
    put(tmp_path, {"sys/module/nvidia/version": "550.54.14\n"})
    assert driver_version(tmp_path) == "550.54.14"


def test_the_driver_of_windows_by_its_library(tmp_path: Path) -> None:
    put(tmp_path, {"usr/lib/wsl/lib/libcuda.so.1": ""})
    library = tmp_path / "usr/lib/wsl/lib/libcuda.so.1"
    assert driver_version(tmp_path) == str(library.stat().st_mtime_ns)
