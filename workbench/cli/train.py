"""Commands that train a run: train and resume."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_changes, complete_runs
from workbench.cli.group import command_line, in_workspace, note_running
from workbench.cli.options import (
    ExperimentOptions,
    by_option,
    deadline_shortcut,
    examples,
    gpu_option,
    notify_option,
    oom_option,
    queue_option,
    run_argument,
    set_option,
    shortcuts,
    slurm_options,
    with_experiment,
    with_worker,
)
from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.words import shown

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.state import RunState
    from workbench.settings import SlurmProfile


@click.command(
    epilog=examples(
        "workbench train --preset convnet --data photos",
        "workbench train spec.toml --set training.batch_size=64 --set training.epochs=5",
        "workbench train spec.toml --by 07:00",
        "workbench train spec.toml --name night --resume-on-start",
        "workbench train spec.toml --slurm --slurm-set gres=gpu:1 --slurm-set time=08:00:00",
    )
)
@click.option("--json", "as_json", is_flag=True, help="Print the events as they come.")
@click.option("--detach", is_flag=True, help="Start the run and return at once.")
@click.option(
    "--resume-on-start",
    is_flag=True,
    help="For schedulers: continue the run of this --name if it exists.",
)
@click.option(
    "--corrected",
    metavar="RUN",
    shell_complete=complete_runs,
    help="The experiment of a run again, with the label fixes of `relabel`.",
)
@by_option
@queue_option
@slurm_options[0]
@slurm_options[1]
@notify_option
@in_workspace
@with_worker
@with_experiment
def train(
    workspace: Workspace,
    given: ExperimentOptions,
    corrected: str | None,
    as_json: bool,
    detach: bool,
    resume_on_start: bool,
    by: str | None,
    queue: bool,
    slurm: str | None,
    slurm_set: tuple[str, ...],
    notify: str | None,
    environment: dict[str, str],
) -> None:
    """Train in a process of its own and watch it; Ctrl-C only ends the watching.

    With --by, or training.time_budget, epochs are fitted to the time before the first step; if it
    runs short all the same, training ends early and the best so far is evaluated.

    With --resume-on-start one command serves every start of a requeued SLURM job or of a systemd
    unit: it starts the run, resumes it, watches it, or reports that it is finished. On SIGTERM the
    worker saves a checkpoint, and the command exits with 143.
    """
    from workbench.cli.follow import launch_run, watch

    job = _job(slurm, slurm_set, queue or resume_on_start)
    given = replace(given, settings=given.settings + deadline_shortcut(by))
    if resume_on_start:
        from workbench.cli.scheduled import start_or_resume

        if detach or given.name is None or corrected is not None:
            raise UserError(
                tr("--resume-on-start needs --name, and excludes --detach and --corrected.")
            )
        start_or_resume(workspace, given, given.name, as_json, queue, environment, notify)
        return
    spec = given.spec(workspace) if corrected is None else _corrected(workspace, corrected, given)
    if job:
        from workbench.cli.slurm import submit_new

        folder = submit_new(workspace, spec, job, environment)
    else:
        folder = launch_run(workspace, spec, queue=queue, environment=environment)
    if detach:
        _show_detached(workspace, folder, queue or job is not None)
        return
    if not as_json:
        echo(
            tr(
                "run    {folder_name} ({strategy}); Ctrl-C detaches, training continues",
                folder_name=folder.name,
                strategy=spec.model.strategy,
            )
        )
    watch(workspace, folder, as_json, launched=True, notify=notify)


def _show_detached(workspace: Workspace, folder: RunFolder, queued: bool) -> None:
    state = tr("queued") if queued else tr("training")
    echo(
        tr(
            "{folder_name} is {state}. Watch: {command}",
            folder_name=folder.name,
            state=state,
            command=command_line(workspace, "attach", folder.name),
        )
    )


def _corrected(workspace: Workspace, run: str, given: ExperimentOptions) -> "ExperimentSpec":
    """Return the spec of a run with its label fixes and the settings of the command line.

    Raises:
        UserError: another experiment is given too, there are no fixes, or a setting is wrong.
    """
    from workbench.app.relabel import TEST_SET_CHANGES, corrected_spec
    from workbench.experiment.toml import apply_settings, parse_spec, spec_tree
    from workbench.runs.folder import find_run

    if any((given.file, given.preset, given.source, given.base, given.weights)):
        raise UserError(
            tr(
                "--corrected uses the experiment of its run: omit the spec, "
                "--preset, --data, --base and --weights."
            ),
            tr("Other keys can be changed with --set."),
        )
    folder = find_run(workspace, run)
    tree = apply_settings(spec_tree(corrected_spec(workspace, folder)), given.settings)
    note = TEST_SET_CHANGES.format(run=folder.name)
    echo(tr("note   {message}", message=note), err=True)
    return parse_spec(tree if given.name is None else {**tree, "name": given.name}, "--set")


@click.command()
@run_argument
@click.option("--json", "as_json", is_flag=True, help="Print the events as they come.")
@click.option("--detach", is_flag=True, help="Start the run and return at once.")
@set_option("Change a key that a resumed run allows, such as training.epochs.", complete_changes)
@click.option("--half-batch", is_flag=True, help="Continue with half the batch.")
@oom_option
@by_option
@click.option(
    "--anyway", is_flag=True, help="Do not ask whether a worker on another machine has ended."
)
@gpu_option
@queue_option
@slurm_options[0]
@slurm_options[1]
@notify_option
@in_workspace
@with_worker
def resume(
    workspace: Workspace,
    run: str,
    as_json: bool,
    detach: bool,
    settings: tuple[str, ...],
    half_batch: bool,
    oom: str | None,
    by: str | None,
    anyway: bool,
    gpu: str | None,
    queue: bool,
    slurm: str | None,
    slurm_set: tuple[str, ...],
    notify: str | None,
    environment: dict[str, str],
) -> None:
    """Resume a stopped, failed or interrupted run at its last checkpoint.

    Epochs that were fitted to a deadline stay as they are, also with a new one: training ends
    early at the new one, or --set training.epochs=N changes them.
    """
    from workbench.app.run_control import resume_run
    from workbench.cli.follow import watch
    from workbench.runs.folder import find_run
    from workbench.runs.summary import summarize

    folder = find_run(workspace, run)
    job = _job(slurm, slurm_set, queue, folder)
    _check_state(workspace, folder, summarize(folder).state, anyway)
    settings += shortcuts(gpu, oom) + deadline_shortcut(by)
    if job:
        from workbench.app.slurm import resubmit_run
        from workbench.cli.slurm import report_job

        name, profile = job
        resubmit_run(folder, profile, name, settings, half_batch, environment)
        report_job(workspace, folder)
    else:
        resume_run(folder, settings, half_batch, queue, environment)
    note_running(workspace, folder)
    if detach:
        _show_detached(workspace, folder, queue or job is not None)
        return
    watch(workspace, folder, as_json, launched=True, notify=notify)


def _job(
    slurm: str | None, changes: tuple[str, ...], other: bool, folder: RunFolder | None = None
) -> "tuple[str, SlurmProfile] | None":
    """Return name and profile of the job that --slurm asks for; None without it.

    Raises:
        UserError: there is no such profile, or options do not go together.
    """
    if slurm is not None and other:
        raise UserError(
            tr("--slurm excludes --queue and --resume-on-start: SLURM queues and restarts the job.")
        )
    from workbench.cli.slurm import asked_job

    return asked_job(slurm, changes, [folder] if folder else [])


def _check_state(workspace: Workspace, folder: RunFolder, state: "RunState", anyway: bool) -> None:
    """Check that a run can be resumed; ask the user if only they can know.

    Raises:
        UserError: it is finished, running, or may be running on another machine.
    """
    if state.phase == "finished":
        raise UserError(
            tr("{folder_name} is finished; there is nothing to resume.", folder_name=folder.name),
            tr("Its metrics: {command}", command=command_line(workspace, "evaluate", folder.name)),
        )
    if state.other_host:
        if not anyway:
            _ask_whether_it_ended(workspace, folder, state)
    elif not state.resumable:
        where = f" ({state.detail})" if state.detail else ""
        raise UserError(
            tr(
                "{folder_name} is being trained: it is {phase}{where}.",
                folder_name=folder.name,
                phase=shown(state.phase),
                where=where,
            ),
            tr("Watch it: {command}", command=command_line(workspace, "attach", folder.name)),
        )


def _ask_whether_it_ended(workspace: Workspace, folder: RunFolder, state: "RunState") -> None:
    unknown = tr(
        "{folder} last ran {description}; whether it has ended is not known here.",
        folder=folder.name,
        description=state.description,
    )
    if sys.stdin.isatty():
        echo(tr("{unknown}\nTwo workers on one run would damage it.", unknown=unknown), err=True)
        if click.confirm(
            tr("Has its worker on {other_host} ended?", other_host=state.other_host), err=True
        ):
            return
    raise UserError(
        unknown
        if not sys.stdin.isatty()
        else tr("{folder_name} is unchanged.", folder_name=folder.name),
        tr(
            "If it has ended: {command}",
            command=command_line(workspace, "resume", folder.name, "--anyway"),
        ),
    )
