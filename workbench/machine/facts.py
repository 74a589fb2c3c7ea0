"""What the probes tell, as plain values. `diagnosis` turns them into findings.

Every answer comes from another process and is checked here: unknown keys are passed over, what is
missing has a default that stands for "not known".
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from workbench.experiment.estimate import Speed

# Double-bit memory error, failed row remapping, NVLink error, fallen off the bus (NVIDIA's Xid
# documentation).
FATAL_XIDS = (48, 64, 74, 79)

Status = Literal["ok", "failed", "crashed", "hung", "flooded", "garbled"]


class Told(BaseModel):
    """An answer of a probe, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Outcome(Told):
    """How a probe's process went.

    Attributes:
        status: ok; failed: it ended with an error; crashed: by a signal; hung: it was ended at its
            time limit; flooded: it printed without end; garbled: its answer was none.
        detail: the same in a few words, such as "by signal SIGSEGV" or "after 10 s".
        stderr: the last that it printed there, bytes that are no UTF-8 as escapes.
        seconds: how long it took.
    """

    status: Status
    detail: str = ""
    stderr: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True where the probe answered and ended well."""
        return self.status == "ok"


# --- NVML -----------------------------------------------------------------------------------


class GpuProcess(Told):
    """A process that holds memory of a GPU; `user` and `name` are "" where they cannot be seen."""

    pid: int
    memory: int | None = None  # bytes
    user: str = ""
    name: str = ""
    own: bool = False  # of the same user


class MigDevice(Told):
    """A slice of a GPU in MIG mode; memory in bytes."""

    uuid: str
    name: str = ""
    memory_total: int = 0
    memory_used: int = 0


class Gpu(Told):
    """A GPU as NVML tells of it. None: not supported, or not told.

    Attributes:
        index: as nvidia-smi counts.
        error: NVML's words where the card does not answer ("GPU is lost"), at once or while read.
        memory_total, memory_used: bytes.
        utilization: percent of the last moments in which something ran.
        temperature: degrees Celsius.
        ecc_errors: uncorrected memory errors since the driver was loaded.
        remapped_rows: memory rows replaced after uncorrectable errors.
        remap_failed: True where a row could not be replaced.
        remap_pending: True where a replacement waits for a reset of the card.
        mig: True in MIG mode; `mig_devices` are its slices then.
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
        """Bytes that nobody holds."""
        return max(self.memory_total - self.memory_used, 0)

    @property
    def fatal_xids(self) -> tuple[int, ...]:
        """Those that tell of a card that has to be looked at."""
        return tuple(xid for xid in self.xids if xid in FATAL_XIDS)

    @property
    def sound(self) -> bool:
        """False where the card does not answer, or its memory or link has failed."""
        return not (self.error or self.ecc_errors or self.remap_failed or self.fatal_xids)


class Nvml(Told):
    """NVIDIA's management library.

    Attributes:
        error: its error where it could not be started, "" else.
        error_code: the library's number for it: 9 driver not loaded, 12 library not found, 18
            library and driver differ, 999 unknown. None without an error.
        driver: the driver's version, "535.104.05".
        cuda: the newest CUDA version that the driver serves, (12, 2).
    """

    error: str = ""
    error_code: int | None = None
    driver: str = ""
    cuda: tuple[int, int] | None = None
    gpus: tuple[Gpu, ...] = ()


# --- libraries ------------------------------------------------------------------------------


class Wheel(Told):
    """A CUDA wheel that the framework asks for; `version` is None where it is not installed."""

    name: str
    wanted: str = ""
    version: str | None = None


class Library(Told):
    """One shared library, loaded by itself.

    Attributes:
        name: libcudnn.so.9.
        wheel: the wheel that brings it.
        error: the loader's words, "" where it loads.
        error_without: the same without LD_LIBRARY_PATH; None where that is not set.
    """

    name: str
    wheel: str = ""
    error: str = ""
    error_without: str | None = None


class Libraries(Told):
    """What the framework needs for a GPU.

    Attributes:
        wheels: those that its metadata asks for; () where the backend is not TensorFlow.
        libraries: those of the wheels that are installed.
        library_path: LD_LIBRARY_PATH, None where it is not set.
        cuda_driver_error: what cuInit said, or the loader without libcuda.so.1; "" where it works.
        cuda_driver_code: CUDA's number for it, None without libcuda.so.1.
    """

    wheels: tuple[Wheel, ...] = ()
    libraries: tuple[Library, ...] = ()
    library_path: str | None = None
    cuda_driver_error: str = ""
    cuda_driver_code: int | None = None


# --- framework ------------------------------------------------------------------------------


class FrameworkDevice(Told):
    """A device that the framework offers: id as Keras takes it, "cpu:0", "gpu:1"."""

    id: str
    kind: Literal["cpu", "gpu"]
    name: str
    compute_capability: tuple[int, int] | None = None


class Step(Told):
    """A small convolution and a matrix product, trained one step on a device.

    Attributes:
        error: "" where it worked.
    """

    device: str
    jit: bool
    error: str = ""
    seconds: float = 0.0


class DeviceSpeed(Told):
    """What a device was measured to do.

    Attributes:
        busy: share of the CPU that other programs used just before, from 0 to 1.
    """

    device: str
    precision: str
    jit: bool
    speed: Speed
    busy: float = 0.0


class Framework(Told):
    """What the backend of Keras tells in `python -m workbench.training.backend`.

    Attributes:
        backend: tensorflow, jax or torch; `version` is its.
        cuda: the CUDA version that it was built for, "" for none or unknown; cudnn likewise.
        current: the step that was being done when the process ended too early, "" else.
        stopped: how it then ended, such as "by signal SIGSEGV" or "after 60 s".
    """

    backend: str = ""
    version: str = ""
    keras: str = ""
    cuda: str = ""
    cudnn: str = ""
    devices: tuple[FrameworkDevice, ...] = ()
    steps: tuple[Step, ...] = ()
    speeds: tuple[DeviceSpeed, ...] = ()
    current: str = ""
    stopped: str = ""

    @property
    def gpus(self) -> tuple[FrameworkDevice, ...]:
        """The GPUs that training could use."""
        return tuple(device for device in self.devices if device.kind == "gpu")


# --- the box --------------------------------------------------------------------------------


class Container(Told):
    """`kind`: docker, podman, kubernetes, apptainer, lxc, or container where it is not known."""

    kind: str = ""
    gpu_device: bool = False  # the file of a GPU is there: /dev/nvidia0, another, or /dev/dxg


class Slurm(Told):
    """An allocation of SLURM, or only its commands on a login node (job = "")."""

    job: str = ""
    gpus: str = ""
    ends: float | None = None  # unix seconds


class Session(Told):
    """What systemd does with this person's processes at logout.

    Attributes:
        systemd: True where systemd-logind runs.
        kill_user_processes: its setting, for this user (excluded users count as no).
        scope: where this process lives: "session" (ends with it where the setting is yes), "user"
            (the user's own manager, which ends with the last session unless lingering), "other".
        linger: True where the user's manager stays after the last session.
    """

    systemd: bool = False
    kill_user_processes: bool = False
    scope: Literal["session", "user", "other"] = "other"
    linger: bool = False


class System(Told):
    """The box itself; sizes in bytes.

    Attributes:
        cores: of the box; `cores_allowed`: what affinity and the container's limits leave, which
            may be a fraction.
        memory_total: of the box, or the container's limit where that is lower.
        nvidia_cards: NVIDIA graphics cards on the PCI bus, whatever the driver says.
        uvm_device: True where /dev/nvidia-uvm is there.
        virtual: wsl2, wsl1 or "".
        platform: sys.platform.
    """

    platform: str = "linux"
    cpu: str = ""
    cores: int = 1
    cores_allowed: float = 1.0
    memory_total: int = 0
    memory_available: int = 0
    nvidia_cards: int = 0
    uvm_device: bool = False
    virtual: str = ""
    container: Container | None = None
    slurm: Slurm | None = None
    session: Session = Session()


class Place(Told):
    """A folder that the workbench writes to.

    Attributes:
        what: "runs", "packs" or "cache".
        free: bytes, None where it cannot be told.
        writable: False where nothing can be written there.
        locks: False where file locks do not work; None where it could not be tried.
        file_system: its type, "ext4", "nfs4", "" where it is not known.
    """

    what: str
    path: Path
    free: int | None = None
    writable: bool = True
    locks: bool | None = None
    file_system: str = ""


class Weights(Told):
    """Where a base's published weights lie; `path` is None where they would be downloaded."""

    base: str
    path: Path | None = None
    size: int | None = None  # bytes, None where nobody published it


class Storage(Told):
    """Folders and files."""

    places: tuple[Place, ...] = ()
    weights: tuple[Weights, ...] = ()


class Backends(Told):
    """Packages that can train, and which of them Keras will take.

    Attributes:
        chosen: by KERAS_BACKEND, else by Keras's own settings file, else Keras's default.
        named_by: the variable or the path of the file that names it, "" for the default.
        installed: version by name.
        settings: path of Keras's settings file.
        fault: why Keras cannot be imported with that file, "" where it can.
        passed_over: why Keras makes nothing of that file, "" where it does or there is none.
    """

    chosen: str = "tensorflow"
    named_by: str = ""
    keras: str = ""
    installed: dict[str, str] = {}
    settings: str = ""
    fault: str = ""
    passed_over: str = ""


class Decoding(Told):
    """JPEGs of 500 x 375 pixels read and brought to 150 x 150, with every core.

    Attributes:
        busy: share of the CPU that other programs used just before, from 0 to 1.
    """

    images_per_second: float = 0.0
    busy: float = 0.0


class Terminal(Told):
    """What the person looks at; colours is 0 for none."""

    interactive: bool = False
    columns: int = 80
    rows: int = 24
    colors: int = 0
    utf8: bool = False
    multiplexer: str = ""  # tmux, screen or ""
    ssh: bool = False
    name: str = ""  # TERM


class Facts(Told):
    """All answers; None where a probe gave none. `outcomes` tells how each probe went.

    Attributes:
        visible_devices: CUDA_VISIBLE_DEVICES, None where it is not set.
        outcomes: by probe: "nvml", "libraries", "framework", "system", "storage", "decoding".
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
    outcomes: dict[str, Outcome] = {}
