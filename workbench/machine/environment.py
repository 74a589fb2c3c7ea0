"""What this process runs in: a container with its limits, and a login session."""

import json
import os
import pwd
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workbench.machine.host_facts import Container, LoginSession

_KINDS = {"docker", "podman", "lxc"}
GPU_DEVICE = re.compile(r"nvidia\d+|dxg")  # dxg: through Windows, in WSL2
_UNLIMITED = 2**60  # bytes; without a limit the old interface shows a number beyond it
BUS_SECONDS = 2.0
_SETTINGS = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")
_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_BUS_COMMAND = ["busctl", "--json=short", "get-property", *_LOGIND, *_SETTINGS]
_FOLDERS = ("etc", "run", "usr/local/lib", "usr/lib")  # the first that has a file wins
_YES = {"1", "yes", "y", "true", "t", "on"}


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
    return Container(kind=kind, gpu_device=any(map(GPU_DEVICE.fullmatch, names)))


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


def query_bus() -> str:
    """Return the settings that logind reports, a line each; "" where it does not respond."""
    try:
        done = subprocess.run(
            _BUS_COMMAND,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=BUS_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def read_session(
    environment: Mapping[str, str],
    root: Path = Path("/"),
    bus: Callable[[], str] = query_bus,
) -> LoginSession:
    """Query logind, or read its files; `bus` returns the output of `busctl`."""
    if not (root / "run/systemd/system").is_dir():
        return LoginSession()
    user = _user_name(environment)
    settings = _from_bus(bus()) or _from_files(root)
    return LoginSession(
        systemd=True,
        kill_user_processes=_is_killed(user, settings),
        scope=_scope(read_text(root / "proc/self/cgroup")),
        linger=user in [path.name for path in list_folder(root / "var/lib/systemd/linger")],
    )


def _is_killed(user: str, settings: Mapping[str, Any]) -> bool:
    """Apply the settings in logind's order: excluded users, listed users, then everybody."""
    if user in settings.get("KillExcludeUsers", ["root"]):
        return False
    if only := settings.get("KillOnlyUsers"):
        return user in only
    return settings.get("KillUserProcesses") is True


def _from_bus(printed: str) -> dict[str, Any]:
    """Return values by setting; {} where not all of them were reported."""
    try:
        values = [json.loads(line)["data"] for line in printed.splitlines() if line.strip()]
        found = dict(zip(_SETTINGS, values, strict=True))
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    if [type(value) for value in values] != [bool, list, list]:
        return {}
    if not found["KillExcludeUsers"]:  # not set, where the default counts, looks the same
        del found["KillExcludeUsers"]
    return found


def _from_files(root: Path) -> dict[str, Any]:
    """Return values by setting, as far as the files set them; the last one counts."""
    found: dict[str, Any] = {}
    for file in _files(root):
        section = ""
        for line in map(str.strip, read_text(file).splitlines()):
            if line.startswith("["):
                section = line
            key, equals, value = (part.strip() for part in line.partition("="))
            if section != "[Login]" or not equals:
                continue
            if key == "KillUserProcesses":
                found[key] = value.lower() in _YES
            elif key in _SETTINGS:  # lists grow; an empty value empties them
                found[key] = [*found.get(key, []), *value.split()] if value else []
    return found


def _files(root: Path) -> Iterator[Path]:
    """Yield one main file, then drop-ins by name; of two with a name the first folder's counts."""
    for folder in _FOLDERS:
        main = root / folder / "systemd/logind.conf"
        if main.exists():
            yield main
            break
    additions: dict[str, Path] = {}
    for folder in _FOLDERS:
        for path in list_folder(root / folder / "systemd/logind.conf.d"):
            if path.suffix == ".conf":
                additions.setdefault(path.name, path)
    for _, path in sorted(additions.items()):
        yield path


def _scope(cgroup: str) -> Literal["session", "user", "other"]:
    if re.search(r"/user@\d+\.service(/|$)", cgroup, re.MULTILINE):
        return "user"
    if re.search(r"/session-[^/]+\.scope(/|$)", cgroup, re.MULTILINE):
        return "session"
    return "other"


def _user_name(environment: Mapping[str, str]) -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return environment.get("USER", "")


def read_text(path: Path) -> str:
    """Return the text of a file; "" where it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def list_folder(folder: Path) -> list[Path]:
    """Return the entries of a folder; [] where it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
