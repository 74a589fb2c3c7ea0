"""What the probes report of the host, as plain values (see `facts`)."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel


class Container(BaseModel, frozen=True):
    """`kind`: docker, podman, kubernetes, apptainer, lxc, or container where it is not known."""

    kind: str = ""
    gpu_device: bool = False  # a GPU's device file exists: /dev/nvidia0, another, or /dev/dxg


class Slurm(BaseModel, frozen=True):
    """A SLURM allocation, or only a cluster, known to its programs (job = "")."""

    job: str = ""
    gpus: str = ""
    ends: float | None = None  # unix seconds


class LoginSession(BaseModel, frozen=True):
    """What systemd does with this user's processes at logout.

    Attributes:
        systemd: True where systemd-logind runs.
        kill_user_processes: its setting for this user (False for excluded users).
        scope: where this process runs: "session" (ends with it where the setting is yes), "user"
            (the user's own manager, which ends with the last session unless lingering), "other".
        linger: True where the user's manager stays after the last session.
    """

    systemd: bool = False
    kill_user_processes: bool = False
    scope: Literal["session", "user", "other"] = "other"
    linger: bool = False


class System(BaseModel, frozen=True):
    """The host; sizes in bytes.

    Attributes:
        cores: of the host. `cores_allowed`: what affinity and the container's limits leave, which
            may be a fraction.
        memory_total: of the host, or the container's limit where that is lower.
        nvidia_cards: NVIDIA graphics devices on the PCI bus, whatever the driver reports.
        uvm_device: True where /dev/nvidia-uvm exists.
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
    session: LoginSession = LoginSession()


class StorageFolder(BaseModel, frozen=True):
    """A folder that the workbench writes to.

    Attributes:
        what: "runs", "packs" or "cache".
        free: bytes, None where it is not known.
        locks: False where file locks do not work; None where it could not be tried.
        file_system: its type, "ext4", "nfs4", "" where it is not known.
    """

    what: str
    path: Path
    free: int | None = None
    writable: bool = True
    locks: bool | None = None
    file_system: str = ""


class WeightsLocation(BaseModel, frozen=True):
    """Where a base's published weights are; `path` is None where they would be downloaded."""

    base: str
    path: Path | None = None
    size: int | None = None  # bytes, None where no size is published
    package: str = ""  # that would bring them; "" for a download


class Storage(BaseModel, frozen=True):
    """Folders and files."""

    places: tuple[StorageFolder, ...] = ()
    weights: tuple[WeightsLocation, ...] = ()


class Terminal(BaseModel, frozen=True):
    """The user's terminal; `colors` is 0 for none."""

    interactive: bool = False
    columns: int = 80
    rows: int = 24
    colors: int = 0
    utf8: bool = False
    multiplexer: str = ""  # tmux, screen or ""
    ssh: bool = False
    name: str = ""  # TERM
