"""A run as it changes: each look reads only what was appended since the last one."""

from dataclasses import dataclass
from typing import Any

from workbench.runs.events import LIFE_BEGINS
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold
from workbench.runs.lock import is_locked
from workbench.runs.reader import CHUNK_BYTES, EventReader
from workbench.runs.state import RunSummary, State, read_tables, run_state, summary_of
from workbench.text import safe_text

LOOK_BYTES = 32 << 20  # of a log at most in one look, so that other runs have their turn: 0.1 s
WORKING = ("starting", "waiting", "preparing", "training", "evaluating")


@dataclass(frozen=True)
class RunView:
    """A run at one moment; nothing in it changes any more.

    Attributes:
        spec: its tables, unchecked.
    """

    folder: RunFolder
    summary: RunSummary
    history: History
    spec: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the run."""
        return self.folder.name

    @property
    def working(self) -> bool:
        """True while its worker lives, waiting included."""
        return self.summary.state.word in WORKING

    def table(self, name: str) -> dict[str, Any]:
        """A table of the spec; {} where there is none."""
        table = self.spec.get(name)
        return table if isinstance(table, dict) else {}


Runs = tuple[RunView, ...]


class RunWatch:
    """What is known of a run; `look` brings it up to date.

    Attributes:
        history: of all events so far.
        state: how the run stands.
        spec: its tables, unchecked.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.history = History()
        self.state = State("interrupted", False, "")
        self.spec: dict[str, Any] = read_tables(folder)
        self._reader = EventReader(folder.events_path)
        self._restarts = 0

    def look(self) -> bool:
        """Reads on, at most LOOK_BYTES; True where anything changed."""
        before = self.history, self.state
        try:
            # Asked before reading: all that a worker wrote before it let go is read after.
            locked = is_locked(self.folder.lock_path)
            self._read_on()
            self.state = run_state(self.folder, self.spec, self.history, locked)
        except OSError as error:
            reason = f"cannot be read: {safe_text(error.strerror)}"
            self.state = State("interrupted", False, reason)
        return self.history is not before[0] or self.state != before[1]

    def _read_on(self) -> None:
        for _ in range(LOOK_BYTES // CHUNK_BYTES):
            events = self._reader.read()
            if self._reader.restarts != self._restarts:  # another file has taken its place
                self._restarts = self._reader.restarts
                self.history, self.spec = History(), read_tables(self.folder)
            if any(event.get("event") in LIFE_BEGINS for event in events):
                self.spec = read_tables(self.folder)  # what may change between two lives
            if events:
                self.history = fold(events, self.history)
            if not self._reader.more:
                return

    @property
    def more(self) -> bool:
        """True where the last look left something unread because of its bound."""
        return self._reader.more

    @property
    def summary(self) -> RunSummary:
        """The run in a line."""
        return summary_of(self.folder, self.spec, self.history, self.state)
