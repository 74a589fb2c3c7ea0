"""A look at the machine every few seconds: use, memory, temperature, room on the disk."""

import importlib
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

SECONDS = 5.0  # between two looks; one takes about a millisecond

Sample = dict[str, Any]


class GpuGauge:
    """NVML's gauges of one GPU, read in this process; it says nothing where NVML does not.

    Args:
        uuid: NVML's name of a GPU or a MIG slice.
        library: pynvml; the real one where left out.
    """

    def __init__(self, uuid: str, library: Any = None) -> None:
        self._nvml = library or importlib.import_module("pynvml")
        self._handle = None
        with suppress(Exception):  # of whatever kind: a gauge is no reason to end a training
            self._nvml.nvmlInit()
            self._handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)

    def read(self) -> Sample:
        """`utilization` (percent), `temperature` (degrees Celsius), `memory_used` and
        `memory_total` (bytes); without those that NVML does not tell.
        """
        nvml, handle = self._nvml, self._handle
        told: Sample = {}
        if handle is None:
            return {}
        with suppress(Exception):
            told["utilization"] = int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        with suppress(Exception):
            celsius = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
            told["temperature"] = int(celsius)
        with suppress(Exception):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            told["memory_used"], told["memory_total"] = int(memory.used), int(memory.total)
        return told


class Sampler:
    """Tells of the machine every few seconds while its `with` block runs.

    Args:
        tell: called from a thread of its own.
        folder: whose disk is looked at.
        gpu: the gauge of the GPU that is used, None without one.
        seconds: between two looks.
    """

    def __init__(
        self,
        tell: Callable[[Sample], None],
        folder: Path,
        gpu: GpuGauge | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._tell = tell
        self._folder = folder
        self._gpu = gpu
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._process = psutil.Process()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(self._seconds)

    def _run(self) -> None:
        self._look()  # from here on the shares of the CPU are counted, for this thread
        while not self._ended.wait(self._seconds):
            sample = self._look()
            if self._ended.is_set():  # it waited long in a driver: nobody listens any more
                return
            with suppress(OSError):  # a full disk is told by those who must write to it
                self._tell(sample)

    def _look(self) -> Sample:
        return {
            **box_gauges(),
            "process_cpu": self._process.cpu_percent(),
            "process_memory": self._process.memory_info().rss,
            "disk_free": _free(self._folder),
            "gpu": self._gpu.read() if self._gpu else None,
        }


def box_gauges() -> Sample:
    """`cpu`: percent of all cores since the last call; `memory_used`, `memory_total`: bytes."""
    memory = psutil.virtual_memory()
    return {
        "cpu": psutil.cpu_percent(),
        "memory_used": memory.total - memory.available,
        "memory_total": memory.total,
    }


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def seconds_of_a_look(folder: Path, gpu: GpuGauge | None = None, looks: int = 200) -> float:
    """What one look costs in seconds of the CPU, mean of many."""
    sampler = Sampler(lambda sample: None, folder, gpu)
    started = time.process_time()
    for _ in range(looks):
        sampler._look()
    return (time.process_time() - started) / looks
