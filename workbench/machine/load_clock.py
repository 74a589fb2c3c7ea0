"""A clock for time limits that runs slower while the machine is busy."""

import os
import time
from contextlib import suppress
from pathlib import Path

MIN_SHARE = 0.1  # of a second: a limit takes ten times its seconds at most
_LOADAVG = Path("/proc/loadavg")


class LoadAdjustedClock:
    """Counts the seconds that a thread would have had on an otherwise idle machine.

    Where more threads are runnable than there are processors, each gets only a share of one, and
    work of one second takes several. With this clock such work does not count as hung, while
    a process that hangs still reaches its limit. Read it often: the load at a reading counts for
    the whole time since the last one.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._last = time.monotonic()

    def read(self) -> float:
        """Return the seconds since its creation, those under load in part."""
        now = time.monotonic()
        self._seconds += (now - self._last) * processor_share()
        self._last = now
        return self._seconds


def processor_share(loadavg: Path = _LOADAVG) -> float:
    """Return the share of a processor that a thread gets now: MIN_SHARE to 1.

    Args:
        loadavg: its fourth field counts runnable threads, and all; if it cannot be read, no other
            thread counts.
    """
    runnable = 1
    with suppress(OSError, ValueError, IndexError):
        runnable = int(loadavg.read_text("ascii").split()[3].partition("/")[0])
    return min(1.0, max(MIN_SHARE, (os.cpu_count() or 1) / max(runnable, 1)))
