"""The runs of the workspace as they change: read by a thread, handed to the app as a snapshot."""

import time
from collections.abc import Callable

from workbench.paths import Workspace
from workbench.runs.folder import list_runs
from workbench.runs.watch import Runs, RunView, RunWatch

LOOK_SECONDS = 0.5


class RunFeed:
    """Looks at every run again and again.

    Args:
        tell: called with all runs, running ones first, then the newest; from the thread.
    """

    def __init__(self, workspace: Workspace, tell: Callable[[Runs], None]) -> None:
        self._workspace = workspace
        self._tell = tell
        self._watches: dict[str, RunWatch] = {}
        self._views: dict[str, RunView] = {}

    def run(self, ended: Callable[[], bool], seconds: float = LOOK_SECONDS) -> None:
        """Looks until `ended`; tells only what changed, and the first look always."""
        first = True
        while not ended():
            changed = self.look()
            if changed or first:
                self._tell(self.views())
                first = False
            if not any(watch.more for watch in self._watches.values()):
                time.sleep(seconds)

    def look(self) -> bool:
        """Reads on in every run; True where anything changed."""
        folders = {folder.name: folder for folder in list_runs(self._workspace)}
        changed = False
        for gone in self._watches.keys() - folders.keys():
            del self._watches[gone]
            self._views.pop(gone, None)
            changed = True
        for name, folder in folders.items():
            if (watch := self._watches.get(name)) is None:
                watch = self._watches[name] = RunWatch(folder)  # which reads the spec
            if watch.look() or name not in self._views:
                self._views[name] = RunView(folder, watch.summary, watch.history, watch.spec)
                changed = True
        self._views = {name: self._views[name] for name in folders}
        return changed

    def views(self) -> Runs:
        """All runs: those at work first, then by their beginning, the newest first.

        Of two that began in the same millisecond the one that was made last comes first, also where
        it was deleted meanwhile and brought back.
        """
        return tuple(
            sorted(
                self._views.values(),
                key=lambda view: (not view.working, -(view.history.started or 0.0)),
            )
        )
