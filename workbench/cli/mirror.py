"""`workbench mirror`: send runs to TensorBoard, MLflow or W&B, beside the worker."""

from dataclasses import asdict

import click

from workbench.cli.complete import complete_runs
from workbench.cli.export import exit_cleanly_on_signals
from workbench.cli.group import EXIT_ERROR, in_workspace
from workbench.cli.options import examples, json_option
from workbench.cli.output import echo, echo_json
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.trackers.tracker import PROJECT, TRACKERS, find_destination


@click.command(
    epilog=examples(
        "workbench mirror photos-1 --to tensorboard",
        "workbench mirror --all --to mlflow --at http://localhost:5000",
        "workbench mirror photos-1 --to wandb --artifacts",
    )
)
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete_runs)
@click.option("--all", "every", is_flag=True, help="All runs of the workspace.")
@click.option("--to", type=click.Choice(list(TRACKERS)), required=True, help="The tracker.")
@click.option(
    "--at",
    metavar="DIR|URI",
    help="A folder; for MLflow also the address of a server or database. Default: "
    "$MLFLOW_TRACKING_URI, $WANDB_DIR, else tensorboard/, mlruns/ or wandb/ in the workspace.",
)
@click.option(
    "--project",
    metavar="NAME",
    default=PROJECT,
    show_default=True,
    help="MLflow's experiment, W&B's project.",
)
@click.option(
    "--follow/--no-follow",
    "-f/ ",
    default=None,
    help="Until all have finished, runs that are stopped or queued included, with --all also new "
    "ones; or not at all. Default: as long as one is running.",
)
@click.option("--artifacts", is_flag=True, help="At the end also model.keras and results.json.")
@json_option
@in_workspace
def mirror(
    workspace: Workspace,
    runs: tuple[str, ...],
    every: bool,
    to: str,
    at: str | None,
    project: str,
    follow: bool | None,
    artifacts: bool,
    as_json: bool,
) -> None:
    """Send runs to an experiment tracker, the newest if none is named.

    Its own process reads the log of events; the worker is not touched, and no error of a tracker
    reaches it. Started again, it continues where it was. TensorBoard needs nothing installed here;
    W&B writes files for `wandb sync` unless there is a key.
    """
    from workbench.runs.folder import LATEST, find_run, list_runs
    from workbench.trackers.mirroring import describe_result, mirror_runs

    if every and runs:
        raise UserError(tr("Name runs, or give --all."))
    named = [find_run(workspace, name) for name in dict.fromkeys(runs or (LATEST,)) if not every]
    destination = find_destination(workspace, to, at, project)
    with exit_cleanly_on_signals():
        results = mirror_runs(
            lambda: list_runs(workspace) if every else named,
            destination,
            follow,
            artifacts,
            lambda line: echo(line, err=True),
        )
    if as_json:
        echo_json([asdict(one) for one in results])
    else:
        for one in results:
            echo(describe_result(one), err=bool(one.error))
    if any(one.error for one in results):
        click.get_current_context().exit(EXIT_ERROR)
