"""Reading ahead of training: what later batches need is fetched while earlier ones train.

A pack that is larger than memory is read from the disk in every epoch. Rows in random order are
waited for one by one; asked for beforehand, the disk fetches many at once and in its own order
(benchmarks/reading.py measures it). Where they are in memory already, asking costs microseconds.
"""

import os
from contextlib import suppress
from threading import Lock

import numpy as np

from workbench.training.order import WINDOW

MOST_BYTES = 128 << 20  # asked for at a time, so that they are still there when their turn comes


class ReadAhead:
    """Asks the system for a stretch of an epoch's rows when the one before it begins.

    Attributes:
        stretch: places of the order that are asked for at a time.
    """

    def __init__(self, array: np.ndarray, order: np.ndarray) -> None:
        self._order = order
        self._row_bytes = int(array.nbytes // max(len(array), 1))
        self._offset = array.offset if isinstance(array, np.memmap) else 0
        self._asked = 0  # stretches
        self._mutex = Lock()
        self.stretch = max(min(WINDOW, MOST_BYTES // max(self._row_bytes, 1)), 1)
        self._file = _opened(array)

    def reached(self, place: int) -> None:
        """To be called with each place of the order that reading has come to; threads may."""
        if self._file is None:
            return
        with self._mutex:
            first = max(self._asked, place // self.stretch)
            self._asked = max(self._asked, place // self.stretch + 2)
            wanted = range(first, self._asked)
        for stretch in wanted:
            self._ask(self._order[stretch * self.stretch : (stretch + 1) * self.stretch])

    def close(self) -> None:
        """Ends it; nothing is asked for any more."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _ask(self, rows: np.ndarray) -> None:
        rows = np.unique(rows)
        breaks = np.flatnonzero(np.diff(rows) > 1) + 1
        for run in np.split(rows, breaks):
            if len(run):
                start = self._offset + int(run[0]) * self._row_bytes
                self._fetch(start, len(run) * self._row_bytes)

    def _fetch(self, start: int, count: int) -> None:
        file = self._file
        if file is not None:
            with suppress(OSError):  # a wish: a file system that knows none reads later
                os.posix_fadvise(file, start, count, os.POSIX_FADV_WILLNEED)


def _opened(array: np.ndarray) -> int | None:
    """The file behind an array; None where it is no file, or the system takes no such wishes."""
    name = getattr(array, "filename", None)
    if name is None or not hasattr(os, "posix_fadvise"):
        return None
    try:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
