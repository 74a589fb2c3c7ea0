"""What the commands `ladder` and `sweep` share: start all runs of one, stop them, start again."""

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from workbench.cli.group import command_line
from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import plural
from workbench.words import shown

if TYPE_CHECKING:
    from workbench.cli.slurm import Job
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.sweep import Sweep


def start_trials(
    workspace: Workspace, made: "Sweep", environment: dict[str, str], job: "Job | None"
) -> None:
    """Queue the trials of a new sweep, or submit them, and print how many runs that is.

    Raises:
        UserError: SLURM refuses, and nothing is left of the sweep; or no worker can be started.
    """
    from workbench.runs.sweep_queue import start
    from workbench.runs.sweep_record import record_path

    kind, runs = made.record.kind, plural(len(made.trials), "run")
    if job is None:
        start(workspace, made, environment)
        echo(
            tr("{kind} {name}: {runs} queued", kind=shown(kind), name=made.name, runs=runs),
            err=True,
        )
        return
    try:
        _submit(workspace, made, environment, job)
    except UserError:
        record_path(workspace, made.record).unlink(missing_ok=True)
        raise


def _submit(
    workspace: Workspace,
    chosen: "Sweep",
    environment: dict[str, str],
    job: "Job",
    changed: "Mapping[int, ExperimentSpec] | None" = None,
    only: Collection[int] | None = None,
) -> int:
    """Submit an array, print its id, and return its number of runs."""
    from workbench.runs.sweep_jobs import submit_sweep

    name, profile = job
    made, runs = submit_sweep(workspace, chosen, profile, name, environment, changed, only)
    if made:
        count = plural(len(runs), "run")
        named = f"{chosen.record.kind} {chosen.name}"
        echo(tr("job    {id} of SLURM, for {count} of {named}", id=made.id, count=count,
                named=named), err=True)  # fmt: skip
    return len(runs)


def resume_trials(
    workspace: Workspace,
    chosen: "Sweep",
    environment: dict[str, str],
    changed: "Mapping[int, ExperimentSpec] | None" = None,
    job: "Job | None" = None,
    only: Collection[int] | None = None,
) -> None:
    """Queue or submit again what is not finished, and print how many runs that is.

    Args:
        workspace: Of the sweep.
        chosen: Whose trials continue.
        environment: Of the workers, beyond this process's own.
        changed: Specs of trials that continue with another one, by index.
        job: What --slurm asks for; None to train here.
        only: Indices of the trials that may be submitted, None for all.

    Raises:
        UserError: A trial cannot be trained here, or SLURM refuses.
    """
    from workbench.machine.preflight import check_before_resubmit, check_before_sweep
    from workbench.runs.folder import RunFolder
    from workbench.runs.slurm import resume_arguments
    from workbench.runs.sweep import describe_trial, pending_specs, runs_on_other_hosts
    from workbench.runs.sweep_queue import start

    specs = changed or pending_specs(workspace, chosen)
    if job:
        for spec in specs.values():
            check_before_resubmit(spec)
        queued = _submit(workspace, chosen, environment, job, changed, only)
    else:
        named = [(describe_trial(chosen.trials[at]), spec) for at, spec in specs.items()]
        check_before_sweep(named, {**os.environ, **environment})
        queued = len(start(workspace, chosen, environment, changed))
    left = runs_on_other_hosts(workspace, chosen)
    for run in left:
        words = resume_arguments(RunFolder(workspace.runs / run.name))
        again = command_line(workspace, *words, *([] if "--slurm" in words else ["--queue"]))
        echo(
            tr(
                "note   {run_name} last ran {description}. If it has ended: {again}",
                run_name=run.name,
                description=run.state.description,
                again=again,
            )
        )
    if queued or not left:
        echo(
            tr("{runs} queued.", runs=plural(queued, "run"))
            if queued
            else tr("Nothing is left to do.")
        )


def resume_command(workspace: Workspace, chosen: "Sweep") -> str:
    """Return the command that continues a sweep, as jobs if it has some."""
    from workbench.runs.sweep import Sweep, run_folders

    now = Sweep.read(workspace, chosen.record)  # runs may have been made since
    jobs = any(folder.job_path.exists() for folder in run_folders(workspace, now))
    words = ["--resume", *(["--slurm"] if jobs else [])]
    return command_line(workspace, chosen.record.kind, chosen.name, *words)


def stop_trials(workspace: Workspace, chosen: "Sweep") -> None:
    """Stop all runs of a sweep and wait for their ends.

    Raises:
        UserError: One is still running after a minute.
    """
    from workbench.app.run_control import wait_until_stopped
    from workbench.runs.sweep_queue import stop_sweep

    stopping = stop_sweep(workspace, chosen)
    if running := wait_until_stopped(stopping):
        raise UserError(
            tr("Asked to stop, but still running: {running}.", running=", ".join(running))
        )
    if stopping:
        again = resume_command(workspace, chosen)
        echo(
            tr(
                "{runs} stopped; everything is saved. Resume: {again}",
                runs=plural(len(stopping), "run"),
                again=again,
            )
        )
    else:
        echo(tr("None of its runs is running."))
