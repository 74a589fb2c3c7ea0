"""`manifest.csv`: which image is in which split, with labels and hashes."""

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path

from workbench.datasets.names import SPLITS
from workbench.datasets.scan import Record
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.text import safe_text

MANIFEST_NAME = "manifest.csv"
_HASH_DIGITS = 32
_MOST_DIGITS = 18  # of a number


@dataclass(frozen=True, slots=True)
class Row:
    """An image of the manifest; see `scan.Record` for the fields."""

    path: str
    label: str
    split: str
    width: int
    height: int
    bytes: int
    pixel_hash: str


COLUMNS = tuple(field.name for field in fields(Row))


def make_rows(records: Sequence[Record], splits: dict[str, str | None]) -> tuple[Row, ...]:
    """Rows of the images that have a split, sorted by path.

    Args:
        splits: train, validation, test or None by path, as `split.assign` gives them.
    """
    return tuple(
        Row(r.path, r.label, split, r.width, r.height, r.bytes, r.pixel_hash)
        for r in sorted(records, key=lambda record: record.path)
        if (split := splits.get(r.path))
    )


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Writes the rows whole or not at all. Names that are no UTF-8 keep their bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(map(attrgetter(*COLUMNS), rows))
    write_atomic(path, text.getvalue())


def read_manifest(path: Path) -> list[Row]:
    """The rows of a manifest.

    Raises:
        UserError: it cannot be read or is damaged; the line is told.
    """
    number = 1
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, strict=True)
            if next(reader, None) != list(COLUMNS):
                raise ValueError(f"the columns are not {','.join(COLUMNS)}")
            rows = []
            for cells in reader:
                number = reader.line_num
                rows.append(_row(cells))
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(f"{safe_text(path)} cannot be read: {reason}.") from error
    except (ValueError, csv.Error) as error:
        raise UserError(
            f"{safe_text(path)} is damaged at line {number}: {safe_text(error)}."
        ) from error
    return rows


def _row(cells: list[str]) -> Row:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{len(cells)} columns, {len(COLUMNS)} expected")
    path, label, split, width, height, size, pixel_hash = cells
    if split not in SPLITS:
        raise ValueError(f"the split is {split!r}")
    if len(pixel_hash) != _HASH_DIGITS or set(pixel_hash) - set("0123456789abcdef"):
        raise ValueError(f"the hash is {pixel_hash!r}")
    if not (path and label):
        raise ValueError("path or label is missing")
    label, split = sys.intern(label), sys.intern(split)  # one string for all images
    return Row(path, label, split, _count(width), _count(height), _count(size), pixel_hash)


def _count(text: str) -> int:
    """Digits alone: int() would take signs, underscores and digits of other scripts too."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise ValueError(f"{text!r} is no count")
    return int(text)
