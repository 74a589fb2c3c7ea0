"""Events by kind, and a log of them."""

from pathlib import Path
from typing import Any

from workbench.runs.event_log import EventWriter
from workbench.runs.events import Event, make_event


def event(kind: str, t: float | None = None, /, **fields: Any) -> Event:
    found = make_event({"t": t, "event": kind, **fields})
    assert found is not None
    return found


class LogWriter:
    """Writes the log of a run as a worker does."""

    def __init__(self, path: Path) -> None:
        self.events = EventWriter(path)

    def write(self, kind: str, /, **fields: Any) -> None:
        self.events.write(event(kind, **fields))
