"""`workbench features`: compute the features of a frozen base before a run needs them."""

import os
from collections.abc import Mapping

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import ExperimentOptions, examples, json_option, with_experiment
from workbench.cli.output import echo, echo_json, worker_events
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import plural, safe_text

SLURM = "SLURM_ARRAY_TASK_"
_ARRAY = ("ID", "MIN", "STEP", "COUNT")  # its variables


@click.command(
    epilog=examples(
        "workbench features spec.toml",
        "workbench features spec.toml --shard 2/4",
        "sbatch --array=1-4 --wrap 'workbench features spec.toml'",
    )
)
@click.option(
    "--shard",
    metavar="K/N",
    help="Compute one of N equal shares, from 1. Without it: that of a SLURM array's task, else "
    "all.",
)
@json_option
@in_workspace
@with_experiment
def features(
    workspace: Workspace, given: ExperimentOptions, shard: str | None, as_json: bool
) -> None:
    """Compute what a frozen base makes of the images, for runs that follow.

    Each stage of the plan, mirror images and views of augmentation included. Several of these
    commands may run at the same time, on one machine or many that share the workspace. A run
    that is started before all shares are done computes what is left.
    """
    from workbench.app.jobs import run_trial_job
    from workbench.experiment.plan import plan_stages

    share = read_shard(shard) if shard else task_shard(os.environ)
    spec = given.spec(workspace)
    if not any(stage.cached for stage in plan_stages(spec)):
        raise UserError(
            tr("This experiment keeps no features, so there is nothing to compute in advance."),
            tr(
                "They are kept of a frozen base with base.prefix = cached; with augmentation only "
                "if base.views is the number of views of each image."
            ),
        )
    with worker_events() as handle:
        found = run_trial_job(workspace, "features", spec, {"shard": share}, handle)
    if as_json:
        echo_json({**found, "shard": share})
        return
    echo(
        tr(
            "{count} passed the base; the features are kept in data/{name}.",
            count=plural(found["computed"], "image"),
            name=safe_text(found["name"]),
        )
    )
    if found["missing"]:
        echo(
            tr(
                "{count} of other shares have not passed it yet. A run computes what is left "
                "when it starts.",
                count=plural(found["missing"], "image"),
            )
        )


def read_shard(given: str) -> tuple[int, int]:
    """Return number and count of "2/4".

    Raises:
        UserError: it is something else.
    """
    number, slash, count = given.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return int(number), int(count)
    raise UserError(
        tr("--shard: received {given}, which is not a share.", given=safe_text(given, 40)),
        tr("Allowed: K/N with K from 1 to N, such as --shard 2/4."),
    )


def task_shard(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Return number and count of a SLURM array's task; None outside of an array.

    Raises:
        UserError: a variable is no such number, or they have gaps, so that they are no shares.
    """
    if SLURM + "ID" not in environment:
        return None
    defaults = {"MIN": "0", "STEP": "1", "COUNT": "1"}
    texts = [environment.get(SLURM + name, defaults.get(name, "")) for name in _ARRAY]
    task, first, step, count = (int(text) if text.isdecimal() else -1 for text in texts)
    if min(task, first, step - 1, count - 1) < 0:
        given = ", ".join(f"{SLURM}{n}={safe_text(t)}" for n, t in zip(_ARRAY, texts, strict=True))
        raise UserError(
            tr("These are no numbers of a SLURM array: {given}.", given=given),
            tr("Give --shard K/N."),
        )
    number, gap = divmod(task - first, step)
    if gap or not 0 <= number < count:
        raise UserError(
            tr(
                "Task {task} of an array of {count} tasks from {first} is no share: the numbers "
                "have gaps.",
                task=task,
                count=count,
                first=first,
            ),
            tr("Use an array such as --array=1-{count}, or give --shard K/N.", count=count),
        )
    return number + 1, count
