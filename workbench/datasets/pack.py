"""The pack: every image decoded once, in one memory-mapped array that is never changed."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.deep import Deep
from workbench.datasets.images import ImageError, open_image, pixels, to_array
from workbench.datasets.manifest import Row, levels_of
from workbench.datasets.npz_source import NpzImages
from workbench.datasets.scan import Record, pixel_hash, stamp_of
from workbench.datasets.threads import in_threads, told
from workbench.errors import DISK_FULL, DiskFull, UserError
from workbench.experiment.sections import DataSpec
from workbench.files import atomic_file
from workbench.progress import Progress, silent
from workbench.text import human_bytes, safe_text

# Part of every fingerprint: raise it when the way from file to array changes.
_FORMAT = 1
_HEADER = 128  # bytes of a .npy file before the values, at least

Load = Callable[[Row], np.ndarray]


def pack_path(folder: Path, rows: Sequence[Row], data: DataSpec) -> Path:
    """Where the pack of these images belongs.

    The fingerprint in its name covers the pixels in their order, size, channels, resizing,
    decoding, and what became of 16 bits; labels and splits may change without a new pack.
    """
    made = [_FORMAT, data.image_size, data.channels, data.resize, data.decode]
    levels = levels_of(rows)
    made += [str(levels)] if levels else []
    digest = blake2b(json.dumps(made).encode(), digest_size=8)
    for row in rows:
        digest.update(row.pixel_hash.encode())
    return folder / f"pack-{digest.hexdigest()}.npy"


def build_pack(
    root: Path,
    rows: Sequence[Row],
    data: DataSpec,
    folder: Path,
    progress: Progress = silent,
    scanned: Iterable[Record] = (),
) -> Path:
    """Decodes all images into a pack, unless it is there already.

    It is written to a temporary file that is synced and renamed: interrupted at any moment, it
    leaves no pack. Hold the lock of the folder.

    Args:
        root: where the rows' paths start: a folder, or an npz file.
        rows: the images, in the order of the pack.
        data: size, channels, resizing and decoding.
        folder: the data folder.
        progress: told "pack" with the number of images.
        scanned: what a scan has just found. A file of the size and time that it saw is the one
            that it saw; the pixels of others are compared with their row, which takes longer.

    Returns:
        A .npy file, uint8, (rows, height, width, channels).

    Raises:
        DiskFull: the disk is too small, or became full.
        UserError: an image changed since the scan or went away.
    """
    path = pack_path(folder, rows, data)
    shape = (len(rows), *data.input_shape)
    if path.exists() and is_whole(path, shape):
        return path
    _check_room(folder, int(np.prod(shape)) + _HEADER)
    if root.is_file():  # arrays need no decoding: threads would only be in each other's way
        images: Iterator[np.ndarray] = map(_array_loader(root, data), rows)
    else:
        images = in_threads(_file_loader(root, data, scanned), rows)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    try:
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for image in told(images, "pack", len(rows), progress):
                file.write(image.data)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise DiskFull(
            f"The disk became full while {safe_text(path)} was written; nothing of it is kept.",
            _MAKE_ROOM,
        ) from error
    return path


def open_pack(path: Path) -> np.ndarray:
    """A pack, memory-mapped for reading: uint8, (images, height, width, channels)."""
    pack: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return pack


_MAKE_ROOM = (
    "Make room (`workbench data clean` removes packs that no run needs), choose a smaller "
    "data.image_size, or another workspace with --workspace DIR."
)


def is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether a pack is there, in this shape and with all its bytes."""
    try:
        return open_pack(path).shape == shape
    except (ValueError, OSError, EOFError):
        return False


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFull(
            f"The pack needs {human_bytes(needed)}, and {safe_text(folder)} has "
            f"{human_bytes(free)} free.",
            _MAKE_ROOM,
        )


def _file_loader(root: Path, data: DataSpec, scanned: Iterable[Record]) -> Load:
    """Loads from files, and refuses what is not what the scan saw."""
    at_least = data.image_size if data.decode == "fast" else None
    records = {record.path: record for record in scanned}

    def load(row: Row) -> np.ndarray:
        path = root / row.path
        try:
            found = _pixels(path, at_least)
            status = path.stat()  # afterwards: what was replaced meanwhile has another stamp
            stands = _stands(records.get(row.path), row, status)
            # In doubt the whole is decoded: a JPEG read at a smaller size has other pixels.
            if not stands and _hash_in(row, _pixels(path) if at_least else found) != row.pixel_hash:
                raise _changed(path, "its content is another")
        except OSError as error:
            raise _changed(path, safe_text(error.strerror or error)) from error
        except ImageError as error:
            raise _changed(path, error.reason) from error
        image = found.scaled(row.levels) if isinstance(found, Deep) else found
        return to_array(image, data.image_size, data.channels, data.resize)

    return load


def _pixels(path: Path, at_least: tuple[int, int] | None = None) -> Image.Image | Deep:
    with open_image(path) as (opened, header):
        return pixels(opened, header, at_least)


def _hash_in(row: Row, found: Image.Image | Deep) -> str:
    """The hash that the row should have: older manifests hashed what was left of 16 bits."""
    if isinstance(found, Deep) and row.levels is None:
        found = found.scaled(None)
    return pixel_hash(found)


def _stands(record: Record | None, row: Row, status: os.stat_result) -> bool:
    """Whether a file is still the one that the scan saw, and that one is the row's."""
    return (
        record is not None
        and record.pixel_hash == row.pixel_hash
        and record.stamp == stamp_of(status)
    )


def _array_loader(root: Path, data: DataSpec) -> Load:
    images = NpzImages(root)

    def load(row: Row) -> np.ndarray:
        try:
            image = images.image(row.path)
        except KeyError as error:
            raise _changed(root, f"it has no image {safe_text(row.path)}") from error
        if pixel_hash(image) != row.pixel_hash:
            raise _changed(root, f"its image {safe_text(row.path)} is another")
        return to_array(image, data.image_size, data.channels, data.resize)

    return load


def _changed(path: Path, what: str) -> UserError:
    return UserError(
        f"{safe_text(path)} changed since it was scanned: {what}.",
        "Give the command again to scan anew; a run that began with the old image keeps to it, "
        "and needs it back to go on.",
    )
