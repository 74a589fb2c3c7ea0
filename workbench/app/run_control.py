"""Resuming and stopping runs."""

import time
from collections.abc import Iterable

from workbench.experiment.toml import dump_spec, read_spec
from workbench.machine.preflight import check_before_resume
from workbench.machine.probe import LoadAdjustedClock
from workbench.runs.folder import RunFolder
from workbench.runs.launch import launch
from workbench.runs.lock import is_locked
from workbench.runs.start import changed_spec

STOP_SECONDS = 60.0  # for a worker to finish its step and save


def resume_run(
    folder: RunFolder,
    settings: tuple[str, ...] = (),
    half_batch: bool = False,
    queue: bool = False,
    environment: dict[str, str] | None = None,
) -> None:
    """Start a worker that continues a run at its last checkpoint. Asks the driver: use a thread.

    Args:
        folder: of a run without a worker.
        settings: KEY=VALUE, of keys that may change in a resumed run.
        half_batch: True to continue with half the batch.
        queue: True to wait for the runs that are running or queued.
        environment: variables set for the worker beyond this process's own.

    Raises:
        UserError: a setting is not allowed, or the run cannot be trained here.
        RunLocked: the run has a worker.
    """
    own = read_spec(folder.spec_path)
    spec = changed_spec(own, settings, half_batch) if settings or half_batch else own
    check_before_resume(spec)
    changed = None if spec == own else dump_spec(spec)
    launch(folder, resume=True, queue=queue, environment=environment, spec=changed)


def wait_until_stopped(folders: Iterable[RunFolder]) -> list[str]:
    """Wait for runs that were asked to stop; return those still running after STOP_SECONDS."""
    clock = LoadAdjustedClock()
    while running := [folder.name for folder in folders if is_locked(folder.lock_path)]:
        if clock.read() > STOP_SECONDS:
            return running
        time.sleep(0.1)
    return []
