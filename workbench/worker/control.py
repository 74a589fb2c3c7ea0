"""Stop requests to a worker, and disk space reserved for its last events."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from workbench.runs.folder import RunFolder
from workbench.runs.launch import stop_requested

POLL_SECONDS = 0.3  # between two polls of the control folder
RESERVE_BYTES = 256 << 10  # for some events and a traceback


class StopRequest:
    """True once a stop was requested: by a signal, or by a file in the control folder."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.requested = False
        self.signalled = False
        self.polled = 0.0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def __call__(self) -> bool:
        """Return True once a stop was requested."""
        now = time.monotonic()
        if not self.requested and now - self.polled > POLL_SECONDS:
            self.polled = now
            self.requested = stop_requested(self.folder)
        return self.requested

    def _on_signal(self, number: int, _frame: object) -> None:
        # The second signal ends the process at once; the last checkpoint is kept. A request in the
        # control folder does not count: a job scheduler may use both ways for one request.
        if self.signalled:
            os._exit(128 + number)
        self.signalled = self.requested = True


class Reserve:
    """Disk space that is taken at the start and freed for the last events of a session.

    Raises:
        OSError: The disk is full or not writable from the beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(RESERVE_BYTES))

    def free(self) -> None:
        """Free the space; repeated calls are allowed."""
        with suppress(OSError):
            self.path.unlink()
