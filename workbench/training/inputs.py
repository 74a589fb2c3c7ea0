"""Batches for the network, from the pack: made ahead by threads where images are augmented.

numpy and Pillow alone, so that any Keras backend can train; both release Python's lock while they
work on pixels. Batches keep the numbers' type: the network makes floats of bytes where it runs,
and a quarter of the memory moves there.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

import numpy as np

from workbench.datasets.augment import augment, draw
from workbench.experiment.sections import AugmentationSpec
from workbench.training.read_ahead import ReadAhead

MOST_WORKERS = 4  # Python's lock is held for a sixth of the time that an image takes


@dataclass(frozen=True, eq=False)
class Augmented:
    """How training images change.

    Attributes:
        views: int (n,), which look at its image each place of the epoch's order is.
        contents: uint64 (N,), what identifies the content of each row of the pack.
    """

    spec: AugmentationSpec
    seed: int
    stage: int
    views: np.ndarray
    contents: np.ndarray

    def change(self, image: np.ndarray, row: int, place: int) -> np.ndarray:
        """The image of a row of the pack, uint8 (h, w, c), as it looks at a place of the order."""
        view, content = int(self.views[place]), int(self.contents[row])
        return augment(image, self.spec, draw(self.spec, self.seed, self.stage, view, content))


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
    """Iterates over an epoch's batches, made ahead in the background if they are augmented.

    Batch k holds rows order[k * batch_size : (k + 1) * batch_size], in this order, whatever
    `workers` and `start_step` are. An exception in a thread is raised where its batch is due. When
    the `with` block ends, the threads end: each gives up after the image it works on.

    Args:
        images: (N, h, w, c) of any number type, uint8 where augmented; may be memory-mapped.
        order: int (n,), rows of `images` in the order of training.
        start_step: the first batch to make; earlier ones are skipped at no cost.
        augmentation: None leaves images as they are.
        workers: threads; None: one for each core this process may use, at most 4.
        prefetch: batches made ahead of the one handed out, which bounds memory; None: one for
            each thread and one to spare.

    Yields:
        An iterator over (b, h, w, c) of the images' type; the last batch may be smaller.
    """
    workers = workers or min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    closing, ahead = Event(), ReadAhead(images, order)

    def make(step: int) -> np.ndarray:
        first = step * batch_size
        ahead.reached(first)
        return read_batch(images, order[first : first + batch_size], augmentation, first, closing)

    steps = range(start_step, -(-len(order) // batch_size))
    with ThreadPoolExecutor(workers, thread_name_prefix="inputs") as threads:
        if augmentation:
            batches = _ahead(threads, make, steps, prefetch or workers + 1)
        else:  # to copy an image costs less than to hand it from thread to thread
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
    """Iterates over images as they are, for validation, test and prediction.

    Args:
        images: (N, h, w, c) of any number type, may be memory-mapped.
        rows: int (n,), rows of `images`.

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
    """The results of `make` for all steps, in order, `prefetch` more begun than handed out."""
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
    """Images of the rows, (b, h, w, c) of their own type.

    Args:
        images: uint8 images, or numbers of any type and shape (N, ...) where nothing is augmented.
        first: the place of the first row in the epoch's order.
        closing: once set, the batch is left unfinished, since nobody waits for it any more.
    """
    images = np.asarray(images)  # slices of a memmap take twenty times as long
    batch = np.empty((len(rows), *images.shape[1:]), images.dtype)
    for i in np.argsort(rows, kind="stable").tolist():  # a disk reads faster in its own order
        if closing and closing.is_set():
            break
        image = images[rows[i]]
        batch[i] = augmentation.change(image, rows[i], first + i) if augmentation else image
    return batch
