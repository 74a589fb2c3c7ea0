"""The runs of the workspace as they change: polled by a thread, passed to the app as snapshots."""

import time
from collections.abc import Callable

from workbench.paths import Workspace
from workbench.runs.folder import list_runs
from workbench.runs.watch import Runs, RunView, RunWatch

POLL_SECONDS = 0.5


class RunFeed:
    """Polls every run.

    Args:
        on_change: called in the thread with all runs, running ones first, then the newest.
    """

    def __init__(self, workspace: Workspace, on_change: Callable[[Runs], None]) -> None:
        self._workspace = workspace
        self._on_change = on_change
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
            if not any(watch.more for watch in self._watches.values()):
                time.sleep(seconds)

    def poll(self) -> bool:
        """Read what is new in every run; return True if anything changed."""
        folders = {folder.name: folder for folder in list_runs(self._workspace)}
        changed = False
        for gone in self._watches.keys() - folders.keys():
            del self._watches[gone]
            self._views.pop(gone, None)
            changed = True
        for name, folder in folders.items():
            if (watch := self._watches.get(name)) is None:
                watch = self._watches[name] = RunWatch(folder)  # which reads the spec
            if watch.poll() or name not in self._views:
                self._views[name] = RunView(folder, watch.summary, watch.history, watch.spec)
                changed = True
        self._views = {name: self._views[name] for name in folders}
        return changed

    def views(self) -> Runs:
        """Return all runs: running ones first, then by their start, the newest first.

        Of two that started in the same millisecond the one that was made last comes first, also
        if it was deleted in between and restored.
        """
        return tuple(
            sorted(
                self._views.values(),
                key=lambda view: (not view.running, -(view.history.started or 0.0)),
            )
        )
