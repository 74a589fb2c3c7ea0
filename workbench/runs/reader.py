"""Read the event log of a run: what was appended since the last call, or all of it."""

import os
from collections.abc import Iterator
from pathlib import Path

from workbench.runs.events import Event
from workbench.runs.schema1 import parse_lines

CHUNK_BYTES = 1 << 18  # read at most in one call; more would not stay in a core's cache
MAX_LINE_BYTES = 16 << 20  # a longer line is no event
_HEAD_BYTES = 64  # enough to tell two logs apart: they contain the time of the first event


class EventReader:
    """Reads what was appended since the last call.

    Reading does not fail, whatever the file holds: an unfinished last line waits for its end, a
    line that is no event is skipped, and a file that was replaced or cut is read from the start.

    Args:
        path: the log; it may not exist yet.
        chunk_bytes: read at most in one call.

    Attributes:
        skipped: number of lines so far that are no events.
        restarts: how often the file turned out to be another one, whose events then come from
            its beginning.
        more: True if the last call left bytes unread because of its bound.
    """

    def __init__(self, path: Path, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.path = path
        self.skipped = 0
        self.restarts = 0
        self.more = False
        self._chunk_bytes = chunk_bytes
        self._offset = 0
        self._head = b""  # the file's first bytes, which identify it
        self._rest = b""  # of a line whose end has not been read yet
        self._oversized = False  # the line being read is too long to keep

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
