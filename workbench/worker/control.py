"""What a worker heeds: a person's wish that it stop, and a disk that may become full."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from workbench.runs.folder import RunFolder
from workbench.runs.launch import stop_requested

POLL_SECONDS = 0.3  # between two looks for a stop request
RESERVE_BYTES = 256 << 10  # for some events and a traceback


class StopRequest:
    """True once a stop was asked for: by a signal, or by a file in the control folder."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.asked = False
        self.signalled = False
        self.looked = 0.0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self.asked and now - self.looked > POLL_SECONDS:
            self.looked = now
            self.asked = stop_requested(self.folder)
        return self.asked

    def _on_signal(self, number: int, _frame: object) -> None:
        # Twice: end at once, the last checkpoint stands. A request in the control folder does not
        # count: whoever starts and stops jobs may use both ways for one wish.
        if self.signalled:
            os._exit(128 + number)
        self.signalled = self.asked = True


class Reserve:
    """Room on the disk, taken at the start and given back for the last words of a run.

    Raises:
        OSError: the disk is full, or cannot be written, from the beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(RESERVE_BYTES))

    def free(self) -> None:
        """Gives the room back; any number of times."""
        with suppress(OSError):
            self.path.unlink()
