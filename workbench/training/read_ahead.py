"""Reads ahead of training: data of later batches is fetched while earlier ones train.

A pack that is larger than memory is read from the disk in every epoch. Rows in random order are
read one by one; requested in advance, the disk fetches many at once and in its own order
(benchmarks/reading.py measures it). For rows in memory, a request costs microseconds.
"""

import os
from contextlib import suppress
from threading import Lock

import numpy as np

from workbench.training.order import WINDOW

MAX_BYTES = 128 << 20  # requested at a time, so that they are still in memory when needed


class ReadAhead:
    """Requests a stretch of an epoch's rows from the system when the one before it begins.

    Attributes:
        stretch: length of a stretch, in images.
    """

    def __init__(self, array: np.ndarray, order: np.ndarray) -> None:
        self._order = order
        self._row_bytes = int(array.nbytes // max(len(array), 1))
        self._offset = array.offset if isinstance(array, np.memmap) else 0
        self._requested = 0  # stretches
        self._mutex = Lock()
        self.stretch = max(min(WINDOW, MAX_BYTES // max(self._row_bytes, 1)), 1)
        self._file = _open_file(array)

    def reached(self, index: int) -> None:
        """Note that reading has reached an index of the order; threads may call it."""
        if self._file is None:
            return
        with self._mutex:
            first = max(self._requested, index // self.stretch)
            self._requested = max(self._requested, index // self.stretch + 2)
            stretches = range(first, self._requested)
        for stretch in stretches:
            self._request(self._order[stretch * self.stretch : (stretch + 1) * self.stretch])

    def close(self) -> None:
        """Close the file; nothing is requested any more."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _request(self, rows: np.ndarray) -> None:
        rows = np.unique(rows)
        breaks = np.flatnonzero(np.diff(rows) > 1) + 1
        for run in np.split(rows, breaks):
            if len(run):
                start = self._offset + int(run[0]) * self._row_bytes
                self._fetch(start, len(run) * self._row_bytes)

    def _fetch(self, start: int, count: int) -> None:
        file = self._file
        if file is not None:
            with suppress(OSError):  # only advice: a file system without it reads later
                os.posix_fadvise(file, start, count, os.POSIX_FADV_WILLNEED)


def _open_file(array: np.ndarray) -> int | None:
    """Open the file behind an array; None without a file, or if the system takes no advice."""
    name = getattr(array, "filename", None)
    if name is None or not hasattr(os, "posix_fadvise"):
        return None
    try:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
