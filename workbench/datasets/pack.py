"""The pack: every image decoded once, in one immutable memory-mapped array.

On a first preparation the scan makes its rows as it goes (see `scan_pack`).
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.decoding import map_in_threads, with_progress
from workbench.datasets.image_files import ImageError
from workbench.datasets.manifest import ImageRecord, ScanRecord, Stamp, manifest_levels
from workbench.datasets.scan import pixel_hash
from workbench.datasets.scan_pack import (
    ScanRows,
    make_row,
    pack_header,
    read_scan_rows,
    remove_scan_rows,
    row_key,
)
from workbench.datasets.sixteen_bit import SixteenBitImage, scale_to_8_bits
from workbench.datasets.sources.opening import open_images
from workbench.datasets.sources.source import SourceImages
from workbench.errors import DISK_FULL, DiskFull, UserError
from workbench.experiment.sections import DataSpec
from workbench.files import atomic_file
from workbench.messages import tr
from workbench.progress import Progress, silent
from workbench.text import format_bytes, safe_text

# Part of every fingerprint: raise it when the way from file to array changes.
_FORMAT = 1
_HEADER = 128  # bytes of a .npy file before the values, at least
_NOT_MADE = -1  # in place of a row's place

Load = Callable[[ImageRecord], np.ndarray]


def pack_path(folder: Path, rows: Sequence[ImageRecord], data: DataSpec) -> Path:
    """Return the file for the pack of these images.

    The fingerprint in its name covers the pixels in their order, size, channels, resizing,
    decoding, and the scaling of 16 bits; labels and splits may change without a new pack.
    """
    made = [_FORMAT, data.image_size, data.channels, data.resize, data.decode]
    levels = manifest_levels(rows)
    made += [str(levels)] if levels else []
    digest = blake2b(json.dumps(made).encode(), digest_size=8)
    for row in rows:
        digest.update(row.pixel_hash.encode())
    return folder / f"pack-{digest.hexdigest()}.npy"


def build_pack(
    root: Path,
    rows: Sequence[ImageRecord],
    data: DataSpec,
    folder: Path,
    progress: Progress = silent,
    scanned: Iterable[ScanRecord] = (),
) -> Path:
    """Make a pack of all images, unless it already exists.

    Rows that the scan has made become the pack where they are; if some are missing or lie in
    another order, the others are decoded now. The pack appears whole, under its name: interrupted
    at any moment, it leaves none. The caller holds the lock of the folder.

    Args:
        root: Of the source: a folder, or an npz file.
        rows: The images, in the order of the pack.
        data: Size, channels, resizing and decoding.
        folder: The data folder.
        progress: Reports "pack" with the number of images.
        scanned: Records of a scan just made. A file with the same size and times is unchanged;
            the pixels of others are compared with their row, which takes longer.

    Returns:
        A .npy file, uint8, (rows, height, width, channels).

    Raises:
        DiskFull: The disk is too small, or became full.
        UserError: An image changed since the scan or does not exist any more.
    """
    path = pack_path(folder, rows, data)
    shape = (len(rows), *data.input_shape)
    if path.exists() and is_whole(path, shape):
        return path
    images = open_images(root)
    records = {record.path: record for record in scanned}
    made = read_scan_rows(folder, data)
    places = _places(made, rows, records, images)
    if made and all(one < other for one, other in pairwise([-1, *places])):
        made.become(path, places)
        progress("pack", len(rows), len(rows))
        return path
    needed = int(np.prod(shape)) + _HEADER
    if made is None or needed > shutil.disk_usage(folder).free:
        made, places = None, [_NOT_MADE] * len(rows)
        remove_scan_rows(folder)
    _check_room(folder, needed)
    decode = _loader(images, data, records if images.encoded else {})
    before = made.array() if made else np.empty(0)

    def load(placed: tuple[ImageRecord, int]) -> np.ndarray:
        row, place = placed
        return decode(row) if place == _NOT_MADE else before[place]

    work = zip(rows, places, strict=True)
    # Without decoding, threads would only block each other.
    arrays = map_in_threads(load, work) if images.encoded else map(load, work)
    try:
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            file.write(pack_header(shape))
            for array in with_progress(arrays, "pack", len(rows), progress):
                file.write(array.data)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise DiskFull(
            tr(
                "The disk became full while {path} was written; nothing of it is kept.",
                path=safe_text(path),
            ),
            _MAKE_ROOM,
        ) from error
    remove_scan_rows(folder)
    return path


def open_pack(path: Path) -> np.ndarray:
    """Return a pack, memory-mapped for reading: uint8, (images, height, width, channels)."""
    pack: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return pack


_MAKE_ROOM = tr(
    "Make room (`workbench data clean` removes packs that no run "
    "needs), choose a smaller data.image_size, or another workspace "
    "with --workspace DIR."
)


def is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Return whether a pack exists, in this shape and with all its bytes."""
    try:
        return open_pack(path).shape == shape
    except (ValueError, OSError, EOFError):
        return False


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFull(
            tr(
                "The pack needs {needed}, and {folder} has {free} free.",
                needed=format_bytes(needed),
                folder=safe_text(folder),
                free=format_bytes(free),
            ),
            _MAKE_ROOM,
        )


def _places(
    made: ScanRows | None,
    rows: Sequence[ImageRecord],
    records: Mapping[str, ScanRecord],
    images: SourceImages,
) -> list[int]:
    """Return where the scan put each row; _NOT_MADE where it did not, or the file has changed."""
    if made is None:
        return [_NOT_MADE] * len(rows)
    places = made.places()
    found = []
    for row in rows:
        record = records.get(row.path)
        unchanged = record and _unchanged(record, row, images.stamp(row.path))
        found.append(places.get(row_key(record), _NOT_MADE) if record and unchanged else _NOT_MADE)
    return found


def _loader(images: SourceImages, data: DataSpec, records: Mapping[str, ScanRecord]) -> Load:
    """Return a function that decodes a row's image, and refuses one that changed since the scan."""
    at_least = data.image_size if data.decode == "fast" else None

    def load(row: ImageRecord) -> np.ndarray:
        try:
            found = images.read(row.path, at_least)[0]
            # Checked afterwards: a file that was replaced meanwhile has another stamp.
            if not _unchanged(records.get(row.path), row, images.stamp(row.path)):
                # A JPEG read at a smaller size has other pixels.
                full = images.read(row.path)[0] if at_least else found
                if _row_hash(row, full) != row.pixel_hash:
                    raise ImageError(tr("its content is different"))
        except ImageError as error:
            raise UserError(
                tr(
                    "{describe} changed since it was scanned: {reason}.",
                    describe=images.describe(row.path),
                    reason=error.reason,
                ),
                tr(
                    "Repeat the command to scan again; a run that started with the old "
                    "image needs it back to continue."
                ),
            ) from error
        return make_row(scale_to_8_bits(found, row.levels), data)

    return load


def _row_hash(row: ImageRecord, found: Image.Image | SixteenBitImage) -> str:
    """Return the hash for a row: older manifests hashed 16 bits scaled to 8."""
    if isinstance(found, SixteenBitImage) and row.levels is None:
        found = found.scaled(None)
    return pixel_hash(found)


def _unchanged(record: ScanRecord | None, row: ImageRecord, stamp: Stamp) -> bool:
    """Return whether a file is as it was scanned, and the scan found the row's pixels."""
    return record is not None and record.pixel_hash == row.pixel_hash and record.stamp == stamp
