"""The file of a prefix's features: complete or absent, and an interrupted pass can be resumed.

Features computed in order are appended to `<name>.part.npy`; `<name>.part.json` holds how many of
them are safe on the disk. The complete part is renamed.
"""

import io
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.errors import DISK_FULL
from workbench.files import atomic_file, fsync_folder, write_atomic

Record = Callable[[np.ndarray, np.ndarray], np.ndarray]
Append = Callable[[np.ndarray], None]

SYNC_SECONDS = 10.0  # between two syncs of a growing part: what a crash may cost


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
    def partial(self) -> int:
        """How many images, from the first on, an interrupted pass left features of."""
        try:
            done = int(json.loads(self._note.read_text(encoding="ascii"))["done"])
            with self._part.open("rb") as file:
                fits = file.read(len(self._header)) == self._header
            enough = self._part.stat().st_size >= self._offset(done)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return 0
        return done if fits and enough and 0 <= done <= self.count else 0

    @contextmanager
    def fill(self) -> Iterator[Record]:
        """Take features in any order; keep them if all were given.

        Yields:
            A function that takes positions, each once, and their features; it returns these as
            they will be read.
        """
        with atomic_file(self.path) as temporary, temporary.open("wb") as file:
            file.write(self._header)

            def record(positions: np.ndarray, features: np.ndarray) -> np.ndarray:
                kept = np.ascontiguousarray(features, self.dtype)
                for position, of_image in zip(positions.tolist(), kept, strict=True):
                    file.seek(self._offset(position))
                    file.write(of_image.data)
                return kept

            yield record
        self._drop_part()

    @contextmanager
    def append(self, done: int = 0) -> Iterator[Append]:
        """Take features in order; if it ends early, leave a part, except on a full disk.

        Args:
            done: how many to keep of an earlier part, at most `partial`; the next ones follow.

        Yields:
            A function that takes the next features.
        """
        if not done:
            self._drop_part()
        with self._part.open("r+b" if done else "wb") as file:
            if not done:
                file.write(self._header)
            file.seek(self._offset(done))
            file.truncate()

            def sync() -> None:
                file.flush()
                os.fsync(file.fileno())
                write_atomic(self._note, json.dumps({"done": done}))

            synced = time.monotonic()

            def append(features: np.ndarray) -> None:
                nonlocal done, synced
                file.write(np.ascontiguousarray(features, self.dtype).data)
                done += len(features)
                if time.monotonic() - synced >= SYNC_SECONDS:
                    sync()
                    synced = time.monotonic()

            try:
                yield append
                sync()
            except OSError as error:
                if error.errno in DISK_FULL:
                    self._drop_part()
                raise
            except BaseException:
                with suppress(OSError):
                    sync()
                raise
        self._part.replace(self.path)
        fsync_folder(self.path.parent)
        self._drop_part()

    @property
    def _part(self) -> Path:
        return self.path.with_suffix(".part.npy")

    @property
    def _note(self) -> Path:
        return self.path.with_suffix(".part.json")

    def _drop_part(self) -> None:
        """Remove the note first: it must never describe another part."""
        self._note.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)

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

    def _offset(self, number: int) -> int:
        """Return the byte at which the features of an image begin."""
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        return len(self._header) + number * size
