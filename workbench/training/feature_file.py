"""The file of a prefix's features: complete or absent, and filled by one process or by several.

Missing features are computed in chunks of CHUNK images and written into `<name>.part.npy`, which
has its full length from the beginning. `<name>.part.done` has a byte for each chunk, 1 once its
features are safe on the disk. A process locks the byte of a chunk while it works on it: the lock
ends with the process, however that ends, and another one may take the chunk. Whoever finds all
chunks done renames the part.
"""

import io
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from workbench.errors import DISK_FULL
from workbench.experiment.throughput import PREFIX_BATCH
from workbench.files import fsync_folder
from workbench.runs.lock import lock_range, unlock_range

CHUNK = PREFIX_BATCH  # images of one call
SYNC_SECONDS = 5.0  # between two syncs of a growing part: what a crash may cost
_DONE = 1

Record = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Shard:
    """One of several equal shares of the chunks of every file, counted from 1."""

    number: int = 1
    count: int = 1

    def of(self, chunks: int) -> range:
        """Return its share of so many chunks."""
        before, through = self.number - 1, self.number
        return range(chunks * before // self.count, chunks * through // self.count)


WHOLE = Shard()


@dataclass(frozen=True)
class FeatureFile:
    """Features (count, *shape) of type "float32" or "float16"."""

    path: Path
    dtype: str
    count: int
    shape: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the file holds everything that its header announces."""
        try:
            np.load(self.path, mmap_mode="r")
        except (ValueError, OSError, EOFError):
            return False
        return True

    @property
    def chunks(self) -> int:
        """Number of its chunks, of which the last one may be smaller."""
        return -(-self.count // CHUNK)

    def count_missing(self, shard: Shard = WHOLE) -> int:
        """Return how many images of a shard have no features yet, neither here nor in a part."""
        if self.is_whole:
            return 0
        done = np.zeros(self.chunks, bool)
        with suppress(OSError), self.done_path.open("rb") as file:
            if self._fits(file.fileno()):
                done = read_done(file.fileno(), self.chunks)
        return self.count_images(~done, shard)

    def is_done(self, shard: Shard = WHOLE) -> bool:
        """Return whether a shard is done; all of them are when the file is whole."""
        return self.is_whole or (shard != WHOLE and not self.count_missing(shard))

    def count_images(self, chunks: np.ndarray, shard: Shard = WHOLE) -> int:
        """Return how many images some chunks of a shard have; `chunks` is bool (chunks,)."""
        sizes = np.full(self.chunks, CHUNK)
        sizes[-1:] = self.count - (self.chunks - 1) * CHUNK
        share = shard.of(self.chunks)
        return int((sizes * chunks)[share.start : share.stop].sum())

    def part(self) -> "FeaturePart":
        """Open the part; make one unless there is one that fits."""
        return FeaturePart(self, *self._open())

    @contextmanager
    def fill(self, wait: Callable[[], None]) -> Iterator[Record]:
        """Take features in any order; keep them if all were given.

        Args:
            wait: called repeatedly while other processes work on the part.

        Yields:
            A function that takes positions, each once, and their features; it returns these as
            they will be read.
        """
        with self.part() as part:
            while not part.claim_all():
                wait()
            yield part.record
            part.complete()

    @property
    def part_path(self) -> Path:
        """Where features are written until all are there."""
        return self.path.with_suffix(".part.npy")

    @property
    def done_path(self) -> Path:
        """The file with a byte for each chunk of the part."""
        return self.path.with_suffix(".part.done")

    def drop_part(self) -> None:
        """Remove the part; a process that still works on it finds that out in `finish`."""
        self.done_path.unlink(missing_ok=True)  # first: it must never describe another part
        self.part_path.unlink(missing_ok=True)
        self.path.with_suffix(".part.json").unlink(missing_ok=True)  # of earlier versions

    def offset(self, number: int) -> int:
        """Return the byte at which the features of an image begin."""
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        return len(self._header) + number * size

    def is_current(self, done: int) -> bool:
        """Return whether an open descriptor is still that of the part's chunks."""
        try:
            return os.path.samestat(os.fstat(done), self.done_path.stat())
        except FileNotFoundError:
            return False

    @property
    def _header(self) -> bytes:
        header = io.BytesIO()
        fields = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(self.dtype)),
            "fortran_order": False,
            "shape": (self.count, *self.shape),
        }
        np.lib.format.write_array_header_1_0(header, fields)
        return header.getvalue()

    def _fits(self, done: int) -> bool:
        """Return whether the part is one of this file, with a byte for each of its chunks."""
        try:
            with self.part_path.open("rb") as file:
                fits = file.read(len(self._header)) == self._header
            size = self.part_path.stat().st_size
        except OSError:
            return False
        return fits and size == self.offset(self.count) and os.fstat(done).st_size == self.chunks

    def _open(self) -> tuple[int, int]:
        """Return descriptors of the part and of its bytes."""
        while True:
            done = os.open(self.done_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                lock_range(done, self.chunks, wait=True)
                if self.is_current(done):
                    if os.fstat(done).st_size == 0:
                        self._make_part(done)
                    if self._fits(done):
                        part = os.open(self.part_path, os.O_WRONLY | os.O_CLOEXEC)
                        unlock_range(done, self.chunks)
                        return part, done
                    # Not repaired: whoever works on it would write to files that are gone.
                    self.drop_part()
            except BaseException:
                os.close(done)
                raise
            os.close(done)

    def _make_part(self, done: int) -> None:
        self.path.with_suffix(".part.json").unlink(missing_ok=True)
        with self.part_path.open("wb") as file:
            file.write(self._header)
            file.truncate(self.offset(self.count))
        fsync_folder(self.path.parent)
        os.ftruncate(done, self.chunks)


class FeaturePart:
    """A part that this process works on, maybe beside others.

    Args:
        file: what it will become.
        part: descriptor of the features.
        done: of the bytes of the chunks; the one behind them is locked by who makes or renames
            the part.
    """

    def __init__(self, file: FeatureFile, part: int, done: int) -> None:
        self._file = file
        self._features = os.fdopen(part, "wb")
        self._done = done
        self._claimed: deque[int] = deque()
        self._written: list[int] = []  # and not synced yet
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what was written, except on a full disk; others may take what was claimed."""
        try:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                self._file.drop_part()
            elif error is not None:
                with suppress(OSError):
                    self.sync()
        finally:
            with suppress(OSError):  # what could not be flushed
                self._features.close()
            os.close(self._done)

    @property
    def done(self) -> int:
        """How many images have features, by any process."""
        chunks = read_done(self._done, self._file.chunks)
        chunks[self._written] = True
        return self._file.count_images(chunks)

    def claim(self, shard: Shard) -> Iterator[int]:
        """Yield the chunks of a shard that are neither done nor another's; each is now ours."""
        done = read_done(self._done, self._file.chunks)
        for chunk in shard.of(self._file.chunks):
            if done[chunk] or not lock_range(self._done, chunk):
                continue
            if os.pread(self._done, 1, chunk) == bytes([_DONE]):  # meanwhile
                unlock_range(self._done, chunk)
                continue
            self._claimed.append(chunk)
            yield chunk

    def write(self, features: np.ndarray) -> None:
        """Write the features (n, *shape) of the chunk that was claimed first."""
        chunk = self._claimed.popleft()
        self._features.seek(self._file.offset(chunk * CHUNK))
        self._features.write(np.ascontiguousarray(features, self._file.dtype).data)
        self._written.append(chunk)
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Make what was written safe, and then say so."""
        self._features.flush()
        os.fdatasync(self._features.fileno())
        for chunk in self._written:
            os.pwrite(self._done, bytes([_DONE]), chunk)
        os.fdatasync(self._done)
        for chunk in self._written:
            unlock_range(self._done, chunk)
        self._written.clear()
        self._synced = time.monotonic()

    def finish(self) -> bool:
        """Rename the part if all is done; return whether there is nothing left to do in it."""
        if not self._file.is_current(self._done):
            return True  # another process has renamed or removed it
        if not read_done(self._done, self._file.chunks).all():
            return False
        lock_range(self._done, self._file.chunks, wait=True)
        if self._file.is_current(self._done):
            with suppress(FileNotFoundError):
                self._file.part_path.replace(self._file.path)
                fsync_folder(self._file.path.parent)
            self._file.drop_part()
        return True

    def has_all_of(self, shard: Shard) -> bool:
        """Return whether all chunks of a shard are done."""
        missing = ~read_done(self._done, self._file.chunks)
        return not self._file.count_images(missing, shard)

    def claim_all(self) -> bool:
        """Claim all chunks, done or not; return False if another process has one of them."""
        return lock_range(self._done, 0, self._file.chunks)

    def record(self, positions: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Write the features of some positions, and return them as they will be read."""
        kept = np.ascontiguousarray(features, self._file.dtype)
        for position, of_image in zip(positions.tolist(), kept, strict=True):
            self._features.seek(self._file.offset(position))
            self._features.write(of_image.data)
        return kept

    def complete(self) -> None:
        """Rename the part, of which all features were recorded."""
        self._written = list(range(self._file.chunks))
        self.sync()
        self.finish()


def read_done(descriptor: int, chunks: int) -> np.ndarray:
    """Return which chunks are done, bool (chunks,)."""
    content = np.frombuffer(os.pread(descriptor, chunks, 0), np.uint8)
    done = np.zeros(chunks, bool)
    done[: len(content)] = content == _DONE
    return done
