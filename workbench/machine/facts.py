"""What the probes report, as plain values. `diagnosis` turns them into findings.

Every report comes from another process and is validated here: unknown keys are ignored, and a
missing value has a default that stands for "not known".
"""

import math
from typing import Literal

from pydantic import BaseModel

from workbench.experiment.throughput import ThroughputModel
from workbench.machine.host_facts import Storage, System, Terminal

# Double-bit memory error, failed row remapping, NVLink error, fallen off the bus (NVIDIA's Xid
# documentation).
FATAL_XIDS = (48, 64, 74, 79)

Status = Literal["ok", "failed", "crashed", "hung", "flooded", "garbled"]


class ProbeOutcome(BaseModel, frozen=True):
    """How a probe's process ended.

    Attributes:
        status: ok; failed: it ended with an error; crashed: by a signal; hung: killed at its time
            limit; flooded: it printed without end; garbled: its report was not readable.
        detail: the same in a few words, such as "by signal SIGSEGV" or "after 10 s".
        stderr: the end of its output; bytes that are not UTF-8 as escapes.
        seconds: how long it took.
    """

    status: Status
    detail: str = ""
    stderr: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True where the probe reported and ended well."""
        return self.status == "ok"


# --- NVML -----------------------------------------------------------------------------------


class GpuProcess(BaseModel, frozen=True):
    """A process that holds GPU memory; `user` and `name` are "" where they cannot be seen."""

    pid: int
    memory: int | None = None  # bytes
    user: str = ""
    name: str = ""
    own: bool = False  # of the same user


class MigDevice(BaseModel, frozen=True):
    """A slice of a GPU in MIG mode; memory in bytes."""

    uuid: str
    name: str = ""
    memory_total: int = 0
    memory_used: int = 0


class Gpu(BaseModel, frozen=True):
    """A GPU as NVML reports it. None: not supported, or not reported.

    Attributes:
        index: as nvidia-smi counts.
        error: NVML's message where the GPU does not respond ("GPU is lost"), at once or later.
        memory_total, memory_used: bytes.
        utilization: percent of the last moments in which something ran.
        temperature: degrees Celsius.
        ecc_errors: uncorrected memory errors since the driver was loaded.
        remapped_rows: memory rows replaced after uncorrectable errors.
        remap_failed: True where a row could not be replaced.
        remap_pending: True where a replacement waits for a reset of the GPU.
        mig: True in MIG mode; then `mig_devices` are its slices.
        xids: numbers of the Xid errors in the kernel's log, each once, oldest first.
    """

    index: int
    uuid: str = ""
    name: str = ""
    pci: str = ""
    error: str = ""
    compute_capability: tuple[int, int] | None = None
    memory_total: int = 0
    memory_used: int = 0
    utilization: int | None = None
    temperature: int | None = None
    ecc_errors: int = 0
    remapped_rows: int = 0
    remap_failed: bool = False
    remap_pending: bool = False
    mig: bool = False
    mig_devices: tuple[MigDevice, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    xids: tuple[int, ...] = ()

    @property
    def memory_free(self) -> int:
        """Bytes that no process holds."""
        return max(self.memory_total - self.memory_used, 0)

    @property
    def fatal_xids(self) -> tuple[int, ...]:
        """Xid errors that mean a hardware fault."""
        return tuple(xid for xid in self.xids if xid in FATAL_XIDS)

    @property
    def healthy(self) -> bool:
        """False where the GPU does not respond, or its memory or link has failed."""
        return not (self.error or self.ecc_errors or self.remap_failed or self.fatal_xids)


class Nvml(BaseModel, frozen=True):
    """NVIDIA's management library.

    Attributes:
        error: its message where it could not be started, else "".
        error_code: its number for the error: 9 driver not loaded, 12 library not found, 18 library
            and driver differ, 999 unknown. None without an error.
        driver: the driver's version, "535.104.05".
        cuda: the newest CUDA version that the driver supports, (12, 2).
    """

    error: str = ""
    error_code: int | None = None
    driver: str = ""
    cuda: tuple[int, int] | None = None
    gpus: tuple[Gpu, ...] = ()


class NvmlReport(BaseModel, frozen=True):
    """What NVML reported, None where it did not respond, and when: unix seconds."""

    nvml: Nvml | None
    asked: float


# --- libraries ------------------------------------------------------------------------------


class Wheel(BaseModel, frozen=True):
    """A CUDA wheel that the framework requires; `version` is None where it is not installed."""

    name: str
    wanted: str = ""
    version: str | None = None


class Library(BaseModel, frozen=True):
    """One shared library, loaded by itself.

    Attributes:
        name: libcudnn.so.9.
        wheel: the wheel that contains it.
        error: the loader's message, "" where it loads.
        error_without: the same without LD_LIBRARY_PATH; None where that is not set.
    """

    name: str
    wheel: str = ""
    error: str = ""
    error_without: str | None = None


class Libraries(BaseModel, frozen=True):
    """What the framework needs for a GPU.

    Attributes:
        wheels: those that its metadata requires; () where the backend is not TensorFlow.
        libraries: those of the installed wheels.
        library_path: LD_LIBRARY_PATH, None where it is not set.
        cuda_driver_error: the error of cuInit, or of loading libcuda.so.1; "" where it works.
        cuda_driver_code: CUDA's number for it, None without libcuda.so.1.
    """

    wheels: tuple[Wheel, ...] = ()
    libraries: tuple[Library, ...] = ()
    library_path: str | None = None
    cuda_driver_error: str = ""
    cuda_driver_code: int | None = None


# --- framework ------------------------------------------------------------------------------


class FrameworkDevice(BaseModel, frozen=True):
    """A device of the framework; `id` as Keras takes it: "cpu:0", "gpu:1"."""

    id: str
    kind: Literal["cpu", "gpu"]
    name: str
    compute_capability: tuple[int, int] | None = None


class TrialStep(BaseModel, frozen=True):
    """A small network, trained a few steps in one way.

    Attributes:
        jit: whether XLA compiled it.
        precision: the dtype policy: float32 or mixed_float16.
        error: "" if it worked.
        ended: True if it ended the process.
        seconds: of all of it, with compiling.
        loss: after these steps; None where it is not finite or there is none.
        pace: seconds of a step once it is compiled.
    """

    device: str
    jit: bool
    precision: str = "float32"
    error: str = ""
    ended: bool = False
    seconds: float = 0.0
    loss: float | None = None
    pace: float | None = None

    @property
    def worked(self) -> bool:
        """True if it trained, with a finite loss."""
        return not self.error and self.loss is not None and math.isfinite(self.loss)


class DeviceSpeed(BaseModel, frozen=True):
    """The measured speed of a device.

    Attributes:
        busy: share of the CPU that other programs used just before, from 0 to 1.
    """

    device: str
    precision: str
    jit: bool
    speed: ThroughputModel
    busy: float = 0.0


class Framework(BaseModel, frozen=True):
    """What the backend of Keras reports in `python -m workbench.training.probe`.

    Attributes:
        backend: tensorflow, jax or torch, in version `version`.
        cuda: the CUDA version that it was built for, "" for none or unknown; `cudnn` likewise.
        current: the step that was running when the process ended too early, else "".
        stopped: how it ended then, such as "by signal SIGSEGV" or "after 60 s".
    """

    backend: str = ""
    version: str = ""
    keras: str = ""
    cuda: str = ""
    cudnn: str = ""
    devices: tuple[FrameworkDevice, ...] = ()
    steps: tuple[TrialStep, ...] = ()
    speeds: tuple[DeviceSpeed, ...] = ()
    current: str = ""
    stopped: str = ""

    @property
    def gpus(self) -> tuple[FrameworkDevice, ...]:
        """The GPUs that training could use."""
        return tuple(device for device in self.devices if device.kind == "gpu")


# --- all of it ------------------------------------------------------------------------------


class Backends(BaseModel, frozen=True):
    """Packages that can train, and which of them Keras will use.

    Attributes:
        chosen: by KERAS_BACKEND, else by Keras's own settings file, else Keras's default.
        named_by: the variable or the path of the file that names it, "" for the default.
        installed: version by name.
        settings: path of Keras's settings file.
        fault: why Keras cannot be imported with that file, "" where it can.
        ignored: why Keras ignores that file, "" where it does not, or there is none.
    """

    chosen: str = "tensorflow"
    named_by: str = ""
    keras: str = ""
    installed: dict[str, str] = {}
    settings: str = ""
    fault: str = ""
    ignored: str = ""


class Decoding(BaseModel, frozen=True):
    """JPEGs of 500 x 375 pixels decoded and resized to 150 x 150, with every core.

    Attributes:
        busy: share of the CPU that other programs used just before, from 0 to 1.
    """

    images_per_second: float = 0.0
    busy: float = 0.0


class Facts(BaseModel, frozen=True):
    """All reports; None where a probe gave none.

    Attributes:
        visible_devices: CUDA_VISIBLE_DEVICES, None where it is not set.
        outcomes: how each probe ended: "nvml", "libraries", "framework", "system", "storage",
            "decoding".
        tried: unix seconds at which libraries and framework were tried; 0 for just now.
    """

    visible_devices: str | None = None
    backends: Backends = Backends()
    terminal: Terminal = Terminal()
    nvml: Nvml | None = None
    libraries: Libraries | None = None
    framework: Framework | None = None
    system: System | None = None
    storage: Storage | None = None
    decoding: Decoding | None = None
    outcomes: dict[str, ProbeOutcome] = {}
    tried: float = 0.0
