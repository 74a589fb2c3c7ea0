"""`corrections.csv`: labels that a person has set right, and images that are to be left out.

An entry names an image by the hash of its pixels, so that it holds wherever the file moves, and
for its copies too. The images themselves are never touched.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from workbench.datasets.names import examples, naturally, plain_label
from workbench.datasets.scan import Record
from workbench.datasets.store import find_folder
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.paths import Workspace
from workbench.text import one_of, plural, safe_text
from workbench.text_files import open_table

CORRECTIONS_NAME = "corrections.csv"
_HASH_DIGITS = 32
_MOST_BYTES = 64 * 1024 * 1024  # a few hundred thousand entries
_FORM = "It has the columns path,pixel_hash,label; an empty label leaves the image out."


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person said of an image.

    Attributes:
        path: where it lay then, for people; the hash decides.
        pixel_hash: as in `scan.Record`.
        label: the right one; "" leaves the image out.
    """

    path: str
    pixel_hash: str
    label: str


@dataclass(frozen=True)
class Corrected:
    """Records with corrections applied.

    Attributes:
        records: in their order, without those left out.
        notes: sentences: how many were applied, and which found no image.
    """

    records: list[Record]
    notes: tuple[str, ...]


_COLUMNS = [field.name for field in fields(Correction)]


def corrections_path(workspace: Workspace, source: str) -> Path:
    """Where the corrections of a source belong: data/<name>/corrections.csv.

    Raises:
        UserError: the source was never prepared in this workspace.
    """
    try:
        folder = find_folder(workspace, Path(source).expanduser().absolute()) if source else None
    except (ValueError, RuntimeError):  # a zero byte, or ~ of somebody who is not known
        folder = None
    if folder is None:
        raise UserError(
            f"The images {safe_text(source)} were never prepared in {safe_text(workspace.root)}, "
            "so there is no place for their corrections.",
            "Look through them once: workbench data scan PATH",
        )
    return folder / CORRECTIONS_NAME


def read_corrections(path: Path) -> list[Correction]:
    """The corrections of a file.

    Raises:
        UserError: it cannot be read or is damaged; the line is told.
    """
    number = 0  # of the last line that was read
    try:
        if not path.is_file():  # a pipe of that name would be waited for, a device never ends
            raise UserError(f"There is no file of corrections {safe_text(path)}.", _FORM)
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{safe_text(path)} is far too large to hold corrections.", _FORM)
        found: dict[str, Correction] = {}
        with open_table(path) as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            number = 1
            if header != _COLUMNS:
                raise ValueError(f"the columns are not {','.join(_COLUMNS)}")
            for cells in reader:
                number = reader.line_num
                one = _correction(cells)
                if found.setdefault(one.pixel_hash, one).label != one.label:
                    raise ValueError("the same pixels have another label above")
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(f"{safe_text(path)} cannot be read: {reason}.") from error
    except (ValueError, csv.Error) as error:
        line = number + isinstance(error, csv.Error)
        raise UserError(
            f"{safe_text(path)} is damaged at line {line}: {safe_text(error)}.", _FORM
        ) from error
    return list(found.values())


def known_corrections(path: Path) -> list[Correction]:
    """As `read_corrections`; none where there is no such file yet.

    Raises:
        UserError: it is there and cannot be read.
    """
    return read_corrections(path) if path.exists() else []


def write_corrections(path: Path, corrections: Iterable[Correction]) -> None:
    """Writes all of them, whole or not at all. Names that are no UTF-8 keep their bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows(astuple(one) for one in corrections)
    write_atomic(path, text.getvalue())


def amend(path: Path, changes: Sequence[Correction]) -> None:
    """Adds corrections to a file; one of the same pixels takes the place of the old one.

    Raises:
        UserError: the file is damaged.
        OSError: it cannot be written.
    """
    kept = {one.pixel_hash: one for one in known_corrections(path)}
    write_corrections(path, (kept | {one.pixel_hash: one for one in changes}).values())


def take_back(path: Path, hashes: Iterable[str]) -> None:
    """Removes corrections of these pixels from a file.

    Raises:
        UserError: the file is damaged.
        OSError: it cannot be written.
    """
    gone = set(hashes)
    write_corrections(path, [one for one in known_corrections(path) if one.pixel_hash not in gone])


def apply_corrections(records: Sequence[Record], corrections: Sequence[Correction]) -> Corrected:
    """Sets labels right and leaves images out; copies of an image go with it.

    Raises:
        UserError: a label is none of the data's, or all that is left has one label.
    """
    labels = naturally({record.label for record in records})
    by_pixels = {one.pixel_hash: one for one in corrections}
    for one in corrections:
        if one.label and one.label not in labels:
            raise UserError(
                f"The correction of {safe_text(one.path)} gives the label "
                f"{safe_text(repr(one.label))}, which the data does not have.",
                f"Allowed: {one_of([safe_text(label, 60) for label in labels])}.",
            )
    kept: list[Record] = []
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
        raise UserError("With these corrections no two labels are left to tell apart.")
    there = {record.pixel_hash for record in records if record.usable}
    missing = [one.path for one in corrections if one.pixel_hash not in there]
    return Corrected(kept, _notes(changed, left_out, missing))


def _notes(changed: int, left_out: int, missing: list[str]) -> tuple[str, ...]:
    notes = [
        f"Corrections: {plural(changed, 'image')} got another label, {left_out:,} left out of the "
        "data."
    ]
    if missing:
        are = "correction is of an image" if len(missing) == 1 else "corrections are of images"
        notes.append(f"{len(missing):,} {are} not in the data: {examples(missing)}.")
    return tuple(notes)


def _correction(cells: list[str]) -> Correction:
    if len(cells) != len(_COLUMNS):
        raise ValueError(f"{len(cells)} columns, {len(_COLUMNS)} expected")
    path, pixel_hash, label = cells
    if len(pixel_hash) != _HASH_DIGITS or set(pixel_hash) - set("0123456789abcdef"):
        raise ValueError(f"the hash is {pixel_hash!r}")
    if not path:
        raise ValueError("the path is missing")
    return Correction(path, pixel_hash, plain_label(label))
