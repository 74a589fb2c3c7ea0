"""A pseudo-terminal of a given size in which an interactive shell runs the app."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from waiting import poll, wait_until

REPOSITORY = Path(__file__).resolve().parents[1]
PROMPT = "ready> "
APP = f"{sys.executable} -m workbench"
_CODES = re.compile(r"\x1b(\[[0-9;?<>]*[a-zA-Z]|[>=78])")


class Terminal:
    """Runs a command in its own session on a pseudo-terminal; kills it at the end of the block.

    Args:
        command: An interactive shell by default.
        environment: Additional variables.
    """

    def __init__(
        self,
        workspace: Path,
        columns: int = 100,
        rows: int = 30,
        command: list[str] | None = None,
        **environment: str,
    ) -> None:
        self.master, self._slave = pty.openpty()
        self.seen = ""
        self.resize(columns, rows)
        variables = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PS1": PROMPT}
        for name in ("COLUMNS", "LINES"):
            variables.pop(name, None)
        self.process = subprocess.Popen(
            command or ["bash", "--norc", "--noprofile", "-i"],
            stdin=self._slave, stdout=self._slave, stderr=self._slave, cwd=workspace,
            preexec_fn=self._take_terminal,
            env={**variables, "PYTHONPATH": str(REPOSITORY), "WORKBENCH_HOME": str(workspace),
                 **environment},
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            for one in psutil.Process(self.process.pid).children(recursive=True):
                one.kill()
            self.process.kill()
            self.process.wait()
        os.close(self._slave)
        self.close()

    def close(self) -> None:
        """Close the terminal, as when ssh breaks off: its programs are sent a SIGHUP."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def hang_up(self) -> int:
        """Close the terminal and return the exit code of the command that ran on it."""
        self.close()
        wait_until(lambda: self.process.poll() is not None, "the command has ended")
        return self.process.returncode

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def types(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def until(self, wanted: str) -> str:
        """Read until a text is drawn; return the output up to it, without codes, and drop it."""
        for _ in poll():
            if wanted in self.seen:
                break
            self._read(1.0)
        drawn, found, self.seen = self.seen.partition(wanted)
        assert found, f"{wanted!r} never appeared: {drawn[-2000:]!r}"
        return drawn + found

    def _read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 65536).decode("utf-8", "replace")
            self.seen = _CODES.sub("", self.seen)

    def app(self) -> psutil.Process:
        """Return the process of the app that the shell runs."""
        return psutil.Process(self.process.pid).children()[0]

    def is_canonical(self) -> bool:
        """Return whether the terminal buffers and echoes lines, as without an app."""
        flags = termios.tcgetattr(self._slave)[3]
        return bool(flags & termios.ICANON and flags & termios.ECHO)

    def await_state(self, process: psutil.Process, state: str) -> None:
        for _ in poll():
            if process.status() == state:
                return
            self._read(0.05)
        raise AssertionError(f"{process.status()}, not {state}")

    def _take_terminal(self) -> None:
        """In the child: start a session with this terminal and default signals."""
        os.setsid()
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)
        for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, signal.SIG_DFL)
