"""What the logs of ended runs said, for the next time: a file for each workspace in the cache.

A log is read whole for one row of a table, which takes seconds for a thousand runs. So the history
of a run that has ended is kept with its spec, beside the stamps of the files that both came from: a
run whose files have other stamps is read again. Neither the state of a run, which depends on the
day, nor its tags and notes are kept. Layers and confusions are left in the log, from which
they are read when something asks for them.

The file has a line that names its form, then one for each run: a checksum, the run's name and its
content, both as JSON. What does not fit is not used.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from workbench import __version__
from workbench.files import write_atomic
from workbench.messages import current_language
from workbench.paths import Workspace, cache_folder
from workbench.runs.event_log import LogPosition
from workbench.runs.events import (
    KINDS,
    ChosenGpu,
    CrossValidated,
    EpochFinished,
    Event,
    LayersChecked,
    Notice,
    StageFinished,
    StageStarted,
    ValidationConfusion,
    make_event,
    newest_by_stage,
    parse_event,
)
from workbench.runs.fields import Position, read_later
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, StageRow

FORM = 2  # changes when the same log makes another history
# Runs that may be missing before the file is written again, as a share of those in it.
SPARE = 0.01
# Parts of a history: single events, events by their stage, positions in the plan.
_EVENTS = ("worker", "data", "work", "progress", "evaluation", "machine")
_WITH_STAGE: dict[str, Any] = {"layers": LayersChecked, "cross_validated": CrossValidated}
_POSITIONS = ("checkpoint", "last_position")

E = TypeVar("E", StageStarted, LayersChecked)
Stamp = tuple[int, ...] | None  # inode, bytes and time of a file; None without it


@dataclass(frozen=True)
class Stamps:
    """Of the files that history and spec of a run come from, when they were read."""

    log: Stamp = None
    spec: Stamp = None
    status: Stamp = None


@dataclass(frozen=True)
class ReadRun:
    """A run as its files were read.

    Attributes:
        history: of all events in the log; the status adds nothing to it.
        spec: its TOML tables, unchecked.
        position: up to which the log was read: its end.
        stamps: of the files.
    """

    history: History
    spec: dict[str, Any]
    position: LogPosition
    stamps: Stamps


def stamp_of(path: Path) -> Stamp:
    """Return what changes when a file is replaced or written."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class ViewCache:
    """The ended runs of a workspace as they were read.

    A file that is missing, damaged or of another version holds nothing, and where none can be
    written every run is read the next time.
    """

    def __init__(self, workspace: Workspace) -> None:
        # Of each language, because notices in a history are translated.
        identity = f"{workspace.runs.absolute()}\0{current_language()}"
        name = blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        self.path = cache_folder() / f"runs-{name}.jsonl"
        self._unread: dict[str, bytes] | None = None  # lines of runs that nobody asked for yet
        self._kept: set[str] = set()  # names of the runs in the file that were used

    def find(self, folder: RunFolder) -> ReadRun | None:
        """Return a run if its files are as they were; None if it has to be read."""
        if self._unread is None:
            self._unread = self._read_lines()
        line = self._unread.pop(folder.name, None)
        found = _decode(line, folder) if line else None
        if found is None or found.stamps != _stamps_of(folder):
            return None
        self._kept.add(folder.name)
        return found

    def is_current(self, ended: Set[str]) -> bool:
        """Return whether the file has nearly all of these runs, and no others."""
        missing = len(ended - self._kept)
        return not self._unread and self._kept <= ended and missing <= SPARE * len(self._kept)

    def keep(self, ended: Mapping[str, ReadRun | None]) -> None:
        """Write the file again with these runs by name, without those that are None."""
        lines = {name: line for name, line in self._read_lines().items() if name in self._kept}
        written = [lines.get(name) or _encode(name, run) for name, run in ended.items() if run]
        self._unread, self._kept = {}, set(ended)
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            content = b"\n".join([_head(), *filter(None, written)])
            write_atomic(self.path, content, synced=False)

    def _read_lines(self) -> dict[str, bytes]:
        """Return the undamaged lines by name; {} where the file cannot be used."""
        try:
            head, *lines = self.path.read_bytes().split(b"\n")
        except OSError:
            return {}
        found = {}
        for line in lines if head == _head() else ():
            checksum, _, rest = line.partition(b" ")
            if checksum == _checksum(rest):
                with suppress(ValueError):
                    found[str(json.loads(rest.partition(b"\t")[0]))] = line
        return found


def _head() -> bytes:
    """Return what has to be the same for a file to be used: the version, and all fields."""
    kinds = (History, StageRow, ChosenGpu, Position, *KINDS.values())
    names = [[one.name for one in dataclasses.fields(kind)] for kind in kinds]
    form = {"form": FORM, "version": __version__, "fields": crc32(json.dumps(names).encode())}
    return json.dumps(form).encode()


def _stamps_of(folder: RunFolder) -> Stamps:
    return Stamps(*map(stamp_of, (folder.events_path, folder.spec_path, folder.status_path)))


def _checksum(content: bytes) -> bytes:
    return b"%08x" % crc32(content)


def _encode(name: str, run: ReadRun) -> bytes | None:
    """Return the line of a run; None if its spec has what JSON has not, such as a date."""
    position = [run.position.offset, run.position.head.decode("latin-1")]
    content = [dataclasses.astuple(run.stamps), position, run.spec, _plain(run.history)]
    try:
        line = f"{json.dumps(name)}\t{json.dumps(content)}".encode()
    except (TypeError, ValueError):
        return None
    return _checksum(line) + b" " + line


def _decode(line: bytes, folder: RunFolder) -> ReadRun | None:
    try:
        stamps, (offset, head), spec, history = json.loads(line.partition(b"\t")[2])
        return ReadRun(
            _history(history, folder.events_path),
            spec,
            LogPosition(offset, head.encode("latin-1")),
            Stamps(*(stamp and tuple(stamp) for stamp in stamps)),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _plain(history: History) -> dict[str, Any]:
    """Return a history as plain values, without layers and confusions."""
    plain = dict(vars(history))
    for name in _EVENTS:
        plain[name] = plain[name] and plain[name].as_dict()
    for name in _POSITIONS:
        plain[name] = plain[name] and dataclasses.astuple(plain[name])
    for name in _WITH_STAGE:
        plain[name] = [event.as_dict(without="layers") for event in plain[name].values()]
    rows = [(row.started, row.end) for row in plain["stages"].values()]
    plain["stages"] = [
        (started.as_dict(without="layers"), end and end.as_dict()) for started, end in rows
    ]
    plain["epochs"] = [
        tuple(epoch.as_dict(without="val_confusion").values()) for epoch in plain["epochs"]
    ]
    plain["notices"] = [notice.as_dict() for notice in plain["notices"]]
    plain["gpu"] = plain["gpu"] and plain["gpu"].as_dict()
    plain["other_gpus"] = [gpu.as_dict() for gpu in plain["other_gpus"]]
    return plain


def _history(plain: dict[str, Any], log: Path) -> History:
    """Return the history that `_plain` was made of.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: It was not.
    """
    for name in _EVENTS:
        plain[name] = plain[name] and make_event(plain[name])
    for name in _POSITIONS:
        plain[name] = plain[name] and Position(*plain[name])
    for name, kind in _WITH_STAGE.items():
        plain[name] = {event.stage: event for event in map(kind.read, plain[name])}
    rows = [
        StageRow(StageStarted.read(started), end and StageFinished.read(end))
        for started, end in plain["stages"]
    ]
    plain["stages"] = {row.index: row for row in rows}
    plain["epochs"] = [
        EpochFinished.restored(epoch, without="val_confusion") for epoch in plain["epochs"]
    ]
    plain["notices"] = list(map(Notice.read, plain["notices"]))
    plain["gpu"] = plain["gpu"] and ChosenGpu.read(plain["gpu"])
    plain["other_gpus"] = tuple(map(ChosenGpu.read, plain["other_gpus"]))
    plain["counted"] = plain["counted"] and tuple(plain["counted"])
    for event in (*(row.started for row in rows), *plain["layers"].values()):
        read_later(event, "layers", partial(_layers_in, log, type(event), event.stage))
    confusions = cache(partial(_confusions_in, log))  # once for all epochs
    for epoch in plain["epochs"]:
        read_later(epoch, "val_confusion", partial(_confusion_of, confusions, epoch))
    return History(**plain)


def _confusions_in(log: Path) -> dict[tuple[int, int], ValidationConfusion | None]:
    """Return the newest confusion in a log by stage and epoch; {} if the log is gone."""
    return {
        (event.stage, event.epoch): event.val_confusion
        for event in _events_with("val_confusion", log)
        if isinstance(event, EpochFinished)
    }


def _confusion_of(
    confusions: Callable[[], Mapping[tuple[int, int], ValidationConfusion | None]],
    epoch: EpochFinished,
) -> ValidationConfusion | None:
    return confusions().get((epoch.stage, epoch.epoch))


def _layers_in(log: Path, kind: type[E], stage: int) -> tuple[Any, ...]:
    """Return the layers in the newest event of a kind for a stage; () if the log is gone."""
    found = newest_by_stage(_events_with("layers", log), kind)
    return found[stage].layers if stage in found else ()


def _events_with(field: str, log: Path) -> list[Event]:
    """Return the events in a log that have a field; [] if the log is gone."""
    name = f'"{field}"'.encode()
    try:
        with log.open("rb") as file:
            return list(filter(None, (parse_event(line) for line in file if name in line)))
    except OSError:
        return []
