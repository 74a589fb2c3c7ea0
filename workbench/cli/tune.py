"""`workbench search`: random search over the head of feature extraction, on cached features."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import Given, with_given
from workbench.cli.runs import json_option
from workbench.cli.show import say, table
from workbench.experiment.bounds import SEARCH_TRIALS
from workbench.paths import Workspace
from workbench.text import human_seconds

if TYPE_CHECKING:
    from workbench.experiment.search_space import Trial

WIDTH = 79


@click.command()
@click.option(
    "--trials",
    type=click.IntRange(SEARCH_TRIALS.fewest, SEARCH_TRIALS.most),
    default=SEARCH_TRIALS.usual,
    show_default=True,
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    show_default=True,
    help="Of what is drawn; that of training is training.seed.",
)
@json_option
@in_workspace
@with_given
def search(workspace: Workspace, given: Given, trials: int, seed: int, as_json: bool) -> None:
    """Search dense layers, dropout and learning rate of a head on a frozen base.

    The base runs once and its outputs are kept; then every trial trains a head on them. The first
    trial is the spec as given. No run is made; Ctrl-C ends the search and shows what was done.

    \b
    workbench search --preset feature-extraction --base mobilenetv2-0.35 --data photos
    """
    from workbench.cli.scratch_job import run_in_scratch
    from workbench.experiment.search_space import check_searchable, trial_of

    spec = given.spec(workspace)
    check_searchable(spec)
    done: list[Trial] = []
    images = 0

    def on_event(event: dict[str, Any]) -> None:
        nonlocal images
        if event["event"] == "trial":
            images = event["images"]
            done.append(trial_of(event))
            say(_line(done[-1], trials), err=True)

    try:
        run_in_scratch(workspace, "search", spec, {"trials": trials, "seed": seed}, on_event)
    finally:  # after Ctrl-C, or a failure in a later trial, too
        if done:
            _show(workspace, given, done, images, as_json)


def train_words(given: Given, settings: Sequence[str]) -> list[str]:
    """The words of `workbench train` for what was given, with further settings."""
    words = ["train"]
    if given.file is not None:
        words.append(str(given.file))
    chosen = {"--preset": given.preset, "--data": given.source, "--base": given.base,
              "--weights": given.weights, "--name": given.name}  # fmt: skip
    for option, value in chosen.items():
        if value is not None:
            words += [option, value]
    for setting in (*given.settings, *settings):
        words += ["--set", setting]
    return words


def _line(trial: "Trial", trials: int) -> str:
    came = "diverged" if trial.accuracy is None else f"val accuracy {trial.accuracy:.4f}"
    values = ", ".join(setting.partition(".")[2] for setting in trial.candidate.settings)
    return f"trial {trial.number} of {trials}: {came}, {values}, {human_seconds(trial.seconds)}"


def _show(
    workspace: Workspace, given: Given, done: "list[Trial]", images: int, as_json: bool
) -> None:
    from workbench.experiment.search_space import in_words, ranked
    from workbench.render.trials import HEADERS, cells

    order, lines = ranked(done), in_words(done, images)
    best = order[0] if order[0].accuracy is not None else None
    command = (
        command_line(workspace, *train_words(given, best.candidate.settings)) if best else None
    )
    if as_json:
        told = {"images": images, "trials": [asdict(trial) for trial in order],
                "words": lines, "command": command}  # fmt: skip
        click.echo(json.dumps(told, indent=1))
        return
    say(table(HEADERS, [cells(trial) for trial in order], "lrrrrrr"))
    for line in lines:
        say(textwrap.fill(line, WIDTH))
    if command:
        say(command)
