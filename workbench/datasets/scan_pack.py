"""Rows of a pack that the scan makes while it reads the images, so that each is decoded once.

Until a pack is made of them, two files lie beside `scan.jsonl`:

    scan-pack.npy    room for a header, then a row for each image, in the order of the scan
    scan-pack.keys   the settings, then a line for each row: of which file, with which content

A row is written before its line, so that after a kill each line has its row. A power cut can take
rows and leave their lines: in another boot of the machine, rows count up to the last line "synced".
"""

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from math import prod
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
from PIL import Image

from workbench.datasets.decoding import has_other_pixels, to_array
from workbench.datasets.image_files import ImageError, ImageHeader
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.sixteen_bit import SixteenBitImage
from workbench.datasets.sources.source import StoredImage
from workbench.errors import DISK_FULL
from workbench.experiment.sections import DataSpec
from workbench.files import boot_id, fsync_folder, write_atomic

ROWS_NAME, KEYS_NAME = "scan-pack.npy", "scan-pack.keys"

_FORMAT = 1  # raise it when the way from file to row changes
_SYNCED = "synced"
_KEY_DIGITS = 32
_SYNC_BYTES = 1 << 25  # after so many the disk begins to write: the last sync has less to wait for
_MOVED_BYTES = 1 << 24  # at once, where rows move up


def pack_header(shape: tuple[int, ...]) -> bytes:
    """Return the bytes before the values of a .npy file, uint8; as many for any number of rows."""
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def make_row(image: Image.Image, data: DataSpec) -> np.ndarray:
    """Return the row of a decoded image of mode L or RGB: uint8, (height, width, channels)."""
    return to_array(image, data.image_size, data.channels, data.resize)


@dataclass(frozen=True)
class ScanRows:
    """The rows of an earlier scan, or of an interrupted one.

    Attributes:
        path: Of the file.
        shape: Of a row.
        keys: Of the rows in their order; the last of a key counts.
    """

    path: Path
    shape: tuple[int, int, int]
    keys: tuple[str, ...]

    def places(self) -> Mapping[str, int]:
        """Return the place of each row by its key, see `row_key`."""
        return {key: place for place, key in enumerate(self.keys)}

    def array(self) -> np.ndarray:
        """Return the rows, memory-mapped for reading: uint8, (rows, height, width, channels)."""
        shape = (len(self.keys), *self.shape)
        return np.memmap(self.path, np.uint8, "r", len(pack_header(shape)), shape)

    def become(self, target: Path, places: Sequence[int]) -> None:
        """Turn the file into a pack, in place: a pack may fill most of a disk.

        Interrupted, it leaves no pack, and rows only where none had to move.

        Args:
            target: The pack.
            places: Of the pack's rows, ascending.

        Raises:
            OSError: The disk fails.
        """
        header = pack_header((len(places), *self.shape))
        size = prod(self.shape)
        keys = self.path.with_name(KEYS_NAME)
        with self.path.open("r+b") as file:
            if places[-1] != len(places) - 1:
                keys.unlink()
                _move_up(file, places, len(header), size)
            os.pwrite(file.fileno(), header, 0)
            file.truncate(len(header) + len(places) * size)
            os.fsync(file.fileno())
        self.path.replace(target)
        fsync_folder(target.parent)
        keys.unlink(missing_ok=True)


def row_key(record: ScanRecord) -> str:
    """Return what identifies a row: the image's path, its file's stamp and its pixels."""
    of = repr((record.path, record.stamp, record.pixel_hash)).encode("utf-8", "surrogatepass")
    return blake2b(of, digest_size=_KEY_DIGITS // 2).hexdigest()


def read_scan_rows(folder: Path, data: DataSpec) -> ScanRows | None:
    """Return the rows of a data folder; None where there are none for these settings."""
    path = folder / ROWS_NAME
    try:
        lines = (folder / KEYS_NAME).read_text("ascii", "replace").splitlines(keepends=True)
        size = path.stat().st_size
    except OSError:
        return None
    settings = _parsed(lines[0]) if lines else {}
    boot = settings.pop("boot", "")
    if settings != _settings(data):
        return None
    keys: list[str] = []
    synced = 0
    for line in lines[1:]:
        if line == f"{_SYNCED}\n":
            synced = len(keys)
        elif len(line) == _KEY_DIGITS + 1:
            keys.append(line[:-1])
        else:
            break  # torn
    shape = data.input_shape
    whole = max(0, size - len(pack_header((0, *shape)))) // prod(shape)
    count = min(whole, len(keys) if boot and boot == boot_id() else synced)
    return ScanRows(path, shape, tuple(keys[:count])) if count else None


def remove_scan_rows(folder: Path) -> None:
    """Remove the rows of a data folder, if there are any."""
    (folder / KEYS_NAME).unlink(missing_ok=True)
    (folder / ROWS_NAME).unlink(missing_ok=True)


class ScanPack:
    """Makes rows in the threads of a scan and writes them in its order.

    Rows of an interrupted scan with the same settings are kept. Where the disk becomes full, all
    rows are removed and the scan goes on without them.

    Args:
        folder: The data folder, whose lock the caller holds.
        data: Size, channels, resizing and decoding.
    """

    def __init__(self, folder: Path, data: DataSpec) -> None:
        self._folder = folder
        self._data = data
        self._failed = False
        self._rows: BinaryIO | None = None
        self._keys: TextIO | None = None
        self._waiting = 0  # bytes that no sync has begun to write
        self._sync: Future[None] | None = None
        self._pool = ThreadPoolExecutor(1)

    def row(
        self, stored: StoredImage, found: Image.Image | SixteenBitImage, header: ImageHeader
    ) -> np.ndarray | None:
        """Return the row of an image that the scan has decoded; None where it is made later.

        That is so with 16 bits, whose scaling depends on all images.

        Args:
            stored: The image's file, read again where fast decoding gives other pixels.
            found: All its pixels.
            header: Of the image.
        """
        if isinstance(found, SixteenBitImage):
            return None
        size = self._data.image_size
        if self._data.decode == "fast" and has_other_pixels(header, size):
            with suppress(ImageError):  # reported when the pack is made
                reduced = stored.read(size)[0]
                return None if isinstance(reduced, SixteenBitImage) else self._row(reduced)
            return None
        return self._row(found)

    @contextmanager
    def writing(self) -> Iterator["ScanPack"]:
        """Close the files after the block, and sync them where it ends without an exception."""
        with ExitStack() as stack:
            stack.callback(self._close)
            stack.enter_context(self._pool)
            yield self
            self._finish()

    def append(self, record: ScanRecord, row: np.ndarray) -> None:
        """Write the row of an image.

        Raises:
            OSError: The disk fails otherwise than by being full.
        """
        if self._failed:
            return
        try:
            if self._rows is None:
                self._open()
            assert self._rows
            assert self._keys
            self._rows.write(row.data)
            self._rows.flush()
            self._keys.write(f"{row_key(record)}\n")
            self._waiting += row.nbytes
            if self._waiting >= _SYNC_BYTES and (self._sync is None or self._sync.done()):
                self._begin_sync()
        except OSError as error:
            self._give_up(error)

    def _row(self, image: Image.Image) -> np.ndarray:
        # Copied by the thread that decoded it: what Pillow allocated is then freed there. Freed by
        # the other one, between records that stay, it would leave holes of 10 kB an image.
        return make_row(image, self._data).copy()

    def _open(self) -> None:
        """Go on after the rows that are there, or start."""
        found = read_scan_rows(self._folder, self._data)
        if found is None:
            remove_scan_rows(self._folder)
        rows, keys = self._folder / ROWS_NAME, self._folder / KEYS_NAME
        start = len(pack_header((0, *self._data.input_shape)))
        end = start + len(found.keys) * prod(found.shape) if found else start
        self._rows = rows.open("r+b" if found else "wb")
        self._rows.truncate(end)
        self._rows.seek(end)
        os.fdatasync(self._rows.fileno())
        first = json.dumps(_settings(self._data) | {"boot": boot_id()})
        lines = [first, *(found.keys if found else ()), _SYNCED, ""]
        write_atomic(keys, "\n".join(lines), synced=False)
        self._keys = keys.open("a", encoding="ascii", buffering=1)

    def _begin_sync(self) -> None:
        assert self._rows
        if self._sync:
            self._sync.result()  # raises what went wrong
        self._sync = self._pool.submit(os.fdatasync, self._rows.fileno())
        self._waiting = 0

    def _finish(self) -> None:
        """Sync the rows, and note it."""
        if self._failed or self._rows is None or self._keys is None:
            return
        try:
            self._begin_sync()
            assert self._sync
            self._sync.result()
            self._keys.write(f"{_SYNCED}\n")
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if error.errno not in DISK_FULL:
            raise error
        self._failed = True
        self._close()
        remove_scan_rows(self._folder)

    def _close(self) -> None:
        for file in (self._rows, self._keys):
            with suppress(OSError):  # of a full disk, reported before
                if file:
                    file.close()
        self._rows = self._keys = None


def _settings(data: DataSpec) -> dict[str, object]:
    settings = data.model_dump(mode="json", include={"image_size", "channels", "resize", "decode"})
    return {"scan_pack": _FORMAT, **settings}


def _parsed(line: str) -> dict[str, object]:
    with suppress(ValueError, RecursionError):
        values = json.loads(line)
        if isinstance(values, dict):
            return values
    return {}


def _move_up(file: BinaryIO, places: Sequence[int], start: int, size: int) -> None:
    """Close the gaps between the rows at some places, which ascend."""
    at_once = max(1, _MOVED_BYTES // size)
    for _, run in groupby(enumerate(places), lambda pair: pair[1] - pair[0]):
        pairs = list(run)
        (to, origin), count = pairs[0], len(pairs)
        for first in range(0, count if to != origin else 0, at_once):
            length = min(at_once, count - first) * size
            content = os.pread(file.fileno(), length, start + (origin + first) * size)
            os.pwrite(file.fileno(), content, start + (to + first) * size)
