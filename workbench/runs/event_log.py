"""The event log of a run, and its status: how they are written and read.

The log is history: one write a line, numbered over all sessions. What counts only while it is new
replaces what was there before: status.json holds the newest progress and the newest sample of the
machine, and is replaced atomically at most twice a second. The `n` of an event in it is the number
of the newest event in the log when it was made, so that a reader knows which of them is over.
"""

import json
import math
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.files import write_atomic
from workbench.runs.events import (
    SCHEMA,
    Event,
    MachineSample,
    StepProgress,
    Work,
    make_event,
    parse_event,
)
from workbench.runs.schema1 import parse_lines

# Synced when written, before the next checkpoint: no power cut leaves a checkpoint whose history
# is missing.
SYNCED = frozenset(
    {"resumed", "epoch_finished", "stage_finished", "evaluated", "stopped", "failed", "finished"}
)
_TAIL_BYTES = 1 << 16  # read first to find the newest number: many events
CHUNK_BYTES = 1 << 18  # read at most in one call; more would not stay in a core's cache
MAX_LINE_BYTES = 16 << 20  # a longer line is not an event
_HEAD_BYTES = 64  # enough to tell two logs apart: they contain the time of the first event
STATUS_SECONDS = 0.5  # between two writes


class EventWriter:
    """Appends events. Only the holder of the run's lock writes.

    A line is one write, so that a reader sees it complete or as an unfinished end. Numbers
    continue those of earlier sessions.

    Attributes:
        number: of the newest event; 0 before the first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = _newest_number(path)
        self._mutex = threading.Lock()
        self._ending = b"\n" if _is_torn(path) else b""

    def write(self, event: Event) -> None:
        """Append an event, with the next number and the time; safe to call from several threads.

        Raises:
            OSError: The disk is full or the folder is gone. Later lines are not affected.
        """
        with self._mutex:
            line = event_line(stamped(event, self.number + 1)) + b"\n"
            data = self._ending + line
            self._ending = b"\n"  # for the next event if this write is cut off
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
                if event.event in SYNCED:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._ending = b""
            self.number += 1


def stamped(event: Event, number: int) -> dict[str, Any]:
    """Return the fields of an event with this version, a number and the time."""
    return {**event.as_dict(), "v": SCHEMA, "n": number, "t": round(time.time(), 3)}


def event_line(fields: Mapping[str, Any]) -> bytes:
    """Return an object as one line of strict JSON, in ASCII, without its end."""
    return json.dumps(_strict(fields), allow_nan=False).encode()


def _newest_number(path: Path) -> int:
    """Return the number of the newest event that has one, else 0; reads from the end."""
    if not path.exists():
        return 0
    size, tail = path.stat().st_size, _TAIL_BYTES
    while True:
        start = max(size - tail, 0)
        with path.open("rb") as file:
            file.seek(start)
            lines = file.read().split(b"\n")
        for line in reversed(lines[1:] if start else lines):  # the first may lack its beginning
            event = parse_event(line)
            if event and event.n:
                return event.n
        if start == 0:
            return 0
        tail *= 4


def _is_torn(path: Path) -> bool:
    """Return True if the last line has no end: its writer was cut off."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _strict(value: Any) -> Any:
    """Convert a value to strict JSON types: a number that is not finite is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return value


@dataclass(frozen=True)
class LogPosition:
    """How far a log was read: bytes, and its first ones, which identify it."""

    offset: int = 0
    head: bytes = b""


class EventReader:
    """Reads what was appended since the last call.

    No content makes reading fail: an unfinished last line waits for its end, a
    line that is not an event is skipped, a file that was replaced or cut is read from the start.

    Args:
        path: the log; it may not exist yet.
        chunk_bytes: read at most in one call.
        start: where to begin, as `position` was before.

    Attributes:
        skipped: number of lines so far that are not events.
        restarts: how often the file turned out to be another one, whose events then come from
            its beginning.
        more: True if the last call left bytes unread because of its bound.
    """

    def __init__(
        self, path: Path, chunk_bytes: int = CHUNK_BYTES, start: LogPosition | None = None
    ) -> None:
        self.path = path
        self.skipped = 0
        self.restarts = 0
        self.more = False
        self._chunk_bytes = chunk_bytes
        start = start or LogPosition()
        self._offset = start.offset
        self._head = start.head
        self._rest = b""  # of a line whose end has not been read yet
        self._oversized = False  # the line being read is too long to keep

    @property
    def position(self) -> LogPosition | None:
        """How far the log was read; None within a line, from where nothing can begin."""
        return None if self._rest or self._oversized else LogPosition(self._offset, self._head)

    def read(self) -> list[Event]:
        """Return the events in the next `chunk_bytes`; [] without a file.

        Raises:
            OSError: The file exists but cannot be read.
        """
        parsed = list(parse_lines(self._next_lines()))
        events = [event for event in parsed if event is not None]
        self.skipped += len(parsed) - len(events)
        return events

    def drain(self) -> Iterator[Event]:
        """Yield all events up to the end of the file."""
        yield from self.read()
        while self.more:
            yield from self.read()

    def _next_lines(self) -> bytes:
        """Return the lines completed by the next bytes; a line that is too long is skipped."""
        data = self._next_bytes()
        data = self._rest + data  # only now: another file may have reset the rest
        end = data.rfind(b"\n") + 1
        lines, self._rest = data[:end], data[end:]
        if self._oversized and end:
            lines = lines.partition(b"\n")[2]
            self._oversized = False
        if len(self._rest) > MAX_LINE_BYTES:
            self.skipped += not self._oversized
            self._oversized = True
            self._rest = b""
        return lines

    def _next_bytes(self) -> bytes:
        try:
            file = self.path.open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError):
            self.more = False
            return b""
        with file:
            size = os.fstat(file.fileno()).st_size
            if size < self._offset or file.read(len(self._head)) != self._head:
                self._start_over()
            file.seek(self._offset)
            data = file.read(self._chunk_bytes)
        self._offset += len(data)
        self._head = (self._head + data)[:_HEAD_BYTES]
        self.more = bool(data) and self._offset < size
        return data

    def _start_over(self) -> None:
        self.restarts += 1
        self._offset = 0
        self._head = self._rest = b""
        self._oversized = False


def read_events(path: Path) -> list[Event]:
    """Return the events of a log; [] without a log.

    Raises:
        OSError: The file exists but cannot be read.
    """
    return list(EventReader(path).drain())


class StatusWriter:
    """Replaces the status of a run. Only the holder of the run's lock writes.

    Args:
        path: of the file.
        log: the run's log, for the number of its newest event.
        seconds: between two writes.
    """

    def __init__(self, path: Path, log: EventWriter, seconds: float = STATUS_SECONDS) -> None:
        self.path = path
        self.log = log
        self.seconds = seconds
        self._mutex = threading.Lock()
        self._newest: dict[str, dict[str, Any]] = {}  # by kind
        self._written_at = -seconds

    def update(self, event: Work | StepProgress | MachineSample) -> None:
        """Replace what is known of this kind; safe to call from several threads.

        Between two writes only the newest is kept. A status that cannot be written is not worth
        an error: what matters is in the log and in the checkpoints, which report a full disk.
        """
        with self._mutex:
            self._newest[event.event] = stamped(event, self.log.number)
            now = time.monotonic()
            if now - self._written_at < self.seconds:
                return
            self._written_at = now
            with suppress(OSError):
                write_atomic(self.path, event_line({"v": SCHEMA, **self._newest}), synced=False)


def read_status(path: Path) -> list[Event]:
    """Return the events of a status, the oldest first; [] without one, or for a damaged one."""
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    parts = tree.values() if isinstance(tree, dict) else ()
    events = [event for part in parts if isinstance(part, dict) and (event := make_event(part))]
    news = [event for event in events if isinstance(event, Work | StepProgress | MachineSample)]
    return sorted(news, key=lambda event: event.t or 0.0)
