"""`workbench find-rate`: a learning-rate range test, in a worker process."""

import json
import os
import sys
import textwrap
from typing import TYPE_CHECKING

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import with_spec
from workbench.cli.runs import json_option
from workbench.cli.show import say
from workbench.experiment.bounds import RANGE_TEST_STEPS
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.experiment.lr_find import Suggestion
    from workbench.experiment.spec import ExperimentSpec

MOST_WIDTH, ROWS = 100, 14


@click.command("find-rate")
@click.option(
    "--steps",
    type=click.IntRange(RANGE_TEST_STEPS.fewest, RANGE_TEST_STEPS.most),
    default=RANGE_TEST_STEPS.usual,
    show_default=True,
    help="Steps from the lowest to the highest rate.",
)
@click.option("--stage", type=int, default=1, show_default=True, help="Stage of the plan.")
@json_option
@in_workspace
@with_spec
def find_rate(
    workspace: Workspace, spec: "ExperimentSpec", steps: int, stage: int, as_json: bool
) -> None:
    """Find a learning rate: a few steps with a rate that rises from 1e-6 to 1 (Smith 2017).

    It suggests the rate at which the loss falls most steeply, or says that none stands out. No
    run is made; images and the outputs of a frozen base are kept as usual.

    \b
    workbench find-rate --preset convnet --data photos
    workbench find-rate spec.toml --steps 300
    """
    from workbench.cli.scratch_job import run_in_scratch
    from workbench.experiment.lr_find import range_stage, rate_key, shown, suggest

    tested = range_stage(spec, stage, steps)
    request = {"stage": stage, "steps": steps}
    losses = run_in_scratch(workspace, "find-rate", spec, request)["losses"]
    found = suggest(losses, steps)
    setting = f"{rate_key(tested)}={shown(found.rate)}" if found.rate else None
    if as_json:
        click.echo(json.dumps(_tree(losses, steps, found, setting), indent=1))
        return
    from rich.console import Console

    from workbench.machine.terminal import look_at_terminal
    from workbench.render.lr_find import curve
    from workbench.render.plot import plot

    console = Console(file=sys.stdout, highlight=False)
    width = min(console.width, MOST_WIDTH) - 1
    say(f"loss of stage {stage} ({tested.name}) over the learning rate, {tested.optimizer}, "
        f"{len(losses)} of {steps} steps of {spec.training.batch_size} images")  # fmt: skip
    series, options = curve(losses, steps, found, look_at_terminal(os.environ, sys.stdout).utf8)
    console.print(plot([series], width, ROWS, options), soft_wrap=True)
    for line in found.lines:
        say(textwrap.fill(line, width))
    say(f"now {tested.learning_rate:g}" + (f"; try: --set {setting}" if setting else ""))


def _tree(
    losses: list[float], steps: int, found: "Suggestion", setting: str | None
) -> dict[str, object]:
    from dataclasses import asdict

    from workbench.experiment.lr_find import FACTOR, rate_at, smoothed_losses

    return {
        **asdict(found),
        "set": setting,
        "smoothing": FACTOR,
        "rates": [rate_at(step, steps) for step in range(len(losses))],
        "losses": losses,
        "smoothed": smoothed_losses(losses),
    }
