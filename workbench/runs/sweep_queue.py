"""The queue of a sweep: its trials get workers a few at a time, and are stopped and queued again.

A waiting worker holds 41 MB and asks for its turn twice a second, so not every trial has one: at
most WINDOW runs of a sweep wait for their turn, besides those that train. Each worker continues
its sweep when its turn comes and again at its end (`continue_sweep`), and so does every command
that watches. The queue is in the record; a trial leaves it after its worker was launched, under the
record's lock: killed at any moment, no trial is lost, and none is done twice.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run, safe_stem
from workbench.runs.launch import launch
from workbench.runs.lock import RunLocked, is_locked
from workbench.runs.slurm import this_job
from workbench.runs.slurm_queue import find_job
from workbench.runs.stop import has_worker_or_job, stop_runs
from workbench.runs.sweep import (
    Sweep,
    SweepTrial,
    can_start,
    not_written,
    pending,
    run_folders,
    save_sweep,
    sweep_of,
)
from workbench.runs.sweep_record import SweepRecord, record_lock
from workbench.runs.tickets import is_waiting

WINDOW = 2  # runs of a sweep that wait for their turn: one is warmed up, one stands in for it


def start(
    workspace: Workspace,
    sweep: Sweep,
    environment: dict[str, str] | None = None,
    specs: Mapping[int, ExperimentSpec] | None = None,
) -> list[int]:
    """Queue every trial that is neither finished nor running; return their indices.

    Args:
        workspace: of the sweep.
        sweep: whose trials are queued.
        environment: variables in addition to those of this process.
        specs: by index, of trials that continue with another one.

    Raises:
        UserError: The first runs cannot be started; the trials stay queued.
    """
    texts = {at: dump_spec(spec) for at, spec in (specs or {}).items()}
    try:
        with record_lock(workspace, sweep.record):
            now = Sweep.read(workspace, sweep.record)
            trials = tuple(
                replace(trial, spec=texts[at], changed=bool(trial.run)) if at in texts else trial
                for at, trial in enumerate(now.trials)
            )
            queue = tuple(pending(workspace, now))
            save_sweep(workspace, replace(now, trials=trials, queue=queue))
    except OSError as error:
        raise not_written(workspace, sweep.record.kind, error) from None
    advance(workspace, sweep.record, environment)
    return list(queue)


def advance(
    workspace: Workspace, record: SweepRecord, environment: dict[str, str] | None = None
) -> None:
    """Launch queued trials until WINDOW of them wait for their turn.

    Raises:
        UserError: A worker cannot be started; its trial stays queued.
    """
    try:
        with record_lock(workspace, record):
            sweep = Sweep.read(workspace, record)
            while sweep.queue and count_waiting(workspace, sweep) < WINDOW:
                sweep = _launch_first(workspace, sweep, environment)
    except OSError as error:
        raise not_written(workspace, record.kind, error) from None


def _launch_first(workspace: Workspace, sweep: Sweep, environment: dict[str, str] | None) -> Sweep:
    """Launch the first trial of the queue, unless it was; return the sweep without it there."""
    at, *rest = sweep.queue
    is_new = not sweep.trials[at].run
    sweep, folder = with_run(workspace, sweep, at)
    trial = sweep.trials[at]
    if is_new:
        save_sweep(workspace, sweep)
    if can_start(folder):
        resume, spec = folder.events_path.exists(), trial.spec if trial.changed else None
        with suppress(RunLocked):  # somebody has resumed it
            launch(folder, resume=resume, queue=True, environment=environment, spec=spec)
    trials = _replaced(sweep.trials, at, replace(trial, changed=False))
    return save_sweep(workspace, replace(sweep, trials=trials, queue=tuple(rest)))


def continue_sweep(folder: RunFolder) -> None:
    """Launch what is next in the sweep of a run; called by its worker.

    The worker of a job launches nothing: what its node runs is up to SLURM.

    Raises:
        UserError: A worker cannot be started.
    """
    job = find_job(folder)
    if job and job.id == this_job():
        return
    workspace = Workspace(folder.path.parent.parent)
    sweep = sweep_of(folder)
    if sweep and sweep.queue:
        advance(workspace, sweep.record)


def stop_sweep(workspace: Workspace, sweep: Sweep) -> list[RunFolder]:
    """Queue nothing more, and stop every run with a worker or a job; return their folders.

    Raises:
        UserError: SLURM refuses to cancel jobs.
    """
    with record_lock(workspace, sweep.record):
        now = Sweep.read(workspace, sweep.record)
        if now.queue:
            now = save_sweep(workspace, replace(now, queue=()))
    running = [folder for folder in run_folders(workspace, now) if has_worker_or_job(folder)]
    stop_runs(running)
    return running


def count_waiting(workspace: Workspace, sweep: Sweep) -> int:
    """Return how many of its runs have a worker that waits for its turn."""
    folders = (RunFolder(workspace.runs / run) for run in sweep.runs)
    return sum(is_waiting(folder) and is_locked(folder.lock_path) for folder in folders)


def with_run(workspace: Workspace, sweep: Sweep, at: int) -> tuple[Sweep, RunFolder]:
    """Return the sweep with a run for a trial, which is made if it has none, and its folder.

    The holder of its lock saves the sweep.
    """
    trial = sweep.trials[at]
    if trial.run:
        return sweep, RunFolder(workspace.runs / trial.run)
    stem = safe_stem(f"{sweep.stem}-{trial.preset}" if sweep.stem else sweep.name)
    folder = _unrecorded(workspace, sweep, stem, trial.spec) or create_run(
        workspace, trial.spec, None, stem
    )
    trials = _replaced(sweep.trials, at, replace(trial, run=folder.name))
    return replace(sweep, trials=trials), folder


def _unrecorded(workspace: Workspace, sweep: Sweep, stem: str, spec: str) -> RunFolder | None:
    """Return a run that was made for a trial by a process that was killed before recording it."""
    known = set(sweep.runs)
    for path in workspace.runs.glob(f"{stem}-*"):
        folder = RunFolder(path)
        if path.name not in known and not folder.events_path.exists():
            with suppress(OSError):
                if folder.spec_path.read_text(encoding="utf-8") == spec:
                    return folder
    return None


def _replaced(trials: tuple[SweepTrial, ...], at: int, trial: SweepTrial) -> tuple[SweepTrial, ...]:
    return (*trials[:at], trial, *trials[at + 1 :])
