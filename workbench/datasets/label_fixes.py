"""`corrections.csv`: labels fixed by a person, and images to leave out.

A label fix identifies an image by the hash of its pixels, so that it survives moved files and
applies to copies too. The images themselves are never touched.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from workbench.datasets.manifest import ScanRecord, check_pixel_hash
from workbench.datasets.names import format_examples, natural_sorted, normalize_label
from workbench.datasets.store import find_folder
from workbench.errors import UserError
from workbench.files import cannot_read, damaged_at, open_table, write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import format_choices, plural, safe_text

LABEL_FIXES_NAME = "corrections.csv"
_MAX_BYTES = 64 * 1024 * 1024  # a few hundred thousand entries
_FORMAT = tr("It has the columns path,pixel_hash,label; an empty label leaves the image out.")


@dataclass(frozen=True, slots=True)
class LabelFix:
    """A new label for an image, or its removal.

    Attributes:
        path: Where it was then, for people; the hash decides.
        pixel_hash: as in `ScanRecord`.
        label: The right one; "" leaves the image out.
    """

    path: str
    pixel_hash: str
    label: str


@dataclass(frozen=True)
class FixedRecords:
    """Records with label fixes applied.

    Attributes:
        records: In their order, without those left out.
        notes: Sentences: how many fixes were applied, and which match no image.
    """

    records: list[ScanRecord]
    notes: tuple[str, ...]


_COLUMNS = [field.name for field in fields(LabelFix)]


def label_fixes_path(workspace: Workspace, source: str) -> Path:
    """Return the file of a source's label fixes: data/<name>/corrections.csv.

    Raises:
        UserError: The source was never prepared in this workspace.
    """
    try:
        folder = find_folder(workspace, Path(source).expanduser().absolute()) if source else None
    except (ValueError, RuntimeError):  # a zero byte, or ~ of an unknown user
        folder = None
    if folder is None:
        raise UserError(
            tr(
                "The images {source} were never prepared in {root}, so there is no "
                "place for label fixes.",
                source=safe_text(source),
                root=safe_text(workspace.root),
            ),
            tr("Scan them once: workbench data scan PATH"),
        )
    return folder / LABEL_FIXES_NAME


def read_label_fixes(path: Path) -> list[LabelFix]:
    """Read the label fixes of a file.

    Raises:
        UserError: It cannot be read, or is damaged; the message has the line.
    """
    number = 0  # of the last line that was read
    try:
        if not path.is_file():  # opening a pipe would block, reading a device never ends
            raise UserError(
                tr("There is no file of label fixes {path}.", path=safe_text(path)), _FORMAT
            )
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(
                tr("{path} is far too large for label fixes.", path=safe_text(path)), _FORMAT
            )
        found: dict[str, LabelFix] = {}
        with open_table(path) as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            number = 1
            if header != _COLUMNS:
                raise ValueError(f"the columns are not {','.join(_COLUMNS)}")
            for cells in reader:
                number = reader.line_num
                one = _label_fix(cells)
                if found.setdefault(one.pixel_hash, one).label != one.label:
                    raise ValueError("the same pixels have another label above")
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, csv.Error) as error:
        line = number + isinstance(error, csv.Error)
        raise damaged_at(path, line, error, _FORMAT) from error
    return list(found.values())


def existing_label_fixes(path: Path) -> list[LabelFix]:
    """Like `read_label_fixes`, but return [] where there is no such file yet.

    Raises:
        UserError: It exists and cannot be read.
    """
    return read_label_fixes(path) if path.exists() else []


def write_label_fixes(path: Path, fixes: Iterable[LabelFix]) -> None:
    """Write label fixes, whole or not at all. Names that are not UTF-8 keep their bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows(astuple(one) for one in fixes)
    write_atomic(path, text.getvalue())


def add_label_fixes(path: Path, changes: Sequence[LabelFix]) -> None:
    """Add label fixes to a file; one of the same pixels replaces the old one.

    Raises:
        UserError: The file is damaged.
        OSError: It cannot be written.
    """
    kept = {one.pixel_hash: one for one in existing_label_fixes(path)}
    write_label_fixes(path, (kept | {one.pixel_hash: one for one in changes}).values())


def remove_label_fixes(path: Path, hashes: Iterable[str]) -> None:
    """Remove the label fixes of these pixels from a file.

    Raises:
        UserError: The file is damaged.
        OSError: It cannot be written.
    """
    gone = set(hashes)
    write_label_fixes(
        path, [one for one in existing_label_fixes(path) if one.pixel_hash not in gone]
    )


def apply_label_fixes(records: Sequence[ScanRecord], fixes: Sequence[LabelFix]) -> FixedRecords:
    """Change labels and leave images out, copies included.

    Raises:
        UserError: A label does not exist in the data, or only one label is left.
    """
    labels = natural_sorted({record.label for record in records})
    by_pixels = {one.pixel_hash: one for one in fixes}
    for one in fixes:
        if one.label and one.label not in labels:
            raise UserError(
                tr(
                    "The label fix of {one_path} gives the label {one_label}, which the "
                    "data does not have.",
                    one_path=safe_text(one.path),
                    one_label=safe_text(repr(one.label)),
                ),
                tr(
                    "Allowed: {labels}.",
                    labels=format_choices([safe_text(label, 60) for label in labels]),
                ),
            )
    kept: list[ScanRecord] = []
    changed = left_out = 0
    for record in records:
        found = by_pixels.get(record.pixel_hash) if record.usable else None
        if found is None:
            kept.append(record)
        elif found.label:
            changed += found.label != record.label
            kept.append(replace(record, label=found.label))
        else:
            left_out += 1
    if len({record.label for record in kept}) < min(2, len(labels)):
        raise UserError(tr("With these label fixes fewer than two labels are left."))
    there = {record.pixel_hash for record in records if record.usable}
    missing = [one.path for one in fixes if one.pixel_hash not in there]
    return FixedRecords(kept, _notes(changed, left_out, missing))


def _notes(changed: int, left_out: int, missing: list[str]) -> tuple[str, ...]:
    notes = [
        tr(
            "Label fixes: {images} got another label, {left_out:,} left out of the data.",
            images=plural(changed, "image"),
            left_out=left_out,
        )
    ]
    if missing:
        are = (
            tr("label fix is of an image") if len(missing) == 1 else tr("label fixes are of images")
        )
        notes.append(
            tr(
                "{missing_count:,} {are} not in the data: {examples}.",
                missing_count=len(missing),
                are=are,
                examples=format_examples(missing),
            )
        )
    return tuple(notes)


def _label_fix(cells: list[str]) -> LabelFix:
    if len(cells) != len(_COLUMNS):
        raise ValueError(f"{len(cells)} columns, {len(_COLUMNS)} expected")
    path, pixel_hash, label = cells
    check_pixel_hash(pixel_hash)
    if not path:
        raise ValueError("the path is missing")
    return LabelFix(path, pixel_hash, normalize_label(label))
