"""Containers: their kind, and the cores and memory that their limits leave."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.machine.host_facts import Container
from workbench.machine.system_files import list_folder, read_text

_KINDS = {"docker", "podman", "lxc"}
_GPU_DEVICE = re.compile(r"nvidia\d+|dxg")  # dxg: through Windows, in WSL2
_UNLIMITED = 2**60  # bytes; without a limit the old interface shows a number beyond it


@dataclass(frozen=True)
class CgroupLimits:
    """The limits of control groups; None: no limit.

    Attributes:
        cores: may be a fraction.
        memory: bytes, of which `memory_left` are free.
    """

    cores: float | None = None
    memory: int | None = None
    memory_left: int | None = None


def read_container(environment: Mapping[str, str], root: Path = Path("/")) -> Container | None:
    """Return the container that this process runs in, None outside of one."""
    kind = _kind(environment, root)
    if kind is None:
        return None
    names = [path.name for path in list_folder(root / "dev")]
    return Container(kind=kind, gpu_device=any(map(_GPU_DEVICE.fullmatch, names)))


def read_limits(root: Path = Path("/")) -> CgroupLimits:
    """Return the tightest limits of this process's control groups and their parents."""
    cores, memory, left = [], [], []
    for folder in _groups(root, "cpu"):
        quota, period = _cpu_time(folder)
        if quota > 0 and period > 0:
            cores.append(quota / period)
    for folder in _groups(root, "memory"):
        limit = _number(folder / "memory.max", folder / "memory.limit_in_bytes")
        if 0 < limit < _UNLIMITED:
            memory.append(limit)
            left.append(max(limit - _memory_taken(folder), 0))
    return CgroupLimits(
        min(cores, default=None), min(memory, default=None), min(left, default=None)
    )


def _kind(environment: Mapping[str, str], root: Path) -> str | None:
    # Those on top of others first: a pod also has the files of its container runtime.
    if "KUBERNETES_SERVICE_HOST" in environment:
        return "kubernetes"
    if "APPTAINER_CONTAINER" in environment or "SINGULARITY_CONTAINER" in environment:
        return "apptainer"
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    name = environment.get("container") or read_text(root / "run/systemd/container").strip()
    if not name or name == "wsl":  # set inside WSL
        return None
    kind = name.removesuffix("-libvirt")
    return kind if kind in _KINDS else "container"


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's group and its parents, innermost first.

    In a container the path may be the host's, while the files of the container's own group are at
    the top: missing folders are skipped.
    """
    mounted = root / "sys/fs/cgroup"
    for line in read_text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            top = mounted
        elif controller in controllers.split(","):
            top = mounted / controller
            if not top.is_dir():
                top = mounted / controllers
        else:
            continue
        inner = [part for part in path.split("/") if part]
        for depth in range(len(inner) if ".." not in inner else 0, -1, -1):
            folder = top.joinpath(*inner[:depth])
            if folder.is_dir():
                yield folder


def _cpu_time(folder: Path) -> tuple[float, float]:
    """Return (microseconds of CPU time, per period of microseconds); 0 for no limit."""
    fields = read_text(folder / "cpu.max").split()
    if len(fields) == 2:
        return _as_number(fields[0]), _as_number(fields[1])
    return _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")


def _memory_taken(folder: Path) -> int:
    """Return bytes in use, without cached file contents, which the kernel drops under pressure."""
    taken = _number(folder / "memory.current", folder / "memory.usage_in_bytes")
    words = read_text(folder / "memory.stat").split()
    stat = dict(zip(words[::2], words[1::2], strict=False))
    cached = stat.get("total_inactive_file") or stat.get("inactive_file") or "0"
    return max(taken - _as_number(cached), 0)


def _number(*paths: Path) -> int:
    """Return the number in the first file that exists; 0 for none, such as "max"."""
    for path in paths:
        if text := read_text(path).strip():
            return _as_number(text)
    return 0


def _as_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
