"""`workbench train`: from a spec or a preset to a detached worker."""

from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import (
    Given,
    finish_environment,
    on_finish_option,
    queue_option,
    with_given,
)
from workbench.cli.show import say
from workbench.cli.start_run import data_stem, launch_run
from workbench.errors import UserError
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the events as they come.")
@click.option("--detach", is_flag=True, help="Start the run and return at once.")
@click.option(
    "--resume-on-start",
    is_flag=True,
    help="For schedulers: go on with the run of this --name where there is one.",
)
@click.option(
    "--corrected",
    metavar="RUN",
    shell_complete=complete_runs,
    help="The experiment of a run once more, with its images as `correct` set them right.",
)
@on_finish_option
@queue_option
@in_workspace
@with_given
def train(
    workspace: Workspace,
    given: Given,
    corrected: str | None,
    as_json: bool,
    detach: bool,
    resume_on_start: bool,
    on_finish: str | None,
    queue: bool,
) -> None:
    """Train in a process of its own and watch it; Ctrl-C ends the watching only.

    With --resume-on-start one line serves every start of a SLURM job that is requeued, or of a
    systemd unit: it begins the run, goes on with it, watches it, or says that it is finished. At
    SIGTERM it has the worker save a checkpoint, and exits with 143.

    \b
    workbench train --preset convnet --data photos
    workbench train spec.toml --set training.batch_size=64 --set training.epochs=5
    workbench train spec.toml --name night --resume-on-start
    """
    from workbench.cli.follow import watch

    environment = finish_environment(on_finish)
    if resume_on_start:
        from workbench.cli.scheduled import go_on_or_begin

        if detach or given.name is None or corrected is not None:
            raise UserError(
                "--resume-on-start needs --name, and goes with neither --detach nor --corrected."
            )
        go_on_or_begin(workspace, given, given.name, as_json, queue, environment)
        return
    spec = given.spec(workspace) if corrected is None else _corrected(workspace, corrected, given)
    folder = launch_run(workspace, spec, data_stem(workspace, spec), queue, environment)
    if detach:
        does = "is queued" if queue else "trains"
        say(f"{folder.name} {does}. Watch: {command_line(workspace, 'attach', folder.name)}")
        return
    if not as_json:
        say(f"run    {folder.name} ({spec.model.strategy}); Ctrl-C leaves it training")
    watch(workspace, folder, as_json)


def _corrected(workspace: Workspace, run: str, given: Given) -> "ExperimentSpec":
    """The spec of a run on its corrected images, with settings of the command line put in.

    Raises:
        UserError: another experiment is given too, nothing was corrected, or a setting is wrong.
    """
    from workbench.app.relabel import ANOTHER_EXAMINATION, corrected_spec
    from workbench.experiment.toml import apply_settings, parse_spec, spec_tree
    from workbench.runs.folder import find_run

    if any((given.file, given.preset, given.source, given.base, given.weights)):
        raise UserError(
            "--corrected takes the experiment of its run: leave out the spec, --preset, --data, "
            "--base and --weights.",
            "Other keys can be changed with --set.",
        )
    folder = find_run(workspace, run)
    tree = apply_settings(spec_tree(corrected_spec(workspace, folder)), given.settings)
    say(f"note   {ANOTHER_EXAMINATION.format(run=folder.name)}", err=True)
    return parse_spec(tree if given.name is None else {**tree, "name": given.name}, "--set")
