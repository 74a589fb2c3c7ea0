"""Containers: which kind this is, and how many cores and how much memory its limits leave."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.machine.facts import Container
from workbench.machine.small_files import entries, text_of

_KINDS = {"docker", "podman", "lxc"}
_GPU_DEVICE = re.compile(r"nvidia\d+|dxg")  # dxg: through Windows, in WSL2
_UNLIMITED = 2**60  # bytes; where there is no limit the old interface tells a number beyond it


@dataclass(frozen=True)
class Limits:
    """What control groups leave to this process; None: no limit.

    Attributes:
        cores: may be a fraction.
        memory: bytes; `memory_left` are those of them that are not taken.
    """

    cores: float | None = None
    memory: int | None = None
    memory_left: int | None = None


def read_container(environment: Mapping[str, str], root: Path = Path("/")) -> Container | None:
    """The container that this process lives in, None outside of one."""
    kind = _kind(environment, root)
    if kind is None:
        return None
    names = [path.name for path in entries(root / "dev")]
    return Container(kind=kind, gpu_device=any(map(_GPU_DEVICE.fullmatch, names)))


def read_limits(root: Path = Path("/")) -> Limits:
    """The tightest limits of this process's control groups and those around them."""
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
    return Limits(min(cores, default=None), min(memory, default=None), min(left, default=None))


def _kind(environment: Mapping[str, str], root: Path) -> str | None:
    # First those that run on top of others: a pod has the files of its container runtime too.
    if "KUBERNETES_SERVICE_HOST" in environment:
        return "kubernetes"
    if "APPTAINER_CONTAINER" in environment or "SINGULARITY_CONTAINER" in environment:
        return "apptainer"
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    told = environment.get("container") or text_of(root / "run/systemd/container").strip()
    if not told or told == "wsl":  # which WSL tells of itself
        return None
    kind = told.removesuffix("-libvirt")
    return kind if kind in _KINDS else "container"


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's group and of those around it, innermost first.

    In a container the path may be the host's, while the files of the container's own group lie
    at the top: folders that are not there are passed over.
    """
    mounted = root / "sys/fs/cgroup"
    for line in text_of(root / "proc/self/cgroup").splitlines():
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
    """(microseconds of CPU time, in so many microseconds); 0 for no limit."""
    told = text_of(folder / "cpu.max").split()
    if len(told) == 2:
        return _as_number(told[0]), _as_number(told[1])
    return _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")


def _memory_taken(folder: Path) -> int:
    """Bytes, without the file contents in memory that the kernel drops when others need it."""
    taken = _number(folder / "memory.current", folder / "memory.usage_in_bytes")
    words = text_of(folder / "memory.stat").split()
    stat = dict(zip(words[::2], words[1::2], strict=False))
    cached = stat.get("total_inactive_file") or stat.get("inactive_file") or "0"
    return max(taken - _as_number(cached), 0)


def _number(*paths: Path) -> int:
    """The number in the first of the files that is there; 0 for none, such as "max"."""
    for path in paths:
        if text := text_of(path).strip():
            return _as_number(text)
    return 0


def _as_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
