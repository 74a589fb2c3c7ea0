"""The row of an image, from the scan to `manifest.csv`: the images with their splits."""

import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

from workbench.datasets.sixteen_bit import FULL, Levels
from workbench.experiment.sections import SPLITS
from workbench.files import cannot_read, damaged_at, open_table, write_atomic

_PIXEL_HASH = re.compile("[0-9a-f]{32}")
Stamp = tuple[int, int, int, int]  # size in bytes, times of change and of status, inode


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image of a data set, as the manifest lists it.

    Attributes:
        path: From the source's root, with /; in an npz file the part and the number, train/00012.
        label: The name of the class.
        split: train, validation or test; None in a scan where the data has no split.
        width: Pixels, upright; 0 where the file cannot be used.
        height: Likewise.
        bytes: Size of the file; in an npz file, of the array.
        pixel_hash: 32 hex digits over the size and the decoded RGB pixels, all their bits.
        levels: Of an image with 16 bits a channel, else None. In a scan its own smallest and
            largest value; in a manifest the values that become 0 and 255, the same for all images
            of a data set, and None in manifests of older versions.
        group: Of the images that have to stay on one side of a split; "" where none is given.
    """

    path: str
    label: str
    split: str | None
    width: int = 0
    height: int = 0
    bytes: int = 0
    pixel_hash: str = ""
    levels: Levels | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class ScanRecord(ImageRecord):
    """An image with everything that the scan found.

    Attributes:
        modified_ns: When the content changed.
        changed_ns: When the content, name, place or rights changed.
        inode: Of the file.
        ends: 16 hex digits over the first and the last 4,096 bytes; "" where unreadable.
        format: JPEG, PNG, ...; npz for arrays.
        mode: Pillow's name of the stored pixels.
        problem: Why the file cannot be used, else None.
        notes: Oddities: cmyk, 16-bit, palette, alpha, animated, exif-rotated, wrong-ending, tiny,
            reduced.
        dhash: 64 bits that similar pictures share, where both sides have 64 pixels or more.
        thumbnail: 16 x 16 grey bytes, where there is a dhash.
        camera: EXIF's make and model; "" where unknown.
        taken: EXIF's time of the picture, as 2021-05-03 14:22:09; "" where unknown.
        compression: The sum of a JPEG's first quantization table; 0 for other formats.
        histogram: See `measures.PixelMeasures`, as the two below; b"" for images with a shorter
            side than `measures.MIN_MEASURED`.
        colour: Mean red, green and blue.
        sharpness: Of edges, grey levels.
    """

    modified_ns: int = 0
    changed_ns: int = 0
    inode: int = 0
    ends: str = ""
    format: str = ""
    mode: str = ""
    problem: str | None = None
    notes: tuple[str, ...] = ()
    dhash: int | None = None
    thumbnail: bytes = b""
    camera: str = ""
    taken: str = ""
    compression: int = 0
    histogram: bytes = b""
    colour: tuple[int, int, int] | None = None
    sharpness: float | None = None

    @property
    def stamp(self) -> Stamp:
        """The file's size, times and inode."""
        return self.bytes, self.modified_ns, self.changed_ns, self.inode

    @property
    def usable(self) -> bool:
        """Whether the image can be decoded."""
        return self.problem is None


def check_pixel_hash(text: str) -> str:
    """Return a pixel hash read from a file.

    Raises:
        ValueError: It is none.
    """
    if not _PIXEL_HASH.fullmatch(text):
        raise ValueError(f"the hash is {text!r}")
    return text


def file_stamp(status: os.stat_result) -> Stamp:
    """Return a file's size, times and inode; see `ScanRecord.stamp`."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


MANIFEST_NAME = "manifest.csv"
_MAX_DIGITS = 18  # of a number
COLUMNS = tuple(field.name for field in fields(ImageRecord))
_OPTIONAL = ("levels", "group")  # left out where no image has them
_ALWAYS = tuple(name for name in COLUMNS if name not in _OPTIONAL)


def make_manifest_rows(
    records: Iterable[ImageRecord], splits: Mapping[str, str | None]
) -> tuple[ImageRecord, ...]:
    """Return rows of the images that have a split, sorted by path.

    The levels of images with 16 bits are measured here, over the training images only: a model
    must not depend on the others.

    Args:
        records: Of a scan.
        splits: train, validation, test or None by path, as `split.assign` returns them.
    """
    records = [record for record in records if splits.get(record.path)]
    training = [r.levels for r in records if r.levels and splits[r.path] == "train"]
    low = min((levels.low for levels in training), default=FULL.low)
    levels = Levels(low, max((levels.high for levels in training), default=FULL.high))
    return tuple(
        ImageRecord(
            r.path,
            r.label,
            splits[r.path],
            r.width,
            r.height,
            r.bytes,
            r.pixel_hash,
            levels if r.levels else None,
            r.group,
        )
        for r in sorted(records, key=attrgetter("path"))
    )


def manifest_levels(rows: Iterable[ImageRecord]) -> Levels | None:
    """Return the values that become 0 and 255 of images with 16 bits; None where there are none."""
    return next((row.levels for row in rows if row.levels), None)


def write_manifest(path: Path, rows: Iterable[ImageRecord]) -> None:
    """Write the rows, whole or not at all. Names that are not UTF-8 keep their bytes."""
    rows = list(rows)
    needed = {name for name in _OPTIONAL if any(getattr(row, name) for row in rows)}
    columns = [name for name in COLUMNS if name in needed or name not in _OPTIONAL]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(map(attrgetter(*columns), rows))
    write_atomic(path, text.getvalue())


def read_manifest(path: Path) -> list[ImageRecord]:
    """Read the rows of a manifest.

    Raises:
        UserError: It cannot be read, or is damaged; the message has the line.
    """
    number = 1
    try:
        with open_table(path) as file:
            reader = csv.reader(file, strict=True)
            columns = tuple(next(reader, ()))
            optional = tuple(name for name in _OPTIONAL if name in columns)
            if columns != (*_ALWAYS, *optional):
                raise ValueError(f"the columns are not {','.join(_ALWAYS)}")
            rows = []
            for cells in reader:
                number = reader.line_num
                rows.append(_row(cells, optional))
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, csv.Error) as error:
        raise damaged_at(path, number, error) from error
    return rows


def _row(cells: list[str], optional: tuple[str, ...]) -> ImageRecord:
    count = len(_ALWAYS) + len(optional)
    if len(cells) != count:
        raise ValueError(f"{len(cells)} columns, {count} expected")
    path, label, split, width, height, size, pixel_hash = cells[: len(_ALWAYS)]
    rest = dict(zip(optional, cells[len(_ALWAYS) :], strict=True))
    levels = rest.get("levels")
    if split not in SPLITS:
        raise ValueError(f"the split is {split!r}")
    check_pixel_hash(pixel_hash)
    if not (path and label):
        raise ValueError("path or label is missing")
    label, split = sys.intern(label), sys.intern(split)  # one string for all images
    scale = Levels.parse(levels) if levels else None
    sizes = _count(width), _count(height), _count(size)
    group = sys.intern(rest.get("group", ""))
    return ImageRecord(path, label, split, *sizes, pixel_hash, scale, group)


def _count(text: str) -> int:
    """Read digits; int() would take signs, underscores and digits of other scripts too."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise ValueError(f"{text!r} is not a count")
    return int(text)
