"""Inputs of steps, piece by piece: of arrays that lie on the device, or of batches to send there.

What is small enough lies on the device for a stage, and only the rows of the steps go there. Larger
inputs go there in pieces; one is prepared while the device computes on the one before it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from workbench.training.backend import active_backend
from workbench.training.backends import Device
from workbench.training.inputs import train_batches

PIECE_BYTES = 64 << 20  # of a piece; three of them are in memory at a time
# Of an array that lies on the device for a stage. On a CPU it is a second copy in memory.
RESIDENT_BYTES = {"cpu": 64 << 20, "gpu": 1 << 30}


@dataclass(frozen=True)
class Piece:
    """The inputs of the next steps, all of one batch size b.

    Attributes:
        x: (n, ...), features or uint8 images, on the device or not.
        places: int (steps, b), rows of `x` of each step.
        rows: int (steps, b), the same images as rows of the pack.
        changes: float32 (steps, b, 8), augmentation that the device applies to uint8 images (see
            `device_augment`); None for none.
    """

    x: Any
    places: np.ndarray
    rows: np.ndarray
    changes: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.places)


Take = Callable[[int], Piece | None]  # the inputs of so many next steps at most, None at the end
Pieces = AbstractContextManager[Take]


def place_on_device(array: np.ndarray, device: Device) -> Any:
    """Copy an array to the device; return the array itself if it is too large to stay there."""
    fits = array.nbytes <= RESIDENT_BYTES[device.kind]
    return active_backend().place(array) if fits else array


@contextmanager
def pieces(
    x: Any, places: np.ndarray, rows: np.ndarray, batch_size: int, start_step: int = 0
) -> Iterator[Take]:
    """Iterate over an order of unchanged inputs; batches are as those of `train_batches`.

    Args:
        x: (n, ...) from `place_on_device`.
        places: int (m,), rows of `x` in the order of training.
        rows: int (m,), the same images as rows of the pack.
        batch_size: images a step.
        start_step: the first step; earlier ones are skipped at no cost.
    """
    if isinstance(x, np.ndarray):
        steps = range(start_step, -(-len(places) // batch_size))
        with train_batches(x, places, batch_size, steps=steps) as batches:
            yield from_batches(batches, rows, batch_size, start_step)
        return
    step = start_step

    def take(limit: int) -> Piece | None:
        nonlocal step
        part, count = _next_steps(len(rows), batch_size, step, limit)
        step += count
        if not count:
            return None
        return Piece(x, places[part].reshape(count, -1), rows[part].reshape(count, -1))

    yield take


def from_batches(
    batches: Iterator[np.ndarray], rows: np.ndarray, batch_size: int, start_step: int = 0
) -> Take:
    """Return pieces of batches that something else makes.

    Args:
        batches: from `start_step` on, the batches of the rows.
        rows: int (m,), rows of the pack in the order of training.
        batch_size: images a step.
        start_step: the step of the first batch.
    """
    step = start_step

    def take(limit: int) -> Piece | None:
        nonlocal step
        part, count = _next_steps(len(rows), batch_size, step, limit)
        if not count:
            return None
        found = [next(batches)]
        room = max(PIECE_BYTES // found[0].nbytes, 1)
        found += islice(batches, min(count, room) - 1)
        step += len(found)
        x = found[0] if len(found) == 1 else np.concatenate(found)
        shape = len(found), -1
        return Piece(x, np.arange(len(x)).reshape(shape), rows[part][: len(x)].reshape(shape))

    return take


def _next_steps(images: int, batch_size: int, step: int, limit: int) -> tuple[slice, int]:
    """Return the images of the next steps and their number: a smaller last batch comes alone."""
    first = step * batch_size
    left = max(images - first, 0)
    count = min(limit, left // batch_size) or min(left, 1)
    return slice(first, min(first + count * batch_size, images)), count
