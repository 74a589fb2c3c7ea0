"""Benchmark results of devices, stored in the user's cache folder.

One file for each device and set of versions: everything that changes the speed changes the name.
The device in the name is the one that training is expected to run on, as NVML names it; the file
holds the one that was measured, which is the CPU for a GPU that cannot be used.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from workbench.experiment.throughput import ThroughputModel
from workbench.machine.backends import chosen_backend, installed_version
from workbench.machine.kept import keep, kept_path, load_kept
from workbench.machine.processor import allowed_cores, cpu_name

FORMAT = 2  # 1: a call of the framework for every step
MAX_BUSY_SHARE = 0.25  # of the CPU used by other programs, beyond which a result is unreliable
_PACKAGES = ("keras", "tensorflow", "jax", "torch", "nvidia-cudnn-cu12")


class BenchmarkResult(BaseModel):
    """The measured speed of a device.

    Attributes:
        device: its name; "CPU" for the processor.
        kind: cpu or gpu.
        precision: the dtype policy, "mixed_float16".
        jit: whether steps were compiled with XLA.
        busy: share of the CPU that other programs used just before, from 0 to 1.
        measured: unix seconds; 0 until it is stored.
        images_per_second: JPEGs decoded by all cores (see `machine.decoding`), None where unknown.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    device: str
    kind: str
    precision: str
    jit: bool
    speed: ThroughputModel
    busy: float = 0.0
    measured: float = 0.0
    images_per_second: float | None = None

    @property
    def reliable(self) -> bool:
        """False where other programs kept the CPU busy during the measurement."""
        return self.busy <= MAX_BUSY_SHARE

    @property
    def measured_as(self) -> str:
        """The device and how it was used."""
        return measured_as(self.device, self.precision, self.jit)


def measured_as(device: str, precision: str, jit: bool) -> str:
    """Return a device and how it is used, which decide about its speed."""
    return f"{device}, {precision}, {'XLA' if jit else 'no XLA'}"


@dataclass(frozen=True)
class BenchmarkStore:
    """The file with the result of one expected device.

    Args:
        device: as NVML names a GPU, "CPU" for the processor.
    """

    device: str
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def path(self) -> Path:
        """The file, whether it exists or not."""
        identity = {
            "format": FORMAT,
            "device": self.device,
            # Without a GPU the processor does everything, with one it still feeds it.
            "cpu": cpu_name(),
            "cores": allowed_cores(),
            "backend": chosen_backend(self.environment),
            **{name: v for name in _PACKAGES if (v := installed_version(name)) is not None},
        }
        return kept_path("figures", identity, self.environment)

    def load(self) -> BenchmarkResult | None:
        """Return the stored result; None where nothing can be read."""
        return load_kept(self.path, BenchmarkResult)

    def save(self, result: BenchmarkResult) -> None:
        """Store a result, unless a more reliable one, or one of a GPU, is stored.

        Raises:
            OSError: the cache folder cannot be written.
        """
        stored = self.load()
        if stored and stored.kind == "gpu" and result.kind == "cpu":
            return  # the GPU is hidden or in use for the moment
        if stored and stored.kind == result.kind and stored.reliable and not result.reliable:
            return
        if result.images_per_second is None and stored:
            rate = stored.images_per_second
            result = result.model_copy(update={"images_per_second": rate})
        if not result.measured:
            result = result.model_copy(update={"measured": time.time()})
        keep(self.path, result)
