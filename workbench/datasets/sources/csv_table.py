"""A CSV file with the label, and perhaps the split and the group, of each image."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.datasets.names import normalize_label, split_name
from workbench.datasets.sources.listing import SkippedFiles
from workbench.datasets.sources.source import GROUPS, Item, Source, SourceWarning
from workbench.errors import UserError
from workbench.files import ENCODING, cannot_read, is_wide, open_table
from workbench.messages import tr
from workbench.text import safe_text

_COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class", "category"),
    "split": ("split",),
    "group": ("group", "patient", "subject"),
}
_NEEDED = tr(
    "The first line names the columns: path (or file, filename, image), "
    "label (or class, category) and, if wanted, split and group (or patient, "
    "subject). Paths start at the folder of the CSV file."
)
_DELIMITERS = (",", ";", "\t")
_SHOWN_MISSING = 3
_MAX_HEADER = 1 << 20  # characters of the first line


@dataclass(frozen=True)
class _Header:
    delimiter: str
    columns: dict[str, int]  # "path", "label", "split", "group" -> position


def has_known_columns(path: Path) -> bool:
    """Return whether a CSV file's first line names a column of paths and one of labels.

    True for UTF-16 text too, so that reading it reports the encoding.
    """
    if not path.is_file():  # opening a pipe would block, reading a device never ends
        return False
    try:
        with path.open("rb") as file:
            start = file.read(_MAX_HEADER)
    except OSError:
        return False
    encoding = "utf-16" if is_wide(start) else ENCODING
    line = start.decode(encoding, "replace").partition("\n")[0]
    return _header(line.rstrip("\r")) is not None


def read_csv_table(path: Path, skipped: SkippedFiles) -> Source:
    """Return the images that a CSV file lists.

    A path may lead anywhere. Missing images stay in the list, and the scan reports them; a table
    without a single existing image is refused.

    Raises:
        UserError: The file cannot be read, its first line does not name the columns, or a line
            has a fault; the message has the number of the line.
    """
    items: dict[str, Item] = {}
    lines: dict[str, int] = {}
    for number, item in _rows(path):
        skipped.count()
        before = items.setdefault(item.path, item)
        if (before.label, before.split, before.group) != (item.label, item.split, item.group):
            raise _fault(
                path,
                number,
                tr(
                    "{item_path} was already given in line {lines} with another label, split "
                    "or group",
                    item_path=safe_text(item.path),
                    lines=lines[item.path],
                ),
            )
        lines.setdefault(item.path, number)
    if not items:
        raise UserError(tr("{path} lists no images.", path=safe_text(path)), _NEEDED)
    if not any(os.path.exists(path.parent / name) for name in items):  # noqa: PTH110 - never raises
        shown = "\n".join(
            f"line {lines[name]}: {safe_text(path.parent / name)}"
            for name in list(items)[:_SHOWN_MISSING]
        )
        raise UserError(
            tr(
                "None of the {items_count:,} images that {path} lists exists:\n{shown}",
                items_count=len(items),
                path=safe_text(path),
                shown=shown,
            ),
            tr("Paths start at the folder of the CSV file."),
        )
    _refuse_half_a_split(path, items, lines)
    found = tuple(items.values())
    if len(found) > 1 and len({item.group for item in found}) == 1 and found[0].group:
        skipped.warnings.append(SourceWarning(GROUPS, _one_group(found[0].group)))
        found = tuple(replace(item, group="") for item in found)
    return Source(path.parent, "csv", found)


def _one_group(name: str) -> str:
    return tr(
        "All images have the same group, {name}, so the column of groups is not used.",
        name=safe_text(name, 60),
    )


def _rows(path: Path) -> Iterator[tuple[int, Item]]:
    number = 1
    try:
        with open_table(path) as file:
            first = file.readline(_MAX_HEADER)
            header = _header(first)
            if header is None:
                raise UserError(
                    tr(
                        "{path}: the first line names no column of paths or none of labels: "
                        "{first!r}.",
                        path=safe_text(path),
                        first=safe_text(first.rstrip()),
                    ),
                    _NEEDED,
                )
            reader = csv.reader(file, delimiter=header.delimiter, strict=True)
            for row in reader:
                number = reader.line_num + 1
                if any(cell.strip() for cell in row):
                    yield number, _item(path, number, row, header.columns)
    except OSError as error:
        raise cannot_read(path, error) from error
    except csv.Error as error:
        raise _fault(
            path, number + 1, tr("it is not CSV ({error})", error=safe_text(error))
        ) from error


def _item(path: Path, number: int, row: list[str], columns: dict[str, int]) -> Item:
    cells = {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
    for name in ("path", "label"):
        if not cells[name]:
            raise _fault(path, number, tr("the {name} is missing", name=name))
    for name, cell in cells.items():
        if "\0" in cell:
            raise _fault(path, number, tr("the {name} holds a zero byte", name=name))
    split = cells.get("split", "")
    if split and split_name(split) is None:
        raise _fault(
            path,
            number,
            tr(
                "the split is {split!r}; allowed are train, validation and test",
                split=safe_text(split),
            ),
        )
    return Item(
        os.path.normpath(cells["path"]),
        normalize_label(cells["label"]),
        split_name(split),
        cells.get("group", ""),
    )


def _header(line: str) -> _Header | None:
    for delimiter in _DELIMITERS:
        try:
            found = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        cells = [cell.strip().lower() for cell in found]
        columns = {
            meaning: cells.index(name)
            for meaning, names in _COLUMNS.items()
            for name in reversed(names)
            if name in cells
        }
        if "path" in columns and "label" in columns:
            return _Header(delimiter, columns)
    return None


def _refuse_half_a_split(path: Path, items: dict[str, Item], lines: dict[str, int]) -> None:
    without = [lines[name] for name, item in items.items() if item.split is None]
    if without and len(without) < len(items):
        raise _fault(path, without[0], tr("the split is missing; other lines have one"))


def _fault(path: Path, number: int, what: str) -> UserError:
    return UserError(f"{safe_text(path)}, line {number}: {what}.", _NEEDED)
