"""Runs as they change: each poll reads only what was appended since the last one."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.annotations import AnnotationReader
from workbench.runs.event_log import CHUNK_BYTES, EventReader, read_status
from workbench.runs.events import Session, StageStarted
from workbench.runs.fields import spec_table
from workbench.runs.folder import RunFolder, list_runs, read_tables
from workbench.runs.history import History, fold, with_status
from workbench.runs.lock import Observer, this_observer
from workbench.runs.slurm_queue import job_state
from workbench.runs.state import ENDED, RunState, run_state
from workbench.runs.summary import RunSummary, make_summary
from workbench.runs.view_cache import ReadRun, Stamps, ViewCache, stamp_of
from workbench.text import safe_text
from workbench.words import reason_of

POLL_BYTES = 32 << 20  # of a log at most in one poll (0.1 s), so that other runs get their turn
RUNNING = ("starting", "waiting", "preparing", "training", "evaluating")
POLL_SECONDS = 0.5
FIRST_RUNS = 100  # the newest, reported before all others were read for the first time


@dataclass(frozen=True)
class RunView:
    """An immutable snapshot of a run.

    Attributes:
        spec: its TOML tables, unchecked.
        host: the machine it was read from, by the name that it has in the settings; "" for here.
        seen: when it was read there, in unix seconds of this clock; None for here.
        tags: that a person gave it.
        note: the newest note on it, not safe to print; "" without one.
    """

    folder: RunFolder
    summary: RunSummary
    history: History
    spec: dict[str, Any]
    host: str = ""
    seen: float | None = None
    tags: tuple[str, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def key(self) -> str:
        """Name of the run among those of all machines; no name contains a colon."""
        return f"{self.host}:{self.name}" if self.host else self.name

    @property
    def running(self) -> bool:
        """True while its worker lives, even if it waits."""
        return self.summary.state.phase in RUNNING

    @property
    def source(self) -> str:
        """The images, as a path that does not depend on how it was typed; "" if unknown."""
        source = self.table("data").get("source")
        return os.path.normpath(source) if isinstance(source, str) and source else ""

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a table of the spec; {} if missing."""
        return spec_table(self.spec, name)


Runs = tuple[RunView, ...]


def in_order(views: Iterable[RunView]) -> Runs:
    """Return running runs first, then by their start, the newest first."""
    return tuple(sorted(views, key=lambda view: (not view.running, -(view.summary.started or 0.0))))


class RunWatch:
    """What is known of a run; `poll` updates it.

    Args:
        folder: of the run.
        here: from where it is seen, by default this machine.
        read: what is known of it from an earlier time, which is not read again.

    Attributes:
        history: of all events read so far, and of the status.
        state: phase of the run and what a resume would do.
        spec: its TOML tables, unchecked.
    """

    def __init__(
        self, folder: RunFolder, here: Observer | None = None, read: ReadRun | None = None
    ) -> None:
        self.folder = folder
        self.here = here or this_observer()
        self.history = read.history if read else History()
        self.state = RunState("interrupted", False, "")
        self.spec: dict[str, Any] = read.spec if read else {}
        self._reader = EventReader(folder.events_path, start=read.position if read else None)
        self._restarts = 0
        self._logged = self.history  # without the status
        self._stamps = read.stamps if read else Stamps()  # of the files when they were read
        self._spec_is_read = read is not None
        self._annotations = AnnotationReader(folder)

    def poll(self) -> bool:
        """Read new events, at most POLL_BYTES; return True if anything changed."""
        before = self.history, self.state
        try:
            # Queried before reading: everything a worker wrote before it released the lock is read.
            locked = self.here.holds_lock(self.folder.lock_path)
            done = locked or self.history.phase == "finished"
            job = None if done else job_state(self.folder)
            if self._read_new_events() | self._has_new_status():
                news = [] if self._reader.more else read_status(self.folder.status_path)
                self.history = with_status(self._logged, news)
            self.state = run_state(
                self.folder, self.spec, self.history, locked, job=job, here=self.here
            )
        except OSError as error:
            reason = tr("cannot be read: {strerror}", strerror=safe_text(reason_of(error)))
            self.state = RunState("interrupted", False, reason)
        annotated = self._annotations.poll()
        return annotated or self.history is not before[0] or self.state != before[1]

    def _read_new_events(self) -> bool:
        """Read what was appended to the log; return True if that changed the history."""
        before, spec_is_read = self._logged, self._spec_is_read
        try:
            for _ in range(POLL_BYTES // CHUNK_BYTES):
                events = self._reader.read()
                if self._reader.restarts != self._restarts:  # another file has replaced the log
                    self._restarts = self._reader.restarts
                    self._logged, spec_is_read = History(), False
                # It may change between two sessions, and before a stage for a deadline.
                if any(isinstance(event, Session | StageStarted) for event in events):
                    spec_is_read = False
                if events:
                    self._logged = fold(events, self._logged)
                if not self._reader.more:
                    break
        finally:
            if not spec_is_read:
                self._read_spec()
        return self._logged is not before

    def _read_spec(self) -> None:
        self._stamps = replace(self._stamps, spec=stamp_of(self.folder.spec_path))
        self.spec, self._spec_is_read = read_tables(self.folder), True

    def _has_new_status(self) -> bool:
        """Return True if the status was replaced since the last call."""
        before = self._stamps.status
        self._stamps = replace(self._stamps, status=stamp_of(self.folder.status_path))
        return self._stamps.status != before

    @property
    def ended(self) -> bool:
        """True if it has ended, by its events and by the lock, and all of its log was read."""
        return self.state.phase in ENDED and not self.more

    @property
    def result(self) -> ReadRun | None:
        """What was read of a run that has ended; None if its log was not read to its end."""
        log, position = stamp_of(self.folder.events_path), self._reader.position
        if log is None or position is None or position.offset != log[1]:
            return None
        if self.history is not self._logged:  # its status adds something
            return None
        return ReadRun(self.history, self.spec, position, replace(self._stamps, log=log))

    @property
    def more(self) -> bool:
        """True if the last poll left events unread because of its bound."""
        return self._reader.more

    @property
    def summary(self) -> RunSummary:
        """Summary of the run."""
        return make_summary(self.folder, self.spec, self.history, self.state)

    def view(self) -> RunView:
        """Return what is known now."""
        return RunView(
            self.folder,
            self.summary,
            self.history,
            self.spec,
            tags=self._annotations.tags,
            note=self._annotations.note,
        )


class RunFeed:
    """Polls every run of a workspace, in a thread, and passes snapshots on.

    Args:
        on_change: called in the thread with all runs, running ones first, then the newest; once
            before, with the newest alone, if there are many.
        here: from where they are seen, by default this machine.

    Attributes:
        here: as given; may change between two polls.
        complete: whether all runs have been read once.
    """

    def __init__(
        self,
        workspace: Workspace,
        on_change: Callable[[Runs], None] = lambda runs: None,
        here: Observer | None = None,
    ) -> None:
        self._workspace = workspace
        self.here = here or this_observer()
        self._on_change = on_change
        self.complete = False
        self._cache = ViewCache(workspace)
        self._watches: dict[str, RunWatch] = {}
        self._views: dict[str, RunView] = {}

    def run(self, ended: Callable[[], bool], seconds: float = POLL_SECONDS) -> None:
        """Poll until `ended`; report the first snapshot and every change."""
        first = True
        while not ended():
            changed = self.poll()
            if changed or first:
                self._on_change(self.views())
                first = False
            if not self.more:
                self.keep_ended()
                time.sleep(seconds)

    def poll(self) -> bool:
        """Read what is new in every run; return True if anything changed."""
        known = {name: watch.folder for name, watch in self._watches.items()}
        folders = {folder.path.name: folder for folder in list_runs(self._workspace, known)}
        changed = False
        for gone in self._watches.keys() - folders.keys():
            del self._watches[gone]
            self._views.pop(gone, None)
            changed = True
        for name, folder in folders.items():
            if (watch := self._watches.get(name)) is None:
                watch = RunWatch(folder, self.here, self._cache.find(folder))
                self._watches[name] = watch
            watch.here = self.here
            if watch.poll() or name not in self._views:
                self._views[name] = watch.view()
                changed = True
            if not self.complete and len(self._views) == FIRST_RUNS < len(folders):
                self._on_change(self.views())
        self._views = {name: self._views[name] for name in folders}
        self.complete = True
        return changed

    def keep_ended(self) -> None:
        """Keep what was read of the ended runs for the next time, if that has changed enough."""
        ended = {name: watch for name, watch in self._watches.items() if watch.ended}
        if not self._cache.is_current(ended.keys()):
            self._cache.keep({name: watch.result for name, watch in ended.items()})

    @property
    def more(self) -> bool:
        """True if the last poll left events unread because of its bound."""
        return any(watch.more for watch in self._watches.values())

    def views(self) -> Runs:
        """Return all runs: running ones first, then by their start, the newest first.

        Of two that started in the same millisecond the one that was made last comes first, also
        if it was deleted in between and restored.
        """
        return in_order(self._views.values())


def read_all(workspace: Workspace) -> Runs:
    """Return all runs of a workspace as they are now, in the order of `in_order`."""
    feed = RunFeed(workspace)
    feed.poll()
    while feed.more:
        feed.poll()
    feed.keep_ended()
    return feed.views()
