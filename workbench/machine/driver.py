"""What the NVIDIA driver reports, asked once and passed on, and the GPU that a run would use.

NVML is asked in a child process, which may crash or hang. Which GPUs there are and how much of
their memory is free changes little within a minute, so whoever asks passes the report on: the
command that starts a run hands it to the run's worker.
"""

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from workbench.machine.environment import GPU_DEVICE, list_folder, read_text
from workbench.machine.facts import Nvml, NvmlReport
from workbench.machine.gpus import AUTO, CPU, NONE, VARIABLE, GpuChoice, choose_gpu, usable_gpus
from workbench.machine.probe import SMALL_PROBES, run_probe
from workbench.runs.process import worker_command
from workbench.runs.queue import holders

NVML_SECONDS = 10.0  # a healthy driver takes a tenth of it
RECENT_SECONDS = 60.0  # age up to which a report is used instead of asking again
# What the kernel's module says of itself; in WSL the driver is a library of Windows.
_MODULE, _LOADED = "sys/module/nvidia/version", "proc/driver/nvidia/version"
_WSL_LIBRARY = "usr/lib/wsl/lib/libcuda.so.1"


def query_nvml(environment: Mapping[str, str] = os.environ) -> NvmlReport:
    """Ask NVML; the report is empty where it does not respond."""
    result = run_probe(worker_command(SMALL_PROBES, "nvml"), NVML_SECONDS, environment)
    nvml = None
    with suppress(ValidationError, IndexError):
        nvml = Nvml.model_validate(result.lines[0])
    return NvmlReport(nvml=nvml, asked=time.time())


def find_gpu(
    requested: int | str = AUTO,
    known: NvmlReport | None = None,
    environment: Mapping[str, str] = os.environ,
) -> GpuChoice:
    """Return the device that a run would use now, with the report behind it.

    It is the freest of those that the fewest runs use (see `usable_gpus`).

    Args:
        requested: "auto", "none" or an index as nvidia-smi counts.
        known: an earlier report, used while it is recent.
        environment: for CUDA_VISIBLE_DEVICES.

    Raises:
        UserError: the requested GPU does not exist.
    """
    if requested == NONE:  # a run on the CPU need not wait for a driver that hangs
        return choose_gpu(requested, None, environment)
    report = known if known and is_recent(known) else query_nvml(environment)
    usable = usable_gpus(requested, report.nvml, environment)
    return replace(min(usable, key=lambda one: len(holders(one.key))), report=report)


def expected_device(requested: int | str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the name of the device that a run would use, as benchmarks are kept for it.

    The driver is not asked where there is no GPU to choose.

    Raises:
        UserError: the requested GPU does not exist.
    """
    if requested == AUTO and not has_gpu_device(environment):
        return CPU
    return find_gpu(requested, None, environment).device_name


def is_recent(report: NvmlReport) -> bool:
    """Return whether a report is new enough to choose a GPU by it."""
    return abs(time.time() - report.asked) <= RECENT_SECONDS


def has_gpu_device(environment: Mapping[str, str], root: Path = Path("/")) -> bool:
    """Return whether programs could use a GPU, by its device file alone: nothing is asked."""
    if environment.get(VARIABLE, "0").strip() in ("", "-1"):
        return False
    return any(GPU_DEVICE.fullmatch(path.name) for path in list_folder(root / "dev"))


def driver_version(root: Path = Path("/")) -> str:
    """Return the version of the loaded driver, or what changes with it; "" without a driver.

    Unlike NVML's it is in files, so that any process can compare it.
    """
    if version := read_text(root / _MODULE).strip():
        return version
    if match := re.search(r"\b\d+\.\d+(\.\d+)*\b", read_text(root / _LOADED)):
        return match[0]
    with suppress(OSError):
        return str((root / _WSL_LIBRARY).stat().st_mtime_ns)
    return ""
