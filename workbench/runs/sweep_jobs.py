"""A sweep as jobs of SLURM: every trial that is submitted has its run, and is a task of one array.

Its record's queue stays empty, so that no worker and no command launches a trial: SLURM does. Runs
that were made by a process that was killed before their job was submitted are submitted with the
others the next time; a run with two jobs is trained by the first and found finished by the second.
"""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.launch import prepare_resubmit
from workbench.runs.slurm import SlurmJob, submit
from workbench.runs.slurm_queue import forget
from workbench.runs.sweep import Sweep, not_written, pending, save_sweep
from workbench.runs.sweep_queue import with_run
from workbench.runs.sweep_record import SweepRecord, record_lock, record_path

if TYPE_CHECKING:
    from workbench.settings import SlurmProfile


def submit_sweep(
    workspace: Workspace,
    sweep: Sweep,
    profile: "SlurmProfile",
    profile_name: str = "",
    environment: Mapping[str, str] | None = None,
    specs: Mapping[int, ExperimentSpec] | None = None,
    only: Collection[int] | None = None,
) -> tuple[SlurmJob | None, list[RunFolder]]:
    """Submit every trial that is neither finished nor running nor submitted, as one array.

    Args:
        workspace: of the sweep, in a file system that the nodes share.
        sweep: whose trials are submitted.
        profile: what the tasks ask for.
        profile_name: to record.
        environment: variables set for the workers.
        specs: by index, of trials that continue with another one.
        only: indices of the trials that may be submitted; None for all.

    Returns:
        The job, None without anything to submit; and the runs that are its tasks, in order.

    Raises:
        UserError: SLURM refuses, or the disk cannot be written; the runs made here are gone.
        RunLocked: a run has got a worker in this moment.
    """
    texts = {at: dump_spec(spec) for at, spec in (specs or {}).items()}
    place = jobs_folder(workspace, sweep.record)
    try:
        with record_lock(workspace, sweep.record):
            before = Sweep.read(workspace, sweep.record)
            chosen = [at for at in pending(workspace, before) if only is None or at in only]
            if not chosen:
                return None, []
            now, folders = before, []
            made = [place] if not place.exists() else []
            try:
                for at in chosen:
                    trial = before.trials[at]
                    text = texts.get(at, trial.spec)
                    trials = list(now.trials)
                    trials[at] = replace(trial, spec=text, changed=False)
                    now, folder = with_run(workspace, replace(now, trials=tuple(trials)), at)
                    folders.append(folder)
                    if not trial.run:
                        made.append(folder.path)
                    else:
                        prepare_resubmit(folder, text if at in texts or trial.changed else None)
                now = save_sweep(workspace, replace(now, queue=()))
                place.mkdir(exist_ok=True)
                job = submit(folders, profile, profile_name, environment, place)
            except (UserError, OSError):
                save_sweep(workspace, before)
                for path in made:
                    shutil.rmtree(path, ignore_errors=True)  # created above, by this process
                raise
    except OSError as error:
        raise not_written(workspace, sweep.record.kind, error) from None
    forget(folders[0])
    return job, folders


def jobs_folder(workspace: Workspace, record: SweepRecord) -> Path:
    """Return the folder for job.sh and the output of a sweep's arrays."""
    return record_path(workspace, record).with_suffix("")
