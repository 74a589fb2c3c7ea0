"""Ending what a worker, or a thread before it, does for a screen."""

import subprocess
from contextlib import suppress

from workbench.errors import UserError
from workbench.progress import Progress


class Stop:
    """Ends a job from another thread: its worker, or what is fetched and read before it."""

    def __init__(self) -> None:
        self.asked = False
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self) -> None:
        """Ends it."""
        self.asked = True
        if self._process is not None:
            with suppress(OSError):
                self._process.terminate()

    def started(self, process: "subprocess.Popen[bytes]") -> None:
        """Takes the worker; it may have been asked for while the worker was being started."""
        self._process = process
        if self.asked:
            process.terminate()

    def heeded(self, progress: Progress) -> Progress:
        """A progress that interrupts the work when it is to end."""

        def tell(phase: str, done: int, total: int) -> None:
            if self.asked:
                raise UserError("Stopped.")
            progress(phase, done, total)

        return tell
