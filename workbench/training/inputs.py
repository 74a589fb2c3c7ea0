"""Batches for the network, from the pack; threads prepare augmented ones in advance.

Only numpy and Pillow are used, so that any Keras backend can train; both release Python's lock
while they process pixels. Batches keep their dtype: the network converts bytes to floats on its
device, and a quarter of the memory moves there.

A pack that is larger than memory is read from the disk in every epoch. Rows in random order are
read one by one; requested in advance, the disk fetches many at once and in its own order
(benchmarks/reading.py measures it). For rows in memory, a request costs microseconds.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Lock

import numpy as np

from workbench.datasets.augment import as_numbers, augment, draw
from workbench.datasets.decoding import image_threads
from workbench.experiment.augmentation import AugmentationSpec
from workbench.training.data import WINDOW

AHEAD_BYTES = 512 << 20  # of augmented batches prepared in advance
MAX_BYTES = 128 << 20  # requested at a time, so that they are still in memory when needed


@dataclass(frozen=True, eq=False)
class Augmented:
    """The augmentation of an order of images.

    Attributes:
        views: int (n,), the view of each image in the order.
        contents: uint64 (N,), hash of the content of each row of the pack.
    """

    spec: AugmentationSpec
    seed: int
    stage: int
    views: np.ndarray
    contents: np.ndarray

    def apply(self, image: np.ndarray, row: int, index: int) -> np.ndarray:
        """Return the augmented image, uint8 (h, w, c), of a row of the pack at an index."""
        view, content = int(self.views[index]), int(self.contents[row])
        return augment(image, self.spec, draw(self.spec, self.seed, self.stage, view, content))

    def numbers(self, rows: np.ndarray, first: int, size: tuple[int, int]) -> np.ndarray:
        """Return the changes of rows of the pack as numbers, for a device to apply.

        Args:
            rows: int (...), rows of the pack.
            first: index of the first of them in the order.
            size: height and width of the images.

        Returns:
            float32 (..., 8), see `datasets.augment.as_numbers`.
        """
        views, contents = self.views[first : first + rows.size], self.contents[rows.flatten()]
        drawn = [
            as_numbers(draw(self.spec, self.seed, self.stage, int(view), int(content)), *size)
            for view, content in zip(views, contents, strict=True)
        ]
        return np.stack(drawn).reshape(*rows.shape, -1)


@contextmanager
def train_batches(
    images: np.ndarray,
    order: np.ndarray,
    batch_size: int,
    *,
    start_step: int = 0,
    augmentation: Augmented | None = None,
    workers: int | None = None,
    prefetch: int | None = None,
) -> Iterator[Iterator[np.ndarray]]:
    """Iterate over an epoch's batches, prepared in the background if they are augmented.

    Batch k holds rows order[k * batch_size : (k + 1) * batch_size], in this order, for any
    `workers` and `start_step`. An exception in a thread is raised where its batch is due. When the
    `with` block ends, the threads end: each stops after its current image.

    Args:
        images: (N, h, w, c) of any number type, uint8 where augmented; may be memory-mapped.
        order: int (n,), rows of `images` in the order of training.
        batch_size: images a batch.
        start_step: the first batch; earlier ones are skipped at no cost.
        augmentation: None leaves images unchanged.
        workers: threads; None: as many as `image_threads` returns.
        prefetch: batches prepared in advance, which bounds memory; None: one for each thread and
            one more, but no more than AHEAD_BYTES, and two at least.

    Yields:
        An iterator over (b, h, w, c) of the images' type; the last batch may be smaller.
    """
    workers = workers or image_threads()
    batch_bytes = max(batch_size * images.nbytes // max(len(images), 1), 1)
    prefetch = prefetch or max(min(workers + 1, AHEAD_BYTES // batch_bytes), 2)
    closing, ahead = Event(), ReadAhead(images, order)

    def make(step: int) -> np.ndarray:
        first = step * batch_size
        ahead.reached(first)
        return read_batch(images, order[first : first + batch_size], augmentation, first, closing)

    steps = range(start_step, -(-len(order) // batch_size))
    with ThreadPoolExecutor(workers, thread_name_prefix="inputs") as threads:
        if augmentation:
            batches = _ahead(threads, make, steps, prefetch)
        else:  # copying an image costs less than passing it between threads
            batches = (make(step) for step in steps)
        try:
            yield batches
        finally:
            closing.set()
            batches.close()
            threads.shutdown(cancel_futures=True)
            ahead.close()


def plain_batches(
    images: np.ndarray, rows: np.ndarray, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over unchanged images, for validation, test and prediction.

    Args:
        images: (N, h, w, c) of any number type, may be memory-mapped.
        rows: int (n,), rows of `images`.
        batch_size: images a batch.

    Yields:
        (b, h, w, c) of the images' type, and its b rows; the last batch may be smaller.
    """
    ahead = ReadAhead(images, rows)
    try:
        for start in range(0, len(rows), batch_size):
            ahead.reached(start)
            batch = rows[start : start + batch_size]
            yield read_batch(images, batch), batch
    finally:
        ahead.close()


def _ahead(
    threads: ThreadPoolExecutor, make: Callable[[int], np.ndarray], steps: range, prefetch: int
) -> Generator[np.ndarray, None, None]:
    """Yield the results of `make` for all steps in order; `prefetch` more are submitted."""
    waiting: deque[Future[np.ndarray]] = deque()
    for step in steps:
        waiting.append(threads.submit(make, step))
        if len(waiting) > prefetch:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def read_batch(
    images: np.ndarray,
    rows: np.ndarray,
    augmentation: Augmented | None = None,
    first: int = 0,
    closing: Event | None = None,
) -> np.ndarray:
    """Return the images of the rows, (b, h, w, c) of their own type.

    Args:
        images: uint8 images, or without augmentation numbers of any type and shape (N, ...).
        rows: int (b,), rows of `images`.
        augmentation: None leaves images unchanged.
        first: index of the first row in the epoch's order.
        closing: once set, the batch is left unfinished, since it is no longer needed.
    """
    images = np.asarray(images)  # slices of a memmap take twenty times as long
    batch = np.empty((len(rows), *images.shape[1:]), images.dtype)
    for i in np.argsort(rows, kind="stable").tolist():  # a disk reads faster in its own order
        if closing and closing.is_set():
            break
        image = images[rows[i]]
        batch[i] = augmentation.apply(image, rows[i], first + i) if augmentation else image
    return batch


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
