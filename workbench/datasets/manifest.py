"""`manifest.csv`: the images of a data set with their labels, splits and hashes."""

import csv
import io
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

from workbench.datasets.images.sixteen_bit import FULL, Levels
from workbench.datasets.names import SPLITS
from workbench.datasets.records import ImageRecord, check_pixel_hash
from workbench.errors import UserError
from workbench.files import cannot_read, open_table, write_atomic
from workbench.text import safe_text

MANIFEST_NAME = "manifest.csv"
_MAX_DIGITS = 18  # of a number
COLUMNS = tuple(field.name for field in fields(ImageRecord))
_COLUMNS_8_BIT = COLUMNS[:-1]  # where no image has more


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
        )
        for r in sorted(records, key=attrgetter("path"))
    )


def manifest_levels(rows: Iterable[ImageRecord]) -> Levels | None:
    """Return the values that become 0 and 255 of images with 16 bits; None where there are none."""
    return next((row.levels for row in rows if row.levels), None)


def write_manifest(path: Path, rows: Iterable[ImageRecord]) -> None:
    """Write the rows, whole or not at all. Names that are no UTF-8 keep their bytes."""
    rows = list(rows)
    columns = COLUMNS if manifest_levels(rows) else _COLUMNS_8_BIT
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
            if columns not in (COLUMNS, _COLUMNS_8_BIT):
                raise ValueError(f"the columns are not {','.join(_COLUMNS_8_BIT)}")
            rows = []
            for cells in reader:
                number = reader.line_num
                rows.append(_row(cells, len(columns)))
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, csv.Error) as error:
        raise UserError(
            f"{safe_text(path)} is damaged at line {number}: {safe_text(error)}."
        ) from error
    return rows


def _row(cells: list[str], columns: int) -> ImageRecord:
    if len(cells) != columns:
        raise ValueError(f"{len(cells)} columns, {columns} expected")
    path, label, split, width, height, size, pixel_hash, levels = [*cells, ""][: len(COLUMNS)]
    if split not in SPLITS:
        raise ValueError(f"the split is {split!r}")
    check_pixel_hash(pixel_hash)
    if not (path and label):
        raise ValueError("path or label is missing")
    label, split = sys.intern(label), sys.intern(split)  # one string for all images
    scale = Levels.parse(levels) if levels else None
    sizes = _count(width), _count(height), _count(size)
    return ImageRecord(path, label, split, *sizes, pixel_hash, scale)


def _count(text: str) -> int:
    """Read digits; int() would take signs, underscores and digits of other scripts too."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise ValueError(f"{text!r} is no count")
    return int(text)
