"""The trials of a sweep as results: what their runs reached, and the spec of the best."""

import tomllib
from collections.abc import Sequence
from typing import Any

from workbench.analysis.trials import SeedResult, TrialRow, kept_value, sweep_metric
from workbench.errors import UserError
from workbench.experiment.metrics import ACCURACY
from workbench.experiment.toml import dump_spec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.fields import spec_table
from workbench.runs.history import History
from workbench.runs.stop import has_worker_or_job
from workbench.runs.summary import RunSummary
from workbench.runs.sweep import Sweep, SweepTrial, parse_trial_spec, run_folders
from workbench.runs.sweep_queue import advance, count_waiting
from workbench.runs.watch import RunWatch


def metric_of(sweep: Sweep) -> str:
    """Return the metric by which a sweep's trials are compared."""
    for trial in sweep.trials:
        monitor = spec_table(_tables(trial), "training").get("monitor", "")
        return sweep_metric(str(monitor))
    return ACCURACY


def _tables(trial: SweepTrial) -> dict[str, Any]:
    try:
        return tomllib.loads(trial.spec)
    except tomllib.TOMLDecodeError:
        return {}


def seed_result(
    trial: SweepTrial, metric: str, summary: RunSummary, history: History
) -> SeedResult:
    """Return the result of a trial whose run exists."""
    return SeedResult(
        settings=trial.settings,
        seed=trial.seed,
        run=trial.run,
        state=summary.state.phase,
        detail=summary.state.detail,
        value=kept_value(history, metric),
        images=history.images.get("validation"),
        test=summary.test_accuracy,
        seconds=history.seconds_worked,
        epochs_done=summary.epochs_done,
        epochs_total=summary.epochs_total,
    )


def result_without_run(trial: SweepTrial, state: str = "") -> SeedResult:
    """Return the result of a trial whose run was not made yet, or is gone."""
    found = state or ("gone" if trial.run else "planned")
    return SeedResult(trial.settings, trial.seed, trial.run, found)


class SweepFeed:
    """A sweep as it changes: each poll reads its record and what was appended to the logs.

    Args:
        workspace: of the sweep.
        sweep: as it was found.

    Attributes:
        sweep: its newest record.
    """

    def __init__(self, workspace: Workspace, sweep: Sweep) -> None:
        self.sweep = sweep
        self._workspace = workspace
        self._metric = metric_of(sweep)
        self._watches: dict[str, RunWatch] = {}

    def poll(self) -> list[SeedResult]:
        """Return the results of all trials as they are now.

        Raises:
            UserError: The record is gone or damaged.
        """
        self.sweep = Sweep.read(self._workspace, self.sweep.record)
        existing = {folder.name: folder for folder in run_folders(self._workspace, self.sweep)}
        results = []
        for trial in self.sweep.trials:
            if trial.run not in existing:
                results.append(result_without_run(trial))
                continue
            if trial.run not in self._watches:
                self._watches[trial.run] = RunWatch(existing[trial.run])
            watch = self._watches[trial.run]
            while watch.poll() and watch.more:
                pass
            results.append(seed_result(trial, self._metric, watch.summary, watch.history))
        return results

    @property
    def ended(self) -> bool:
        """True if nothing of it is queued or running, here or in a job."""
        return not self.sweep.queue and self.idle

    @property
    def idle(self) -> bool:
        """True if none of its runs has a worker or a job: ended, or all of them were killed."""
        return not any(map(has_worker_or_job, run_folders(self._workspace, self.sweep)))

    def keep_going(self) -> None:
        """Launch what is queued if every worker that would do it was killed.

        Raises:
            UserError: A worker cannot be started.
        """
        if self.sweep.queue and not count_waiting(self._workspace, self.sweep):
            advance(self._workspace, self.sweep.record)


def best_spec(sweep: Sweep, rows: Sequence[TrialRow]) -> str:
    """Return the spec of the best trial as TOML, with its first seed.

    Raises:
        UserError: No trial is finished.
    """
    if not rows or rows[0].mean is None:
        raise UserError(
            tr("No trial of {name} is finished yet.", name=sweep.name),
            tr("Its table: workbench sweep {name}", name=sweep.name),
        )
    best = rows[0]
    for trial in sweep.trials:
        if trial.settings == best.settings:
            return dump_spec(parse_trial_spec(trial))
    raise AssertionError("every row is of a trial")
