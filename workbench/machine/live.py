"""Gauges of the host: a sample every few seconds of a run, and a live snapshot each second."""

import importlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from workbench.machine.facts import Nvml
from workbench.machine.probe import SMALL_PROBES, stream_probe
from workbench.runs.process import worker_command

SECONDS = 5.0  # between two samples; one takes about a millisecond
PATIENCE = 5.0  # seconds of silence after which the driver counts as not responding

Sample = dict[str, Any]


class GpuGauge:
    """NVML's gauges of one GPU, read in this process; empty where NVML reports nothing.

    Args:
        uuid: NVML's name of a GPU or a MIG slice.
        library: pynvml; the real one by default.
    """

    def __init__(self, uuid: str, library: Any = None) -> None:
        self._nvml = library or importlib.import_module("pynvml")
        self._handle = None
        with suppress(Exception):  # any: a gauge must not end a training
            self._nvml.nvmlInit()
            self._handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)

    def read(self) -> Sample:
        """Return what NVML reports.

        `utilization` (percent), `temperature` (degrees Celsius), `memory_used` and `memory_total`
        (bytes).
        """
        nvml, handle = self._nvml, self._handle
        sample: Sample = {}
        if handle is None:
            return {}
        with suppress(Exception):
            sample["utilization"] = int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
        with suppress(Exception):
            celsius = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
            sample["temperature"] = int(celsius)
        with suppress(Exception):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            sample["memory_used"], sample["memory_total"] = int(memory.used), int(memory.total)
        return sample


class Sampler:
    """Emits a sample of the host every few seconds while its `with` block runs.

    Args:
        emit: called from a thread of its own.
        folder: whose disk is sampled.
        gpu: the gauge of the GPU in use, None without one.
        seconds: between two samples.
    """

    def __init__(
        self,
        emit: Callable[[Sample], None],
        folder: Path,
        gpu: GpuGauge | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._emit = emit
        self._folder = folder
        self._gpu = gpu
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._process = psutil.Process()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(self._seconds)

    def _run(self) -> None:
        self.sample()  # CPU shares count from the previous call, for each thread
        while not self._ended.wait(self._seconds):
            sample = self.sample()
            if self._ended.is_set():  # it hung in a driver, and the block has ended
                return
            with suppress(OSError):  # code that must write reports a full disk
                self._emit(sample)

    def sample(self) -> Sample:
        """Return one sample."""
        return {
            **host_gauges(),
            "process_cpu": self._process.cpu_percent(),
            "process_memory": self._process.memory_info().rss,
            "disk_free": _free(self._folder),
            "gpu": self._gpu.read() if self._gpu else None,
        }


def host_gauges() -> Sample:
    """Return `cpu` (percent of all cores since the last call), `memory_used` and `memory_total`."""
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


@dataclass(frozen=True)
class Gauges:
    """A snapshot of the host.

    Attributes:
        host: see `host_gauges`.
        nvml: the GPUs.
        silent: seconds since the last report where the next is overdue, else 0.
    """

    host: dict[str, Any] = field(default_factory=dict)
    nvml: Nvml = field(default_factory=Nvml)
    silent: float = 0.0


def gauges(module: str = SMALL_PROBES, patience: float = PATIENCE) -> Iterator[Gauges]:
    """Yield a snapshot each second until the iterator is closed, or the child process ends.

    Args:
        module: the child process; tests have their own.
        patience: seconds of silence after which the last snapshot is repeated.
    """
    last, heard = Gauges(), time.monotonic()
    # Closed with this generator, not only when it is collected.
    with closing(stream_probe(worker_command(module, "gauges"), patience)) as reports:
        for report in reports:
            if report is None:
                yield Gauges(last.host, last.nvml, time.monotonic() - heard)
                continue
            heard = time.monotonic()
            with suppress(ValueError, KeyError):
                last = Gauges(report["host"], Nvml.model_validate(report["nvml"]))
                yield last
