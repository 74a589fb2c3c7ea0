"""A program in a pseudo-terminal: for benchmarks of what a person sees and types."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

CHUNK = 65536  # bytes read at most in one call


class PseudoTerminal:
    """A program in a pseudo-terminal; leaving the block ends it.

    Args:
        command: the program.
        rows: of cells.
        columns: of cells.
        cell: width and height of a cell in pixels; 0 if the terminal does not say.
        **environment: additional variables.
    """

    def __init__(
        self,
        command: list[str],
        rows: int = 24,
        columns: int = 80,
        cell: tuple[int, int] = (0, 0),
        **environment: str,
    ) -> None:
        self.master, slave = pty.openpty()
        size = struct.pack("HHHH", rows, columns, columns * cell[0], rows * cell[1])
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
                 **environment},
        )  # fmt: skip
        os.close(slave)

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, keys: str) -> None:
        """Send keys."""
        os.write(self.master, keys.encode())

    def read_for(self, seconds: float) -> int:
        """Read what is drawn for so long; return the number of bytes."""
        count, deadline = 0, time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                count += len(os.read(self.master, CHUNK))
        return count

    def read_until(self, word: str, patience: float) -> None:
        """Read until a word was drawn; anything will do if it is "".

        Raises:
            SystemExit: it did not come within `patience` seconds.
        """
        seen, deadline = b"", time.monotonic() + patience
        while not seen or word.encode() not in seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise SystemExit(f"{word!r} was not drawn within {patience:g} s")
            seen += os.read(self.master, CHUNK)


def workbench(workspace: Path | str, *words: str) -> list[str]:
    """Return the command line of the workbench in a workspace."""
    return [sys.executable, "-m", "workbench", "--workspace", str(workspace), *words]
