"""`workbench demo`: a dense baseline and a convnet on handwritten digits, side by side."""

import json
import textwrap
from dataclasses import dataclass

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.show import say, table
from workbench.paths import Workspace

SHIFT = 2  # pixels by which test digits are moved
STRATEGIES = ("dense", "convnet")


@dataclass(frozen=True)
class Outcome:
    """What one demo run came to.

    Attributes:
        interval: the 95 % confidence interval of the accuracy.
        shifted: accuracy on digits moved by SHIFT pixels, mean of eight directions.
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
    outcomes = []
    for strategy in STRATEGIES:
        outcome = _train(workspace, strategy)
        if outcome is None:  # detached or stopped
            return
        outcomes.append(outcome)
        say("")
    say(closing_table(outcomes))
    say("")
    for line in conclusions(*outcomes):
        say(textwrap.fill(line, 79))
    say(
        f"\nNext: {command_line(workspace, 'runs')}, "
        f"{command_line(workspace, 'evaluate', outcomes[-1].run)}, "
        f"or your own images: workbench train --preset convnet --data FOLDER"
    )


def closing_table(outcomes: list[Outcome]) -> str:
    """The runs side by side."""
    headers = (
        "", "test accuracy", "95 % interval", f"shifted by {SHIFT} px", "parameters", "seconds"
    )  # fmt: skip
    rows = [
        (
            o.strategy,
            f"{o.accuracy:.4f}",
            f"{o.interval[0]:.3f} to {o.interval[1]:.3f}",
            f"{o.shifted:.4f}",
            f"{o.parameters:,}",
            f"{o.seconds:.0f}",
        )
        for o in outcomes
    ]
    return table(headers, rows, "lrrrrr")


def conclusions(dense: Outcome, convnet: Outcome) -> list[str]:
    """What was seen, in words that follow from the figures."""
    ahead, behind = sorted((dense, convnet), key=lambda o: o.accuracy, reverse=True)
    if ahead.interval[0] <= behind.interval[1]:
        plain = (
            f"the two are too close to call on {dense.images} test images: their intervals overlap."
        )
    else:
        plain = f"the {ahead.strategy} network is better, beyond chance."
    gain = convnet.shifted - dense.shifted
    if gain > 0:
        shifted = (
            f"the convnet gets {convnet.shifted:.0%} right, the dense network "
            f"{dense.shifted:.0%}. A convolution finds a stroke wherever it lies; a dense layer "
            f"has to learn it anew for every place."
        )
    else:
        shifted = (
            f"the convnet was not better this time ({convnet.shifted:.0%} against "
            f"{dense.shifted:.0%}), although convolutions are there for that."
        )
    return [f"On digits as they are, {plain}", f"On digits moved by {SHIFT} pixels, {shifted}"]


def _train(workspace: Workspace, strategy: str) -> Outcome | None:
    from workbench.cli.follow import watch
    from workbench.cli.sources import preset_spec
    from workbench.cli.start_run import launch_run

    settings = (f"evaluation.shift={SHIFT}",)
    spec = preset_spec(workspace, strategy, "digits", settings)
    folder = launch_run(workspace, spec, stem=f"demo-{strategy}")
    say(f"run    {folder.name}: the {strategy} network; Ctrl-C leaves it training")
    if watch(workspace, folder, as_json=False, brief=True) != "finished":
        return None
    from workbench.runs.reader import read_events

    results = json.loads(folder.results_path.read_text(encoding="utf-8"))
    events = {event["event"]: event for event in read_events(folder.events_path)}
    return Outcome(
        strategy,
        folder.name,
        results["accuracy"],
        tuple(results["interval"]),
        results["images"],
        results["shifted"]["accuracy"],
        events["stage_started"]["parameters"],
        events["finished"]["seconds"],
    )
