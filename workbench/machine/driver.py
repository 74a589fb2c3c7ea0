"""What the NVIDIA driver reports, asked once and passed on, and the GPU that a run would use.

NVML is asked in a child process, which may crash or hang. Which GPUs there are and how much of
their memory is free changes little within a minute, so whoever asks passes the report on: the
command that starts a run hands it to the run's worker.
"""

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from workbench.machine.device_group import can_share, choose_gpus
from workbench.machine.environment import GPU_DEVICE, list_folder, read_text
from workbench.machine.facts import Nvml, NvmlReport
from workbench.machine.gpus import (
    AUTO,
    CPU,
    NONE,
    VARIABLE,
    GpuChoice,
    usable_gpus,
)
from workbench.machine.probe import SMALL_PROBES, run_probe
from workbench.runs.process import worker_command
from workbench.runs.slots import holders

NVML_SECONDS = 10.0  # a healthy driver takes a tenth of it
RECENT_SECONDS = 60.0  # age up to which a report is used instead of asking again
# Of a GPU, for the libraries of any training: a process that only initializes TensorFlow takes
# several hundred MiB, and what one that takes all memory leaves to others is about as much.
CONTEXT_BYTES = 1 << 30
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
    """Return the device that a run for one would use now; see `find_gpus`."""
    return find_gpus(requested, 1, known, environment)[0]


def find_gpus(
    requested: int | str,
    count: int,
    known: NvmlReport | None = None,
    environment: Mapping[str, str] = os.environ,
    needed: int = 0,
) -> tuple[GpuChoice, ...]:
    """Return the devices that a run would use now, with the report behind them.

    They are the freest of those that the fewest runs use (see `usable_gpus`), of those with enough
    free memory if these are enough.

    Args:
        requested: "auto", "none" or an index as nvidia-smi counts.
        count: GPUs that share each batch; the CPU is one device (see `can_share`).
        known: an earlier report, used while it is recent.
        environment: for CUDA_VISIBLE_DEVICES.
        needed: bytes that the training certainly needs.

    Raises:
        UserError: the requested GPU does not exist, or there are fewer.
    """
    if requested == NONE:  # a run on the CPU need not wait for a driver that hangs
        return choose_gpus(requested, None, count, environment)
    report = known if known and is_recent(known) else query_nvml(environment)
    usable = can_share(usable_gpus(requested, report.nvml, environment), count, environment)
    if len(roomy := with_room(usable, needed)) >= count:
        usable = roomy
    least_used = sorted(usable, key=lambda one: len(holders(one.key)))
    return tuple(replace(one, report=report) for one in least_used[:count])


def with_room(choices: Sequence[GpuChoice], needed: int) -> tuple[GpuChoice, ...]:
    """Return the devices with enough free memory; the CPU has.

    Args:
        choices: in any order, which is kept.
        needed: bytes of the training, beside what the libraries take.
    """
    least = max(needed, CONTEXT_BYTES)
    return tuple(one for one in choices if not one.memory_total or one.memory_free >= least)


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
    return count_gpu_devices(environment, root) > 0


def count_gpu_devices(environment: Mapping[str, str], root: Path = Path("/")) -> int:
    """Return how many GPUs programs could use at most, by their device files alone."""
    named = environment.get(VARIABLE)
    if named is not None and named.strip() in ("", "-1"):
        return 0
    files = sum(1 for path in list_folder(root / "dev") if GPU_DEVICE.fullmatch(path.name))
    return files if named is None else min(files, len(named.split(",")))


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
