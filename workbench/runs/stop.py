"""Stop runs, whether a worker has them or a job of SLURM that has no worker yet."""

from collections.abc import Sequence

from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.launch import request_stop
from workbench.runs.lock import is_locked
from workbench.runs.slurm import SlurmJob, cancel, read_job
from workbench.runs.slurm_queue import forget, is_open
from workbench.runs.summary import summarize

_ENDED = ("finished", "failed", "pruned")  # with a job that may still be ending


def has_worker_or_job(folder: RunFolder) -> bool:
    """Return whether a run has a worker, or a job that will start one."""
    if is_locked(folder.lock_path):
        return True
    return is_open(folder) and summarize(folder).state.phase not in _ENDED


def only_running(workspace: Workspace) -> RunFolder:
    """Return the run that is running or waiting.

    Raises:
        UserError: there is none, or more than one.
    """
    running = list(filter(has_worker_or_job, list_runs(workspace)))
    if len(running) == 1:
        return running[0]
    if not running:
        raise UserError(tr("No run is running or waiting here."), tr("See: workbench runs"))
    raise UserError(
        tr(
            "Several runs are running or waiting: {names}.",
            names=", ".join(folder.name for folder in running),
        ),
        tr("Name the one to stop: workbench stop RUN"),
    )


def stop_runs(folders: Sequence[RunFolder]) -> list[RunFolder]:
    """Cancel jobs that have no worker yet, and request all other workers to save and end.

    Jobs first and then in reverse order, so that no run begins because an earlier one has ended.

    Returns:
        The runs whose jobs were cancelled: they are stopped by now.

    Raises:
        UserError: SLURM refuses; the workers were asked all the same.
    """
    jobs = {folder.path: job for folder in folders if (job := _job_without_worker(folder))}
    try:
        cancel(list(jobs.values()))
    finally:
        for folder in reversed(folders):
            if folder.path in jobs:
                forget(folder)
            else:
                request_stop(folder)
    return [folder for folder in folders if folder.path in jobs]


def _job_without_worker(folder: RunFolder) -> SlurmJob | None:
    """Return the job of a run that no worker would read a request of."""
    if is_locked(folder.lock_path) or not is_open(folder):
        return None
    waits = summarize(folder).state.phase in ("waiting", "starting")
    return read_job(folder) if waits else None
