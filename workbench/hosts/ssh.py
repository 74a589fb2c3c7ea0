"""Commands on another machine by the person's own ssh: never a question, always with a limit.

Host names, keys, users and jumps are those of ~/.ssh/config. A connection stays open for a minute
after its last use, over a socket in a private folder, so that a poll costs no new login.
"""

import hashlib
import os
import re
import selectors
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import cache_folder
from workbench.text import format_bytes, safe_text

CONNECT_SECONDS = 10
SILENCE_SECONDS = 20.0  # without a byte, after which a machine counts as not answering
PERSIST_SECONDS = 60  # that an unused connection stays open
_OPTIONS = {
    "BatchMode": "yes",  # no passwords, no questions
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",  # no banners
    # What a person set for logins, but has no use here.
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
}
_MAX_SOCKET = 80  # characters of its path: a socket's may have 104, and ssh appends some
_MAX_ERRORS = 1 << 14  # bytes of what ssh prints that are read
_CHUNK = 1 << 16
_TICK = 0.2  # seconds between two looks at whether the caller still waits


class HostError(UserError):
    """Another machine cannot be reached, or does not answer as it should; in one line."""


def ssh_command(address: str) -> list[str]:
    """Return ssh with its options, without the address, which decides the socket."""
    options = dict(_OPTIONS)
    socket = _socket(address)
    if socket is None:
        options["ControlPath"] = "none"
    else:
        options["ControlMaster"] = "auto"
        options["ControlPath"] = str(socket)
        options["ControlPersist"] = str(PERSIST_SECONDS)
    return ["ssh", *(word for pair in options.items() for word in ("-o", "=".join(pair)))]


def run_script(
    address: str, script: str, max_bytes: int, cancelled: Callable[[], bool] = lambda: False
) -> bytes:
    """Run a script of `sh` on another machine; return what it printed, however it ended.

    The script comes by standard input, so that no shell of a login interprets a word of it.

    Args:
        address: host as ssh takes it, validated (see `settings.HostSettings`).
        script: its text.
        max_bytes: of the answer.
        cancelled: polled; ends the waiting.

    Raises:
        HostError: ssh failed, nothing came for SILENCE_SECONDS, or the answer is too long.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(script.encode("utf-8", "surrogateescape"))
        given.seek(0)
        # To a file: a connection that stays open may keep the stream open.
        process = start([*ssh_command(address), "--", address, "exec sh -s"], given, errors)
        try:
            answer = bytearray()
            for chunk in read_chunks(process, SILENCE_SECONDS, cancelled):
                answer += chunk
                if len(answer) > max_bytes:
                    raise HostError(tr("it sent more than {size}", size=format_bytes(max_bytes)))
            process.wait(SILENCE_SECONDS)
        except subprocess.TimeoutExpired:  # it closed its output, but does not end
            pass
        finally:
            end(process)
        if not answer:
            raise HostError(error_line(errors) or tr("it answered nothing"))
        return bytes(answer)


def start(
    command: Sequence[str], given: IO[bytes] | int, errors: IO[bytes]
) -> "subprocess.Popen[bytes]":
    """Start ssh, or what uses it, without a terminal that it could ask at.

    Raises:
        HostError: It is not installed.
    """
    try:
        return subprocess.Popen(
            command,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"},
        )
    except FileNotFoundError:
        name = command[0]
        raise HostError(tr("{name} is not installed on this machine", name=name)) from None


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process if it still runs."""
    if process.stdout:
        process.stdout.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_chunks(
    process: "subprocess.Popen[bytes]",
    silence: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[bytes]:
    """Yield what a process prints, as it comes.

    Args:
        process: with a pipe for its output.
        silence: seconds without a byte, after which it counts as not answering.
        cancelled: polled; ends the waiting.

    Raises:
        HostError: Nothing came for that time, or the caller does not wait any more.
    """
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        limit = time.monotonic() + silence
        while True:
            if cancelled():
                raise HostError(tr("stopped"))
            if not selector.select(min(_TICK, silence)):
                if time.monotonic() >= limit:
                    raise HostError(tr("no answer for {silence:.0f} seconds", silence=silence))
                continue
            chunk = os.read(process.stdout.fileno(), _CHUNK)
            if not chunk:
                return
            yield chunk
            limit = time.monotonic() + silence


def error_line(errors: IO[bytes], first: bool = False) -> str:
    """Return the last line of errors, or the first that has letters, safe to print; "" if none.

    ssh explains itself in its last line, rsync in its first.
    """
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(size - _MAX_ERRORS, 0))
    lines = errors.read().decode("utf-8", "replace").split("\n")
    lines = [line.strip() for line in lines if re.search("[A-Za-z]", line)]
    return safe_text(lines[0 if first else -1]) if lines else ""


def _socket(address: str) -> Path | None:
    """Return the socket of connections to a machine, in a folder that is this person's alone.

    None without such a folder: each command then makes a connection of its own.
    """
    name = hashlib.sha256(address.encode()).hexdigest()[:12]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime) if Path(runtime).is_absolute() else cache_folder()
    socket = folder / "workbench-ssh" / name
    try:
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = socket.parent.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    fits = len(os.fsencode(socket)) <= _MAX_SOCKET and "%" not in str(socket)
    return socket if private and fits and status.st_uid == os.getuid() else None
