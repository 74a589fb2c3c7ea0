"""What a worker does for the sweep of its run: launch the next run, and end its own if hopeless."""

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from workbench.analysis.median_rule import is_hopeless, median_so_far
from workbench.analysis.trials import epoch_values, sweep_metric
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs import sweep_queue
from workbench.runs.event_log import EventReader
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold
from workbench.runs.sweep import MEDIAN, Sweep, run_folders, sweep_of
from workbench.text import plural
from workbench.worker.startup import FIRST_ENVIRONMENT


def continue_sweep(folder: RunFolder) -> None:
    """Launch what is next in the sweep of a run, if it belongs to one.

    An error is no error of this run: it is printed to its log, and the next worker of the sweep, or
    a person with --resume, tries again.
    """
    with _first_environment():
        try:
            sweep_queue.continue_sweep(folder)
        except (UserError, OSError):
            traceback.print_exc()


@contextmanager
def _first_environment() -> Iterator[None]:
    """Set the environment that this process got: a worker it starts chooses a device itself."""
    now = dict(os.environ)
    _set_environment(FIRST_ENVIRONMENT)
    try:
        yield
    finally:
        _set_environment(now)


def _set_environment(variables: Mapping[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


class Pruner:
    """Applies the rule of a run's sweep; does nothing for a run without such a sweep.

    It reads logs alone: many workers on a cluster would otherwise keep asking for states of jobs.

    Args:
        folder: of the run.
        spec: of the run.

    Attributes:
        reason: why the run was given up, "" while it was not.
    """

    def __init__(self, folder: RunFolder, spec: ExperimentSpec) -> None:
        self.reason = ""
        self._workspace = Workspace(folder.path.parent.parent)
        self._metric = sweep_metric(spec.training.monitor)
        self._own = folder
        self._logs: dict[str, tuple[EventReader, History]] = {}
        self._finished: dict[str, list[float]] = {}
        sweep = sweep_of(folder)
        self._sweep = sweep if sweep and sweep.prune == MEDIAN else None

    def after_epoch(self) -> None:
        """Compare the run, whose epoch is in its log, with the finished runs of its sweep."""
        if self._sweep is None or self.reason:
            return
        self._read_finished(self._sweep)
        values = epoch_values(self._read(self._own), self._metric)
        finished = self._finished.values()
        limit = median_so_far(list(finished), len(values)) if values else None
        if limit is not None and is_hopeless(values, list(finished)):
            self.reason = tr(
                "below the median of its sweep: best {best:.4f} after {epochs}, {limit:.4f} "
                "of {count} finished runs",
                best=max(values),
                epochs=plural(len(values), "epoch"),
                count=len(finished),
                limit=limit,
            )

    def _read_finished(self, sweep: Sweep) -> None:
        """Read the epochs of runs that have finished since the last epoch."""
        with suppress(UserError):  # the record was damaged since
            sweep = Sweep.read(self._workspace, sweep.record)  # runs may have been made since
        for folder in run_folders(self._workspace, sweep):
            if folder.name == self._own.name or folder.name in self._finished:
                continue
            history = self._read(folder)
            if history.phase == "finished":
                self._finished[folder.name] = epoch_values(history, self._metric)
                del self._logs[folder.name]

    def _read(self, folder: RunFolder) -> History:
        """Return the history of a run, with what was appended to its log since the last time."""
        new = EventReader(folder.events_path), History()
        reader, history = self._logs.get(folder.name, new)
        history = fold(reader.drain(), history)
        self._logs[folder.name] = reader, history
        return history
