"""`workbench find-rate`: a learning-rate range test, in a worker process."""

import json
import sys
import textwrap
from typing import TYPE_CHECKING

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import with_spec
from workbench.cli.runs import json_option
from workbench.cli.show import say
from workbench.paths import Workspace

if TYPE_CHECKING:
    from rich.text import Text

    from workbench.experiment.rate_test import Suggestion
    from workbench.experiment.spec import ExperimentSpec

FEWEST_STEPS, MOST_STEPS = 30, 10_000
MOST_WIDTH, ROWS = 100, 14
COLOR = "#5fafd7"
ROOM = 1.3  # times the highest loss before the lowest: the top of the plot


@click.command("find-rate")
@click.option(
    "--steps",
    type=click.IntRange(FEWEST_STEPS, MOST_STEPS),
    default=100,
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
    from workbench.experiment.rate_test import range_stage, rate_key, shown, suggest

    tested = range_stage(spec, stage, steps)
    request = {"stage": stage, "steps": steps}
    losses = run_in_scratch(workspace, "find-rate", spec, request)["losses"]
    found = suggest(losses, steps)
    setting = f"{rate_key(tested)}={shown(found.rate)}" if found.rate else None
    if as_json:
        click.echo(json.dumps(_tree(losses, steps, found, setting), indent=1))
        return
    from rich.console import Console

    from workbench.ui.marks import speaks_utf8

    console = Console(file=sys.stdout, highlight=False)
    width = min(console.width, MOST_WIDTH) - 1
    say(f"loss of stage {stage} ({tested.name}) over the learning rate, {tested.optimizer}, "
        f"{len(losses)} of {steps} steps of {spec.training.batch_size} images")  # fmt: skip
    console.print(curve(losses, steps, found, width, speaks_utf8()), soft_wrap=True)
    for line in found.lines:
        say(textwrap.fill(line, width))
    say(f"now {tested.learning_rate:g}" + (f"; try: --set {setting}" if setting else ""))


def curve(losses: list[float], steps: int, found: "Suggestion", width: int, utf8: bool) -> "Text":
    """The smoothed losses over the logarithm of the rate, those of the batches as dots behind."""
    from workbench.experiment.rate_test import rate_at, shown, smoothed_losses
    from workbench.ui.plot_canvas import Series
    from workbench.ui.plot_text import PlotOptions, plot

    smoothed = smoothed_losses(losses)
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    top = ROOM * max(smoothed[: lowest + 1], default=1.0)  # the blow-up would press all else flat
    values = tuple(min(loss, top) for loss in smoothed)
    dots = tuple(loss if loss <= top else None for loss in losses)
    rates = [shown(rate_at(step, steps)) for step in range(len(losses))]
    options = PlotOptions(
        epochs=len(losses),
        borders=((1, shown(rate_at(0, steps))),),
        best=rates.index(shown(found.rate)) + 1 if found.rate else None,
        best_name=shown(found.rate) if found.rate else "",
        end_name=rates[-1] if rates else "",
        utf8=utf8,
        empty="the loss is no number",
    )
    last = smoothed[-1] if smoothed else None
    return plot([Series("loss", values, COLOR, dots, last=last)], width, ROWS, options)


def _tree(
    losses: list[float], steps: int, found: "Suggestion", setting: str | None
) -> dict[str, object]:
    from dataclasses import asdict

    from workbench.experiment.rate_test import FACTOR, rate_at, smoothed_losses

    return {
        **asdict(found),
        "set": setting,
        "smoothing": FACTOR,
        "rates": [rate_at(step, steps) for step in range(len(losses))],
        "losses": losses,
        "smoothed": smoothed_losses(losses),
    }
