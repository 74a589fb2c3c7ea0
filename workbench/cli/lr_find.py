"""`workbench lr-find`: a learning-rate range test, in a worker process."""

import sys
import textwrap
from typing import TYPE_CHECKING

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import examples, json_option, with_spec
from workbench.cli.output import echo, echo_json, terminal
from workbench.cli.worker import run_trial
from workbench.experiment.int_range import LR_FIND_STEPS
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.experiment.lr_find import Suggestion
    from workbench.experiment.spec import ExperimentSpec

MOST_WIDTH, ROWS = 100, 14


@click.command(
    epilog=examples(
        "workbench lr-find --preset convnet --data photos",
        "workbench lr-find spec.toml --steps 300",
    )
)
@click.option(
    "--steps",
    type=click.IntRange(LR_FIND_STEPS.min, LR_FIND_STEPS.max),
    default=LR_FIND_STEPS.default,
    show_default=True,
    help="Steps from the lowest to the highest rate.",
)
@click.option("--stage", type=int, default=1, show_default=True, help="Stage of the plan.")
@json_option
@in_workspace
@with_spec
def lr_find(
    workspace: Workspace, spec: "ExperimentSpec", steps: int, stage: int, as_json: bool
) -> None:
    """Find a learning rate: a few steps with a rate that rises from 1e-6 to 1 (Smith 2017).

    Suggests the rate at which the loss falls most steeply, or reports that none stands out. No
    run is made; prepared images and features of a frozen base are kept as usual.
    """
    from workbench.experiment.lr_find import format_rate, learning_rate_key, lr_find_stage, suggest

    tested = lr_find_stage(spec, stage, steps)
    request = {"stage": stage, "steps": steps}
    losses = run_trial(workspace, "lr-find", spec, request)["losses"]
    found = suggest(losses, steps)
    setting = f"{learning_rate_key(tested)}={format_rate(found.rate)}" if found.rate else None
    if as_json:
        echo_json(_tree(losses, steps, found, setting))
        return
    from rich.console import Console

    from workbench.render.plot import plot
    from workbench.render.strategy import lr_find_plot

    console = Console(file=sys.stdout, highlight=False)
    width = min(console.width, MOST_WIDTH) - 1
    echo(f"loss of stage {stage} ({tested.name}) over the learning rate, {tested.optimizer}, "
        f"{len(losses)} of {steps} steps of {spec.training.batch_size} images")  # fmt: skip
    series, options = lr_find_plot(losses, steps, found, terminal().utf8)
    console.print(plot([series], width, ROWS, options), soft_wrap=True)
    for line in found.lines:
        echo(textwrap.fill(line, width))
    echo(f"now {tested.learning_rate:g}" + (f"; try: --set {setting}" if setting else ""))


def _tree(
    losses: list[float], steps: int, found: "Suggestion", setting: str | None
) -> dict[str, object]:
    from dataclasses import asdict

    from workbench.experiment.lr_find import SMOOTHING_FACTOR, learning_rate_at, smoothed_losses

    return {
        **asdict(found),
        "set": setting,
        "smoothing": SMOOTHING_FACTOR,
        "rates": [learning_rate_at(step, steps) for step in range(len(losses))],
        "losses": losses,
        "smoothed": smoothed_losses(losses),
    }
