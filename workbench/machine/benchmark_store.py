"""Benchmark results of devices, stored in the user's cache folder.

One file for each device and set of versions: everything that changes the speed changes the name.
The device in the name is the one that training is expected to run on, as NVML names it; the file
holds the one that was measured, which is the CPU for a GPU that cannot be used.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from workbench.experiment.estimate import ThroughputModel
from workbench.files import write_atomic
from workbench.machine.backends import chosen_backend, installed_version
from workbench.machine.host import allowed_cores, cpu_name

FORMAT = 1
MAX_BUSY_SHARE = 0.25  # of the CPU used by other programs, beyond which a result is unreliable
_PACKAGES = ("keras", "tensorflow", "jax", "torch", "nvidia-cudnn-cu12")


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return $XDG_CACHE_HOME/workbench, else ~/.cache/workbench, without making it.

    As the XDG specification requires, a value that is not an absolute path is ignored.
    """
    folder = environment.get("XDG_CACHE_HOME", "")
    if folder.startswith("/"):
        return Path(folder, "workbench")
    home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - never raises
    return Path(home, ".cache", "workbench")


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
        fingerprint = blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=8)
        return cache_folder(self.environment) / f"figures-{fingerprint.hexdigest()}.json"

    def load(self) -> BenchmarkResult | None:
        """Return the stored result; None where nothing can be read."""
        try:
            return BenchmarkResult.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return None

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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, result.model_dump_json(indent=1))
