"""The pack: every image decoded once, in one immutable memory-mapped array."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.decoding import map_in_threads, to_array, with_progress
from workbench.datasets.image_files import ImageError
from workbench.datasets.manifest import ImageRecord, ScanRecord, Stamp, manifest_levels
from workbench.datasets.scan import pixel_hash
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
    """Decode all images into a pack, unless it already exists.

    It is written to a temporary file that is synced and renamed: interrupted at any moment, it
    leaves no pack. The caller holds the lock of the folder.

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
    _check_room(folder, int(np.prod(shape)) + _HEADER)
    images = open_images(root)
    load = _loader(images, data, scanned)
    # Without decoding, threads would only block each other.
    arrays: Iterator[np.ndarray] = map_in_threads(load, rows) if images.encoded else map(load, rows)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    try:
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
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


def _loader(images: SourceImages, data: DataSpec, scanned: Iterable[ScanRecord]) -> Load:
    """Return a function that decodes a row's image, and refuses one that changed since the scan."""
    at_least = data.image_size if data.decode == "fast" else None
    records = {record.path: record for record in scanned} if images.encoded else {}

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
        image = scale_to_8_bits(found, row.levels)
        return to_array(image, data.image_size, data.channels, data.resize)

    return load


def _row_hash(row: ImageRecord, found: Image.Image | SixteenBitImage) -> str:
    """Return the hash for a row: older manifests hashed 16 bits scaled to 8."""
    if isinstance(found, SixteenBitImage) and row.levels is None:
        found = found.scaled(None)
    return pixel_hash(found)


def _unchanged(record: ScanRecord | None, row: ImageRecord, stamp: Stamp) -> bool:
    """Return whether a file is as it was scanned, and the scan found the row's pixels."""
    return record is not None and record.pixel_hash == row.pixel_hash and record.stamp == stamp
