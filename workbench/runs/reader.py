"""Reading the event log of a run: what has been appended since the last look, or all there is."""

import os
from collections.abc import Iterator
from pathlib import Path

from workbench.runs.events import Event
from workbench.runs.superseded import all_events, events_that_count

CHUNK_BYTES = 1 << 18  # read at most in one call; more would not stay in a core's cache
LONGEST_LINE = 16 << 20  # bytes; what is longer is no event
_HEAD_BYTES = 64  # enough to tell two logs apart: the first event's time is in them


class EventReader:
    """Reads what has been appended since the last call.

    Whatever a file holds, reading it does not fail: an unfinished last line waits for its end, a
    line that is no event is passed over, and a file that has been replaced or cut is read anew.

    Args:
        chunk_bytes: read at most in one call.
        every: True for superseded events too, see `superseded`; a history is the same without.

    Attributes:
        skipped: lines passed over so far because they are no event.
        restarts: how often the file turned out to be another one; its events then come again
            from the beginning.
        more: True where the last call left bytes unread because of its bound.
    """

    def __init__(self, path: Path, chunk_bytes: int = CHUNK_BYTES, every: bool = False) -> None:
        self.path = path
        self.skipped = 0
        self.restarts = 0
        self.more = False
        self._chunk_bytes = chunk_bytes
        self._every = every
        self._offset = 0
        self._head = b""  # the file's first bytes, by which it is known again
        self._rest = b""  # of a line whose end has not been read yet
        self._oversized = False  # the line being read is too long to keep

    def read(self) -> list[Event]:
        """The events in the next bytes, at most `chunk_bytes` of them; [] without a file.

        Raises:
            OSError: the file is there but cannot be read.
        """
        lines = self._next_lines()
        parsed = list((all_events if self._every else events_that_count)(lines))
        events = [event for event in parsed if event is not None]
        self.skipped += len(parsed) - len(events)
        return events

    def drain(self) -> Iterator[Event]:
        """All that is there now."""
        yield from self.read()
        while self.more:
            yield from self.read()

    def _next_lines(self) -> bytes:
        """What the next bytes complete; a line that is too long counts as skipped."""
        data = self._next_bytes()
        data = self._rest + data  # it may have turned out to be the rest of another file
        end = data.rfind(b"\n") + 1
        lines, self._rest = data[:end], data[end:]
        if self._oversized and end:
            lines = lines.partition(b"\n")[2]
            self._oversized = False
        if len(self._rest) > LONGEST_LINE:
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
    """The events of a log without superseded ones; [] where there is none.

    Raises:
        OSError: the file is there but cannot be read.
    """
    return list(EventReader(path).drain())
