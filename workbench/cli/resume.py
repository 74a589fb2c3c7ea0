"""`workbench resume`: on with a run, as it was or with what may change."""

import sys

import click

from workbench.cli.complete import complete_changes
from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import (
    finish_environment,
    gpu_option,
    on_finish_option,
    oom_option,
    queue_option,
    shortcuts,
)
from workbench.cli.runs import run_argument
from workbench.cli.show import say
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.state import State


@click.command()
@run_argument
@click.option("--json", "as_json", is_flag=True, help="Print the events as they come.")
@click.option("--detach", is_flag=True, help="Start the run and return at once.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    shell_complete=complete_changes,
    metavar="KEY=VALUE",
    help="Change a key that may change while a run goes on, such as training.epochs.",
)
@click.option("--half-batch", is_flag=True, help="Go on with half the batch.")
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
    """Go on with a stopped, failed or interrupted run at its last checkpoint."""
    from workbench.cli.follow import watch
    from workbench.experiment.toml import dump_spec, read_spec
    from workbench.machine.preflight import look_before_resume
    from workbench.runs.changes import changed_spec
    from workbench.runs.folder import find_run
    from workbench.runs.launch import launch
    from workbench.runs.state import summarise

    folder = find_run(workspace, run)
    _check_state(workspace, folder, summarise(folder).state, anyway)
    own = read_spec(folder.spec_path)
    spec = changed_spec(own, (*settings, *shortcuts(gpu, oom)), half_batch)
    look_before_resume(spec)
    launch(
        folder,
        resume=True,
        queue=queue,
        environment=finish_environment(on_finish),
        spec=None if spec == own else dump_spec(spec),
    )
    if detach:
        does = "is queued" if queue else "trains"
        say(f"{folder.name} {does}. Watch: {command_line(workspace, 'attach', folder.name)}")
        return
    watch(workspace, folder, as_json)


def _check_state(workspace: Workspace, folder: RunFolder, state: State, anyway: bool) -> None:
    """Looks whether a run can go on; asks where nobody but the person can tell.

    Raises:
        UserError: it is finished, at work, or may be at work on another machine.
    """
    if state.word == "finished":
        raise UserError(
            f"{folder.name} is finished; there is nothing to go on with.",
            f"Its figures: {command_line(workspace, 'evaluate', folder.name)}",
        )
    if state.elsewhere:
        if not anyway:
            _ask_whether_it_ended(workspace, folder, state)
    elif not state.resumable:
        where = f" ({state.detail})" if state.detail else ""
        raise UserError(
            f"{folder.name} is being trained: it is {state.word}{where}.",
            f"Watch it: {command_line(workspace, 'attach', folder.name)}",
        )


def _ask_whether_it_ended(workspace: Workspace, folder: RunFolder, state: State) -> None:
    told = f"{folder.name} was last at work {state.told}; no lock tells here whether it has ended."
    if sys.stdin.isatty():
        say(f"{told}\nTwo workers on one run would damage it.", err=True)
        if click.confirm(f"Has its worker on {state.elsewhere} ended?", err=True):
            return
    raise UserError(
        told if not sys.stdin.isatty() else f"{folder.name} is left as it is.",
        f"Where it has ended: {command_line(workspace, 'resume', folder.name, '--anyway')}",
    )
