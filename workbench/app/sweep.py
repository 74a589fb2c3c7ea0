"""The trials of a sweep as results: what their runs reached, and the spec of the best."""

import tomllib
from collections.abc import Sequence
from typing import Any

from workbench.analysis.compare import load_run
from workbench.analysis.trials import SeedResult, TrialRow, kept_value, sweep_metric
from workbench.errors import UserError
from workbench.experiment.metrics import ACCURACY
from workbench.experiment.toml import dump_spec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.fields import spec_table
from workbench.runs.history import History
from workbench.runs.state import RunSummary
from workbench.runs.sweep import Sweep, SweepTrial, parse_trial_spec, run_folders


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


def read_results(workspace: Workspace, sweep: Sweep) -> list[SeedResult]:
    """Read the results from the folders of the runs, with all their events."""
    metric = metric_of(sweep)
    loaded = {folder.name: load_run(folder) for folder in run_folders(workspace, sweep)}
    return [
        seed_result(trial, metric, found.summary, found.history)
        if (found := loaded.get(trial.run))
        else result_without_run(trial)
        for trial in sweep.trials
    ]


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
