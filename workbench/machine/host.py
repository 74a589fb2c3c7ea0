"""The host: memory, graphics devices, and the folders that the workbench writes to."""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from workbench.bases.architectures import BASES
from workbench.bases.published import weights_file
from workbench.bases.weights import present_weights
from workbench.errors import UserError
from workbench.machine.environment import read_container, read_limits, read_session, read_text
from workbench.machine.host_facts import Slurm, Storage, StorageFolder, System, WeightsLocation
from workbench.machine.processor import allowed_cores, cpu_name
from workbench.paths import Workspace
from workbench.runs.lock import RunLocked, is_locked, take_lock
from workbench.runs.slurm import has_cluster

_NVIDIA = "0x10de"  # PCI's number of the vendor
_GRAPHICS = "0x03"  # prefix of PCI's class of display controllers
IMAGE_SIZE = (160, 160)  # MobileNetV2 has a file for each of five sizes
_MOUNTS = Path("/proc/self/mounts")


def read_system(environment: Mapping[str, str], root: Path = Path("/")) -> System:
    """Return what the kernel reports; what cannot be read stays at its default.

    Args:
        environment: for containers, SLURM and PATH.
        root: the folder that holds proc, sys, dev and the rest.
    """
    memory, limits = psutil.virtual_memory(), read_limits(root)
    return System(
        platform=sys.platform,
        cpu=cpu_name(root),
        cores=os.cpu_count() or 1,
        cores_allowed=allowed_cores(root),
        memory_total=min(memory.total, limits.memory or memory.total),
        memory_available=available_memory(root),
        nvidia_cards=_nvidia_cards(root),
        uvm_device=(root / "dev/nvidia-uvm").exists(),
        virtual=_virtual(read_text(root / "proc/version")),
        container=read_container(environment, root),
        slurm=_slurm(environment, root),
        session=read_session(environment, root),
    )


def available_memory(root: Path = Path("/")) -> int:
    """Return the bytes that this process may still use: of the machine, or of its container."""
    available, left = psutil.virtual_memory().available, read_limits(root).memory_left
    return available if left is None else min(available, left)


def _nvidia_cards(root: Path) -> int:
    devices = (root / "sys/bus/pci/devices").glob("*")
    return sum(
        read_text(device / "vendor").strip() == _NVIDIA
        and read_text(device / "class").startswith(_GRAPHICS)
        for device in devices
    )


def _virtual(version: str) -> str:
    """Return which Linux inside Windows this is, by the kernel's version, or ""."""
    if "microsoft" not in version.lower():
        return ""
    return "wsl2" if "WSL2" in version or "microsoft-standard" in version else "wsl1"


def _slurm(environment: Mapping[str, str], root: Path) -> Slurm | None:
    if job := environment.get("SLURM_JOB_ID"):
        names = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")
        gpus = next(filter(None, map(environment.get, names)), "")
        return Slurm(job=job, gpus=gpus, ends=_seconds(environment.get("SLURM_JOB_END_TIME")))
    path = environment.get("PATH", "")
    if shutil.which("srun", path=path) and has_cluster(environment, root):
        return Slurm()
    return None


def _seconds(text: str | None) -> float | None:
    try:
        return float(int(text or ""))
    except (ValueError, OverflowError):
        return None


def read_storage(
    workspace: Workspace,
    cache: Path,
    environment: Mapping[str, str],
    mounts: Path = _MOUNTS,
) -> Storage:
    """Test the folders where they would be made, without making them.

    Args:
        workspace: absolute.
        cache: folder of what can be measured again.
        environment: for KERAS_HOME and HOME.
        mounts: the kernel's table of file systems.
    """
    folders = {"runs": workspace.runs, "packs": workspace.data, "cache": cache}
    types = _file_systems(read_text(mounts))
    return Storage(
        places=tuple(_place(what, path, types) for what, path in folders.items()),
        weights=tuple(_weights(base, environment) for base in BASES),
    )


def _place(what: str, path: Path, types: Mapping[Path, str]) -> StorageFolder:
    folder = _existing(path)
    free = None
    with suppress(OSError):
        free = shutil.disk_usage(folder).free
    writable, locks = check_folder(folder)
    return StorageFolder(
        what=what,
        path=path,
        free=free,
        writable=writable,
        locks=locks,
        file_system=_file_system(folder, types),
    )


def check_folder(folder: Path) -> tuple[bool, bool | None]:
    """Return whether a file can be written into a folder, and locked (None if not written).

    The file is removed again.
    """
    path = folder / f".workbench-check-{os.getpid()}"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return False, None
    try:
        os.write(file, b"\n")  # a full disk accepts the name of a file, but no content
        return True, _locks_hold(path)
    except OSError:
        return False, None
    finally:
        with suppress(OSError):
            os.close(file)
        with suppress(OSError):
            path.unlink()


def _locks_hold(path: Path) -> bool:
    """Return whether a lock that is held is visible, and cannot be taken twice."""
    try:
        held = take_lock(path)
    except (UserError, OSError):
        return False
    try:
        os.close(take_lock(path))
    except RunLocked:
        return is_locked(path)
    except (UserError, OSError):
        return False
    else:
        return False
    finally:
        os.close(held)


def _existing(path: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    for folder in (path, *path.parents):
        # Path.exists raises for a folder that may not be entered.
        if os.path.exists(folder):  # noqa: PTH110
            return folder
    return Path("/")


def _file_systems(table: str) -> dict[Path, str]:
    """Return types by mount point; of several on one point the last covers the others."""
    rows = [line.split(" ") for line in table.splitlines()]
    return {Path(_unescaped(row[1])): row[2] for row in rows if len(row) > 2}


def _unescaped(text: str) -> str:
    r"""Decode escapes: a space in a folder's name is \040 in the table."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _file_system(folder: Path, types: Mapping[Path, str]) -> str:
    try:
        real = folder.resolve()
    except (OSError, RuntimeError):  # also a cycle of links
        return ""
    points: Iterable[Path] = (real, *real.parents)  # the nearest mount point first
    return next((types[point] for point in points if point in types), "")


def _weights(base: str, environment: Mapping[str, str]) -> WeightsLocation:
    """Find weights as `bases.weights.find_weights` does, without a download or a check."""
    if present := present_weights(base, IMAGE_SIZE, environment):
        file, found = present
        return WeightsLocation(base=base, path=found.path, size=file.size)
    file = weights_file(base, IMAGE_SIZE)
    return WeightsLocation(base=base, size=file.size, package=file.package)
