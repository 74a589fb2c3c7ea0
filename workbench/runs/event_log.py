"""Append to the event log of a run: one write a line, numbered over all sessions."""

import json
import math
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.runs.events import SCHEMA, Event, parse_event

# Synced to the disk before the next checkpoint: no power cut makes a hole in a history.
SYNCED = frozenset(
    {"resumed", "epoch_finished", "stage_finished", "evaluated", "stopped", "failed", "finished"}
)
_TAIL_BYTES = 1 << 16  # read first to find the newest number: many events


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
