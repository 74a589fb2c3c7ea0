"""Records of sweeps: a file beside the folders of the runs for each sweep, by name and kind.

A ladder sweeps over strategies, a sweep over values of the spec; `tune` keeps trials that made no
run. All share one set of names, so that a name alone finds its record. Whoever changes a record
holds its lock.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.datasets.names import natural_sort_key
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import MAX_STEM_LENGTH, NAME_PATTERN, safe_stem
from workbench.runs.lock import hold_lock
from workbench.text import plural, safe_text
from workbench.words import shown

LADDER, SWEEP, TUNE = "ladder", "sweep", "tune"
KINDS = (LADDER, SWEEP, TUNE)
FORMAT = 2  # 1: ladders whose runs were all made at once
_START = {
    LADDER: "workbench ladder --data DIR",
    SWEEP: "workbench sweep spec.toml --vary training.learning_rate=1e-4,1e-3",
    TUNE: "workbench tune spec.toml",
}


@dataclass(frozen=True, order=True)
class SweepRecord:
    """Name and kind of a record."""

    name: str
    kind: str


def list_records(workspace: Workspace, *kinds: str) -> list[SweepRecord]:
    """Return the workspace's records by name, 2 before 10; of all kinds if none is given."""
    if not workspace.runs.is_dir():
        return []
    found = []
    for path in workspace.runs.iterdir():
        name, dot, kind = path.name.removesuffix(".json").rpartition(".")
        if dot and kind in (kinds or KINDS) and path.suffix == ".json":
            found.append(SweepRecord(name, kind))
    named = [one for one in found if NAME_PATTERN.fullmatch(one.name)]
    return sorted(named, key=lambda one: (natural_sort_key(one.name), one.kind))


def count_sweeps(count: int, kind: str) -> str:
    """Return a number of records of one kind with its noun: 2 ladders."""
    if kind == LADDER:
        return plural(count, "ladder")
    return plural(count, "tune") if kind == TUNE else plural(count, "sweep")


def list_names(workspace: Workspace, *kinds: str) -> list[str]:
    """Return the names of the records of some kinds, in the order of `list_records`."""
    return [record.name for record in list_records(workspace, *kinds)]


def find_record(workspace: Workspace, name: str, *kinds: str) -> SweepRecord:
    """Return the record of that name, of one of the kinds.

    Raises:
        UserError: There is none.
    """
    records = list_records(workspace, *kinds)
    for record in records:
        if record.name == name:
            return record
    kind = kinds[0]
    raise UserError(
        tr(
            "There is no {kind} {name} in {runs}.",
            kind=shown(kind),
            name=safe_text(repr(name)),
            runs=safe_text(workspace.runs),
        ),
        tr("There are: {names}", names=", ".join(record.name for record in records))
        if records
        else tr("Start one: {command}", command=_START[kind]),
    )


def record_path(workspace: Workspace, record: SweepRecord) -> Path:
    """Return the file of a record."""
    return workspace.runs / f"{record.name}.{record.kind}.json"


def read_record(workspace: Workspace, record: SweepRecord) -> dict[str, Any]:
    """Read a record's tables.

    Raises:
        UserError: It is damaged, or gone.
    """
    path = record_path(workspace, record)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise TypeError("not a table")
    except (OSError, ValueError, TypeError) as error:
        raise damaged(path, error) from None
    return found


def damaged(path: Path, error: Exception) -> UserError:
    """Return the error for a record that cannot be read."""
    return UserError(
        tr("{path} is damaged: {error}.", path=safe_text(path), error=safe_text(error)),
        tr("The runs themselves are untouched: workbench runs"),
    )


def write_record(workspace: Workspace, record: SweepRecord, tables: Mapping[str, Any]) -> None:
    """Replace a record; only the holder of its lock may.

    Raises:
        OSError: The disk cannot be written.
    """
    content = json.dumps({"format": FORMAT, **tables}, indent=1)
    write_atomic(record_path(workspace, record), content)


@contextmanager
def record_lock(workspace: Workspace, record: SweepRecord) -> Iterator[None]:
    """Hold the lock of a record, which the end of this process frees too.

    Raises:
        UserError: The file system has no locks.
        OSError: The disk cannot be written.
    """
    with hold_lock(workspace.runs / f".{record.name}.{record.kind}.lock"):
        yield


def create_record(
    workspace: Workspace, kind: str, name: str | None, data: str, tables: Mapping[str, Any]
) -> SweepRecord:
    """Write a new record.

    Args:
        workspace: Where it is created.
        kind: Of `KINDS`.
        name: None for the data's name, the kind and the next free number.
        data: A short name of the images.
        tables: Its content.

    Raises:
        UserError: The name is taken or invalid.
        OSError: The disk cannot be written; nothing of the record remains.
    """
    workspace.runs.mkdir(parents=True, exist_ok=True)
    record = _reserve(workspace, kind, name, data)
    try:
        write_record(workspace, record, tables)
    except BaseException:
        record_path(workspace, record).unlink(missing_ok=True)
        raise
    return record


def _reserve(workspace: Workspace, kind: str, name: str | None, data: str) -> SweepRecord:
    """Create an empty record; another process may take a number first."""
    if name is not None:
        _check_name(kind, name)
        record = SweepRecord(name, kind)
        taken = next((one for one in list_records(workspace) if one.name == name), None)
        if taken or not _create(record_path(workspace, record)):
            kind = taken.kind if taken else kind
            raise UserError(
                tr("There is a {kind} {name} already.", kind=shown(kind), name=name),
                tr(
                    "Its table: workbench {command} {name}",
                    command=LADDER if kind == LADDER else SWEEP,
                    name=name,
                ),
            )
        return record
    stem = f"{safe_stem(data)[: MAX_STEM_LENGTH - len(kind) - 1]}-{kind}"
    taken_names = set(list_names(workspace))
    for number in itertools.count(1):
        record = SweepRecord(f"{stem}-{number}", kind)
        if record.name not in taken_names and _create(record_path(workspace, record)):
            return record
    raise AssertionError("there is always a next number")


def _check_name(kind: str, name: str) -> None:
    if not NAME_PATTERN.fullmatch(name):
        raise UserError(
            tr(
                "{name} cannot be a {kind}'s name; allowed: up to 64 letters, "
                "digits, dots, dashes and underscores, beginning with a letter or "
                "digit.",
                name=safe_text(repr(name)),
                kind=shown(kind),
            )
        )


def _create(path: Path) -> bool:
    """Create the file; return False if it exists."""
    try:
        path.open("x").close()
    except FileExistsError:
        return False
    return True
