"""`scan.jsonl`: the results of a scan.

A line that names the format, then a record a line; the last one of a path counts. Label and split
are not kept: they belong to the source.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

from workbench.datasets.images.sixteen_bit import Levels
from workbench.datasets.records import ScanRecord
from workbench.files import write_atomic

_FORMAT = 2  # another one is not read
_HEADER = json.dumps({"scan": _FORMAT}) + "\n"
_THUMBNAIL_BYTES = 16 * 16

_TYPES = {
    "path": str,
    "bytes": int,
    "modified_ns": int,
    "changed_ns": int,
    "inode": int,
    "ends": str,
    "width": int,
    "height": int,
    "format": str,
    "mode": str,
    "problem": str,
    "notes": list,
    "levels": str,
    "pixel_hash": str,
    "dhash": int,
    "thumbnail": str,
}
assert set(_TYPES) == {field.name for field in fields(ScanRecord)} - {"label", "split"}


def read_cache(path: Path) -> dict[str, ScanRecord]:
    """Return the records of earlier scans by path, without label and split.

    Torn or foreign lines are dropped, and the file is then rewritten.
    """
    known: dict[str, ScanRecord] = {}
    count = 0
    intact = path.exists()
    if intact:
        with path.open(encoding="ascii", errors="replace") as file:
            intact = file.readline() == _HEADER
            for line in file if intact else ():
                record = _from_line(line)
                if record is None:
                    intact = False
                else:
                    known[record.path] = record
                    count += 1
    if not intact or count > 2 * len(known):
        write_atomic(path, _HEADER + "".join(map(_to_line, known.values())))
    return known


@contextmanager
def append_records(
    path: Path, known: Mapping[str, ScanRecord]
) -> Iterator[Callable[[ScanRecord], None]]:
    """Open the file for a function that adds a record, unless it is known already."""
    with path.open("a", encoding="ascii", buffering=1) as file:

        def append(record: ScanRecord) -> None:
            record = replace(record, label="", split=None)
            if record != known.get(record.path):
                file.write(_to_line(record))

        yield append


def _to_line(record: ScanRecord) -> str:
    values = {name: getattr(record, name) for name in _TYPES} | {
        "thumbnail": record.thumbnail.hex(),
        "levels": record.levels and str(record.levels),
    }
    # Empty values are left out.
    kept = {name: value for name, value in values.items() if value not in ("", None, ())}
    return json.dumps(kept, separators=(",", ":")) + "\n"


def _from_line(line: str) -> ScanRecord | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(values, dict) and "path" in values and line.endswith("\n")):
        return None
    if not all(name in _TYPES and type(v) is _TYPES[name] for name, v in values.items()):
        return None
    for name in ("format", "mode"):  # one string for all images
        values[name] = sys.intern(values.get(name, ""))
    try:
        values["thumbnail"] = bytes.fromhex(values.get("thumbnail", ""))
        if "levels" in values:
            values["levels"] = Levels.parse(values["levels"])
    except ValueError:
        return None
    values["notes"] = tuple(values.get("notes", ()))
    record = ScanRecord(label="", split=None, **values)
    return record if _is_possible(record) else None


def _is_possible(record: ScanRecord) -> bool:
    """Check the values that later steps compute with: hash and thumbnail."""
    if record.dhash is None:
        return not record.thumbnail
    return 0 <= record.dhash < 1 << 64 and len(record.thumbnail) == _THUMBNAIL_BYTES
