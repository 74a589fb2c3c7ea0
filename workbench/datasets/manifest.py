"""`manifest.csv`: which image is in which split, with labels and hashes."""

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

from workbench.datasets.deep import FULL, Levels
from workbench.datasets.names import SPLITS
from workbench.datasets.scan import Record
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.text import safe_text
from workbench.text_files import open_table

MANIFEST_NAME = "manifest.csv"
_HASH_DIGITS = 32
_MOST_DIGITS = 18  # of a number


@dataclass(frozen=True, slots=True)
class Row:
    """An image of the manifest; see `scan.Record` for most fields.

    Attributes:
        levels: the values that become 0 and 255, where the image has 16 bits a channel; the same
            for all images of a data set. None for 8 bits, and in manifests of older versions.
    """

    path: str
    label: str
    split: str
    width: int
    height: int
    bytes: int
    pixel_hash: str
    levels: Levels | None = None


COLUMNS = tuple(field.name for field in fields(Row))
_OF_8_BITS = COLUMNS[:-1]  # where no image has more


def make_rows(records: Sequence[Record], splits: dict[str, str | None]) -> tuple[Row, ...]:
    """Rows of the images that have a split, sorted by path.

    The levels of images with 16 bits are measured here, over the training images alone: what the
    others hold must not be known to a model.

    Args:
        splits: train, validation, test or None by path, as `split.assign` gives them.
    """
    training = [r.levels for r in records if r.levels and splits.get(r.path) == "train"]
    low = min((levels.low for levels in training), default=FULL.low)
    levels = Levels(low, max((levels.high for levels in training), default=FULL.high))
    return tuple(
        Row(
            r.path,
            r.label,
            split,
            r.width,
            r.height,
            r.bytes,
            r.pixel_hash,
            levels if r.levels else None,
        )
        for r in sorted(records, key=lambda record: record.path)
        if (split := splits.get(r.path))
    )


def levels_of(rows: Iterable[Row]) -> Levels | None:
    """What becomes 0 and 255 of images with 16 bits a channel; None where there are none."""
    return next((row.levels for row in rows if row.levels), None)


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Writes the rows whole or not at all. Names that are no UTF-8 keep their bytes."""
    rows = list(rows)
    columns = COLUMNS if levels_of(rows) else _OF_8_BITS
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(map(attrgetter(*columns), rows))
    write_atomic(path, text.getvalue())


def read_manifest(path: Path) -> list[Row]:
    """The rows of a manifest.

    Raises:
        UserError: it cannot be read or is damaged; the line is told.
    """
    number = 1
    try:
        with open_table(path) as file:
            reader = csv.reader(file, strict=True)
            columns = tuple(next(reader, ()))
            if columns not in (COLUMNS, _OF_8_BITS):
                raise ValueError(f"the columns are not {','.join(_OF_8_BITS)}")
            rows = []
            for cells in reader:
                number = reader.line_num
                rows.append(_row(cells, len(columns)))
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(f"{safe_text(path)} cannot be read: {reason}.") from error
    except (ValueError, csv.Error) as error:
        raise UserError(
            f"{safe_text(path)} is damaged at line {number}: {safe_text(error)}."
        ) from error
    return rows


def _row(cells: list[str], columns: int) -> Row:
    if len(cells) != columns:
        raise ValueError(f"{len(cells)} columns, {columns} expected")
    path, label, split, width, height, size, pixel_hash, levels = [*cells, ""][: len(COLUMNS)]
    if split not in SPLITS:
        raise ValueError(f"the split is {split!r}")
    if len(pixel_hash) != _HASH_DIGITS or set(pixel_hash) - set("0123456789abcdef"):
        raise ValueError(f"the hash is {pixel_hash!r}")
    if not (path and label):
        raise ValueError("path or label is missing")
    label, split = sys.intern(label), sys.intern(split)  # one string for all images
    scale = Levels.parse(levels) if levels else None
    sizes = _count(width), _count(height), _count(size)
    return Row(path, label, split, *sizes, pixel_hash, scale)


def _count(text: str) -> int:
    """Digits alone: int() would take signs, underscores and digits of other scripts too."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise ValueError(f"{text!r} is no count")
    return int(text)
