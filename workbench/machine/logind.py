"""What happens to this user's processes at logout, by the settings of systemd-logind."""

import json
import os
import pwd
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from workbench.machine.host_facts import LoginSession
from workbench.machine.system_files import list_folder, read_text

BUS_SECONDS = 2.0
_SETTINGS = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")
_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_BUS_COMMAND = ["busctl", "--json=short", "get-property", *_LOGIND, *_SETTINGS]
_FOLDERS = ("etc", "run", "usr/local/lib", "usr/lib")  # the first that has a file wins
_YES = {"1", "yes", "y", "true", "t", "on"}


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
