"""The command `demo`: a dense baseline and a convnet on small digits, compared."""

from dataclasses import dataclass

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.output import echo, progress_bar
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import fill_cells, format_interval, percent, table


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
        result = _train_demo(workspace, strategy)
        if result is None:  # detached or stopped
            return
        results.append(result)
        echo("")
    echo(demo_table(results, DEMO_SHIFT))
    echo("")
    for line in demo_conclusions(results[0], results[1], DEMO_SHIFT):
        echo(fill_cells(line, 79))
    echo(
        tr(
            "\n"
            "Next: {list_runs}, {evaluate}, or your own images: workbench train "
            "--preset linear-probe --data FOLDER",
            list_runs=command_line(workspace, "runs"),
            evaluate=command_line(workspace, "evaluate", results[-1].run),
        )
    )


def demo_table(results: list[DemoResult], shift: int) -> str:
    """Format the runs side by side."""
    headers = (
        "", tr("test accuracy"), tr("95 % interval"), tr("shifted by {shift} px", shift=shift),
        tr("parameters"), tr("seconds"),
    )  # fmt: skip
    rows = [
        (
            one.strategy,
            f"{one.accuracy:.4f}",
            format_interval(one.interval),
            f"{one.shifted:.4f}",
            f"{one.parameters:,}",
            f"{one.seconds:.0f}",
        )
        for one in results
    ]
    return table(headers, rows, "lrrrrr")


def demo_conclusions(dense: DemoResult, convnet: DemoResult, shift: int) -> list[str]:
    """Return conclusions that follow from the results."""
    ahead, behind = sorted((dense, convnet), key=lambda one: one.accuracy, reverse=True)
    if ahead.interval[0] <= behind.interval[1]:
        plain = tr(
            "the two are too close to call on {images} test images: their intervals overlap.",
            images=dense.images,
        )
    else:
        plain = tr("the {strategy} network is better, beyond chance.", strategy=ahead.strategy)
    if convnet.shifted > dense.shifted:
        shifted = tr(
            "the convnet gets {shifted} right, the dense network {shifted_2}. "
            "A convolution finds a stroke at any place; a dense layer has to learn it "
            "again for every place.",
            shifted=percent(convnet.shifted),
            shifted_2=percent(dense.shifted),
        )
    else:
        shifted = tr(
            "the convnet was not better this time ({shifted} against "
            "{shifted_2}), although convolutions are made for that.",
            shifted=percent(convnet.shifted),
            shifted_2=percent(dense.shifted),
        )
    return [
        tr("On digits as they are, {plain}", plain=plain),
        tr("On digits moved by {shift} pixels, {shifted}", shift=shift, shifted=shifted),
    ]


def _train_demo(workspace: Workspace, strategy: str) -> DemoResult | None:
    from workbench.app.run_control import demo_spec
    from workbench.cli.follow import launch_run, watch
    from workbench.runs.event_log import read_events
    from workbench.runs.history import fold
    from workbench.runs.results import read_results

    with progress_bar() as progress:
        spec = demo_spec(workspace, strategy, progress)
    folder = launch_run(workspace, spec, stem=f"demo-{strategy}")
    echo(
        tr(
            "run    {folder_name}: the {strategy} network; Ctrl-C detaches, training continues",
            folder_name=folder.name,
            strategy=strategy,
        )
    )
    if watch(workspace, folder, as_json=False, brief=True) != "finished":
        return None
    results = read_results(folder.results_path)
    history = fold(read_events(folder.events_path))
    stage = history.stages[max(history.stages)]
    return DemoResult(
        strategy,
        folder.name,
        results.accuracy,
        results.interval,
        results.images,
        results.shifted[1] if results.shifted else 0.0,
        stage.started.parameters or 0,
        history.seconds_worked or 0.0,
    )
