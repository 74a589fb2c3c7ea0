"""The file of a prefix's outputs: whole or not there, and a pass that was ended goes on.

Outputs that come in order grow in `<name>.part.npy`; how many of them are safe on the disk stands
in `<name>.part.json`. Once all are there the part takes the name of the whole.
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
from workbench.files import atomic_file, sync_folder, write_atomic

Keep = Callable[[np.ndarray, np.ndarray], np.ndarray]
Append = Callable[[np.ndarray], None]

SAFE_SECONDS = 10.0  # between two times that a growing part is made safe: what a crash may cost


@dataclass(frozen=True)
class FeatureFile:
    """Outputs (count, *shape) of a type, "float32" or "float16"."""

    path: Path
    dtype: str
    count: int
    shape: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the file holds all that its header says."""
        try:
            np.load(self.path, mmap_mode="r")
        except (ValueError, OSError, EOFError):
            return False
        return True

    @property
    def begun(self) -> int:
        """How many outputs, from the first on, an ended pass has left."""
        try:
            done = int(json.loads(self._note.read_text(encoding="ascii"))["done"])
            with self._part.open("rb") as file:
                fits = file.read(len(self._header)) == self._header
            enough = self._part.stat().st_size >= self._place(done)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return 0
        return done if fits and enough and 0 <= done <= self.count else 0

    @contextmanager
    def filled(self) -> Iterator[Keep]:
        """Takes outputs in any order; once all came, they are kept, else nothing is.

        Yields:
            A function that is given places, each once, and their outputs; it returns these as
            they will be read.
        """
        with atomic_file(self.path) as temporary, temporary.open("wb") as file:
            file.write(self._header)

            def keep(places: np.ndarray, outputs: np.ndarray) -> np.ndarray:
                kept = np.ascontiguousarray(outputs, self.dtype)
                for place, output in zip(places.tolist(), kept, strict=True):
                    file.seek(self._place(place))
                    file.write(output.data)
                return kept

            yield keep
        self._drop_part()

    @contextmanager
    def grown(self, done: int = 0) -> Iterator[Append]:
        """Takes outputs in order; what came is left if it ends early.

        A full disk is given back what was left.

        Args:
            done: how many are there, `begun` at most; the next ones follow these.

        Yields:
            A function that is given the next outputs.
        """
        if not done:
            self._drop_part()
        with self._part.open("r+b" if done else "wb") as file:
            if not done:
                file.write(self._header)
            file.seek(self._place(done))
            file.truncate()

            def make_safe() -> None:
                file.flush()
                os.fsync(file.fileno())
                write_atomic(self._note, json.dumps({"done": done}))

            safe = time.monotonic()

            def append(outputs: np.ndarray) -> None:
                nonlocal done, safe
                file.write(np.ascontiguousarray(outputs, self.dtype).data)
                done += len(outputs)
                if time.monotonic() - safe >= SAFE_SECONDS:
                    make_safe()
                    safe = time.monotonic()

            try:
                yield append
                make_safe()
            except OSError as error:
                if error.errno in DISK_FULL:
                    self._drop_part()
                raise
            except BaseException:
                with suppress(OSError):
                    make_safe()
                raise
        self._part.replace(self.path)
        sync_folder(self.path.parent)
        self._drop_part()

    @property
    def _part(self) -> Path:
        return self.path.with_suffix(".part.npy")

    @property
    def _note(self) -> Path:
        return self.path.with_suffix(".part.json")

    def _drop_part(self) -> None:
        """The note first: it must never speak of another part."""
        self._note.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)

    @property
    def _header(self) -> bytes:
        written = io.BytesIO()
        described = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(self.dtype)),
            "fortran_order": False,
            "shape": (self.count, *self.shape),
        }
        np.lib.format.write_array_header_1_0(written, described)
        return written.getvalue()

    def _place(self, number: int) -> int:
        """The byte at which an output begins."""
        output = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        return len(self._header) + number * output
