"""A clock for limits that goes as slowly as a crowded machine does its work."""

import os
import time
from contextlib import suppress
from pathlib import Path

LEAST_SHARE = 0.1  # of a second: however crowded it is, a limit takes ten times its seconds at most
_LOADAVG = Path("/proc/loadavg")


class QuietClock:
    """Counts the seconds that something would have had on a machine of its own.

    Where more threads want to run than there are processors, each gets its share of them alone, and
    what takes one second takes several. With this clock it is not taken for hung, while what does
    hang still comes to its limit. It has to be read often: between two readings the crowd is
    taken to be what it is at the second.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._last = time.monotonic()

    def read(self) -> float:
        """Return the seconds since it was made, those of a crowded time in part."""
        now = time.monotonic()
        self._seconds += (now - self._last) * processor_share()
        self._last = now
        return self._seconds


def processor_share(loadavg: Path = _LOADAVG) -> float:
    """Return the share of a processor that a thread gets at this moment: LEAST_SHARE to 1.

    Args:
        loadavg: its fourth field is how many threads want to run, of how many; where it cannot be
            read, nobody else is taken to want anything.
    """
    runnable = 1
    with suppress(OSError, ValueError, IndexError):
        runnable = int(loadavg.read_text("ascii").split()[3].partition("/")[0])
    return min(1.0, max(LEAST_SHARE, (os.cpu_count() or 1) / max(runnable, 1)))
