"""`workbench demo`: a dense baseline and a convnet on handwritten digits, side by side."""

import json
import textwrap
from dataclasses import dataclass

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.output import echo, progress_bar
from workbench.paths import Workspace
from workbench.text import table


@dataclass(frozen=True)
class DemoResult:
    """The result of one run of the demo.

    Attributes:
        interval: the 95 % confidence interval of the accuracy.
        shifted: accuracy on shifted digits, mean of eight directions.
        seconds: from the worker's start to its end.
    """

    strategy: str
    run: str
    accuracy: float
    interval: tuple[float, float]
    images: int
    shifted: float
    parameters: int
    seconds: float


@click.command()
@in_workspace
def demo(workspace: Workspace) -> None:
    """Train a dense baseline and a convnet on small digits, and compare them.

    Needs no network and no GPU; takes a minute or two on two cores.
    """
    from workbench.app.run_control import DEMO, DEMO_SHIFT

    results = []
    for strategy in DEMO:
        result = _train(workspace, strategy)
        if result is None:  # detached or stopped
            return
        results.append(result)
        echo("")
    echo(result_table(results, DEMO_SHIFT))
    echo("")
    for line in conclusions(results[0], results[1], DEMO_SHIFT):
        echo(textwrap.fill(line, 79))
    echo(
        f"\nNext: {command_line(workspace, 'runs')}, "
        f"{command_line(workspace, 'evaluate', results[-1].run)}, "
        f"or your own images: workbench train --preset convnet --data FOLDER"
    )


def result_table(results: list[DemoResult], shift: int) -> str:
    """Format the runs side by side."""
    headers = ("", "test accuracy", "95 % interval", f"shifted by {shift} px", "parameters",
               "seconds")  # fmt: skip
    rows = [
        (
            one.strategy,
            f"{one.accuracy:.4f}",
            f"{one.interval[0]:.3f} to {one.interval[1]:.3f}",
            f"{one.shifted:.4f}",
            f"{one.parameters:,}",
            f"{one.seconds:.0f}",
        )
        for one in results
    ]
    return table(headers, rows, "lrrrrr")


def conclusions(dense: DemoResult, convnet: DemoResult, shift: int) -> list[str]:
    """Return conclusions that follow from the results."""
    ahead, behind = sorted((dense, convnet), key=lambda one: one.accuracy, reverse=True)
    if ahead.interval[0] <= behind.interval[1]:
        plain = (
            f"the two are too close to call on {dense.images} test images: their intervals overlap."
        )
    else:
        plain = f"the {ahead.strategy} network is better, beyond chance."
    if convnet.shifted > dense.shifted:
        shifted = (
            f"the convnet gets {convnet.shifted:.0%} right, the dense network "
            f"{dense.shifted:.0%}. A convolution finds a stroke at any place; a dense layer "
            f"has to learn it again for every place."
        )
    else:
        shifted = (
            f"the convnet was not better this time ({convnet.shifted:.0%} against "
            f"{dense.shifted:.0%}), although convolutions are made for that."
        )
    return [f"On digits as they are, {plain}", f"On digits moved by {shift} pixels, {shifted}"]


def _train(workspace: Workspace, strategy: str) -> DemoResult | None:
    from workbench.app.run_control import demo_spec
    from workbench.cli.follow import launch_run, watch
    from workbench.runs.event_log import read_events
    from workbench.runs.history import fold

    with progress_bar() as progress:
        spec = demo_spec(workspace, strategy, progress)
    folder = launch_run(workspace, spec, stem=f"demo-{strategy}")
    echo(f"run    {folder.name}: the {strategy} network; Ctrl-C detaches, training continues")
    if watch(workspace, folder, as_json=False, brief=True) != "finished":
        return None
    metrics = json.loads(folder.results_path.read_text(encoding="utf-8"))
    history = fold(read_events(folder.events_path))
    stage = history.stages[max(history.stages)]
    return DemoResult(
        strategy,
        folder.name,
        metrics["accuracy"],
        tuple(metrics["interval"]),
        metrics["images"],
        metrics["shifted"]["accuracy"],
        stage.started.parameters or 0,
        history.seconds_worked or 0.0,
    )
