"""`workbench train`: start a detached worker from a spec or a preset."""

from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import (
    ExperimentOptions,
    examples,
    finish_environment,
    on_finish_option,
    queue_option,
    with_experiment,
)
from workbench.cli.output import echo
from workbench.cli.worker import launch_run
from workbench.errors import UserError
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec


@click.command(
    epilog=examples(
        "workbench train --preset convnet --data photos",
        "workbench train spec.toml --set training.batch_size=64 --set training.epochs=5",
        "workbench train spec.toml --name night --resume-on-start",
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
@on_finish_option
@queue_option
@in_workspace
@with_experiment
def train(
    workspace: Workspace,
    given: ExperimentOptions,
    corrected: str | None,
    as_json: bool,
    detach: bool,
    resume_on_start: bool,
    on_finish: str | None,
    queue: bool,
) -> None:
    """Train in a process of its own and watch it; Ctrl-C only ends the watching.

    With --resume-on-start one command serves every start of a requeued SLURM job or of a systemd
    unit: it starts the run, resumes it, watches it, or reports that it is finished. On SIGTERM the
    worker saves a checkpoint, and the command exits with 143.
    """
    from workbench.cli.follow import watch

    environment = finish_environment(on_finish)
    if resume_on_start:
        from workbench.cli.scheduled import start_or_resume

        if detach or given.name is None or corrected is not None:
            raise UserError(
                "--resume-on-start needs --name, and excludes --detach and --corrected."
            )
        start_or_resume(workspace, given, given.name, as_json, queue, environment)
        return
    spec = given.spec(workspace) if corrected is None else _corrected(workspace, corrected, given)
    folder = launch_run(workspace, spec, queue=queue, environment=environment)
    if detach:
        state = "queued" if queue else "training"
        echo(f"{folder.name} is {state}. Watch: {command_line(workspace, 'attach', folder.name)}")
        return
    if not as_json:
        echo(f"run    {folder.name} ({spec.model.strategy}); Ctrl-C detaches, training continues")
    watch(workspace, folder, as_json, launched=True)


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
            "--corrected uses the experiment of its run: omit the spec, --preset, --data, "
            "--base and --weights.",
            "Other keys can be changed with --set.",
        )
    folder = find_run(workspace, run)
    tree = apply_settings(spec_tree(corrected_spec(workspace, folder)), given.settings)
    echo(f"note   {TEST_SET_CHANGES.format(run=folder.name)}", err=True)
    return parse_spec(tree if given.name is None else {**tree, "name": given.name}, "--set")
