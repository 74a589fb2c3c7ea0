"""`workbench resume`: continue a run, as it was or with changes."""

import sys
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_changes
from workbench.cli.group import command_line, in_workspace, note_running
from workbench.cli.options import (
    finish_environment,
    gpu_option,
    on_finish_option,
    oom_option,
    queue_option,
    run_argument,
    set_option,
    shortcuts,
)
from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

if TYPE_CHECKING:
    from workbench.runs.state import RunState


@click.command()
@run_argument
@click.option("--json", "as_json", is_flag=True, help="Print the events as they come.")
@click.option("--detach", is_flag=True, help="Start the run and return at once.")
@set_option("Change a key that a resumed run allows, such as training.epochs.", complete_changes)
@click.option("--half-batch", is_flag=True, help="Continue with half the batch.")
@oom_option
@on_finish_option
@click.option(
    "--anyway", is_flag=True, help="Do not ask whether a worker on another machine has ended."
)
@gpu_option
@queue_option
@in_workspace
def resume(
    workspace: Workspace,
    run: str,
    as_json: bool,
    detach: bool,
    settings: tuple[str, ...],
    half_batch: bool,
    oom: str | None,
    on_finish: str | None,
    anyway: bool,
    gpu: str | None,
    queue: bool,
) -> None:
    """Resume a stopped, failed or interrupted run at its last checkpoint."""
    from workbench.app.run_control import resume_run
    from workbench.cli.follow import watch
    from workbench.runs.folder import find_run
    from workbench.runs.state import summarize

    folder = find_run(workspace, run)
    _check_state(workspace, folder, summarize(folder).state, anyway)
    settings += shortcuts(gpu, oom)
    resume_run(folder, settings, half_batch, queue, finish_environment(on_finish))
    note_running(workspace, folder)
    if detach:
        state = "queued" if queue else "training"
        echo(f"{folder.name} is {state}. Watch: {command_line(workspace, 'attach', folder.name)}")
        return
    watch(workspace, folder, as_json, launched=True)


def _check_state(workspace: Workspace, folder: RunFolder, state: "RunState", anyway: bool) -> None:
    """Check that a run can be resumed; ask the user if only they can know.

    Raises:
        UserError: it is finished, running, or may be running on another machine.
    """
    if state.phase == "finished":
        raise UserError(
            f"{folder.name} is finished; there is nothing to resume.",
            f"Its metrics: {command_line(workspace, 'evaluate', folder.name)}",
        )
    if state.other_host:
        if not anyway:
            _ask_whether_it_ended(workspace, folder, state)
    elif not state.resumable:
        where = f" ({state.detail})" if state.detail else ""
        raise UserError(
            f"{folder.name} is being trained: it is {state.phase}{where}.",
            f"Watch it: {command_line(workspace, 'attach', folder.name)}",
        )


def _ask_whether_it_ended(workspace: Workspace, folder: RunFolder, state: "RunState") -> None:
    unknown = f"{folder.name} last ran {state.description}; whether it has ended is not known here."
    if sys.stdin.isatty():
        echo(f"{unknown}\nTwo workers on one run would damage it.", err=True)
        if click.confirm(f"Has its worker on {state.other_host} ended?", err=True):
            return
    raise UserError(
        unknown if not sys.stdin.isatty() else f"{folder.name} is unchanged.",
        f"If it has ended: {command_line(workspace, 'resume', folder.name, '--anyway')}",
    )
