"""What devices were measured to do, kept in the person's cache folder.

One file for each device and set of versions: whatever changes the speed changes the name. The
device named is the one that training is expected to run on, as NVML tells it; what it turned out
to be is in the file, for a GPU that cannot be used leaves the CPU.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from workbench.experiment.estimate import Speed
from workbench.files import write_atomic
from workbench.machine.backends import chosen_backend
from workbench.machine.cache import cache_folder
from workbench.machine.system import allowed_cores, cpu_name

FORMAT = 1
BUSY = 0.25  # share of the CPU in others' hands from which a figure is not worth much
_PACKAGES = ("keras", "tensorflow", "jax", "torch", "nvidia-cudnn-cu12")


class Figures(BaseModel):
    """Figures of a device.

    Attributes:
        device: its name; "CPU" for the processor.
        kind: cpu or gpu.
        precision: the policy that was in force, "mixed_float16".
        jit: whether steps were compiled with XLA.
        busy: share of the CPU that other programs used just before, from 0 to 1.
        measured: unix seconds; 0 until it is kept.
        images_per_second: JPEGs decoded by all cores (see `machine.decoding`), None where unknown.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    device: str
    kind: str
    precision: str
    jit: bool
    speed: Speed
    busy: float = 0.0
    measured: float = 0.0
    images_per_second: float | None = None

    @property
    def worth_keeping(self) -> bool:
        """False where others kept the CPU busy while it was measured."""
        return self.busy <= BUSY


@dataclass(frozen=True)
class Shelf:
    """The place of the figures of one expected device.

    Args:
        device: as NVML names a GPU, "CPU" for the processor.
    """

    device: str
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def path(self) -> Path:
        """Where they lie, whether they are there or not."""
        told = {
            "format": FORMAT,
            "device": self.device,
            # Without a GPU the processor does everything, with one it still feeds it.
            "cpu": cpu_name(),
            "cores": allowed_cores(),
            "backend": chosen_backend(self.environment),
            **_versions(),
        }
        print_ = blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()
        return cache_folder(self.environment) / f"figures-{print_}.json"

    def load(self) -> Figures | None:
        """What was kept; None where nothing can be read."""
        try:
            return Figures.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return None

    def save(self, figures: Figures) -> None:
        """Keeps figures, unless quieter ones of the same device, or a GPU's own, are there.

        Raises:
            OSError: the cache folder cannot be written.
        """
        kept = self.load()
        if kept and kept.kind == "gpu" and figures.kind == "cpu":
            return  # a GPU that is hidden or held up for once
        if kept and kept.kind == figures.kind and kept.worth_keeping and not figures.worth_keeping:
            return
        if figures.images_per_second is None and kept:
            rate = kept.images_per_second
            figures = figures.model_copy(update={"images_per_second": rate})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not figures.measured:
            figures = figures.model_copy(update={"measured": time.time()})
        write_atomic(self.path, figures.model_dump_json(indent=1))


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
