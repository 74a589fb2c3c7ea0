"""The status of a run: its newest progress and the newest sample of the machine, in one file.

The log is history and holds what happened. What counts only while it is new replaces what was
there before: status.json holds one event of each such kind, and is replaced atomically at most
twice a second. The `n` of an event in it is the number of the newest event in the log when it was
made, so that a reader knows which of them is over.
"""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from workbench.files import write_atomic
from workbench.runs.event_log import EventWriter, event_line, stamped
from workbench.runs.events import SCHEMA, Event, MachineSample, StepProgress, Work, make_event

STATUS_SECONDS = 0.5  # between two writes


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
