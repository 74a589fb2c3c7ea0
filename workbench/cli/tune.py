"""`workbench tune`: random search over the head of feature extraction, on cached features."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import ExperimentOptions, examples, json_option, with_experiment
from workbench.cli.output import echo, echo_json
from workbench.cli.worker import run_trial
from workbench.experiment.int_range import TUNE_TRIALS
from workbench.paths import Workspace
from workbench.text import format_seconds, table

if TYPE_CHECKING:
    from workbench.experiment.search_space import Trial

WIDTH = 79


@click.command(
    epilog=examples(
        "workbench tune --preset feature-extraction --base mobilenetv2-0.35 --data photos"
    )
)
@click.option(
    "--trials",
    type=click.IntRange(TUNE_TRIALS.min, TUNE_TRIALS.max),
    default=TUNE_TRIALS.default,
    show_default=True,
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    show_default=True,
    help="Seed of the search; the seed of training is training.seed.",
)
@json_option
@in_workspace
@with_experiment
def tune(
    workspace: Workspace, given: ExperimentOptions, trials: int, seed: int, as_json: bool
) -> None:
    """Tune dense layers, dropout and learning rate of a head on a frozen base.

    The base runs once and its features are kept; then every trial trains a head on them. The first
    trial is the spec as given. No run is made; Ctrl-C ends the search and shows the trials so far.
    """
    from workbench.experiment.search_space import check_tunable, parse_trial

    spec = given.spec(workspace)
    check_tunable(spec)
    done: list[Trial] = []
    images = 0

    def on_event(event: dict[str, Any]) -> None:
        nonlocal images
        if event["event"] == "trial":
            images = event["images"]
            done.append(parse_trial(event))
            echo(_line(done[-1], trials), err=True)

    try:
        run_trial(workspace, "tune", spec, {"trials": trials, "seed": seed}, on_event)
    finally:  # also after Ctrl-C, or a failure in a later trial
        if done:
            _show(workspace, given, done, images, as_json)


def train_arguments(given: ExperimentOptions, settings: Sequence[str]) -> list[str]:
    """Return the arguments of `workbench train` for the given experiment and more settings."""
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
    result = "diverged" if trial.accuracy is None else f"val accuracy {trial.accuracy:.4f}"
    values = ", ".join(setting.partition(".")[2] for setting in trial.candidate.settings)
    return f"trial {trial.number} of {trials}: {result}, {values}, {format_seconds(trial.seconds)}"


def _show(
    workspace: Workspace, given: ExperimentOptions, done: "list[Trial]", images: int, as_json: bool
) -> None:
    from workbench.experiment.search_space import describe_trials, rank_trials
    from workbench.render.strategy import TRIAL_HEADERS, trial_cells

    order, lines = rank_trials(done), describe_trials(done, images)
    best = order[0] if order[0].accuracy is not None else None
    command = (
        command_line(workspace, *train_arguments(given, best.candidate.settings)) if best else None
    )
    if as_json:
        echo_json(
            {
                "images": images,
                "trials": [asdict(trial) for trial in order],
                "words": lines,
                "command": command,
            }
        )
        return
    echo(table(TRIAL_HEADERS, [trial_cells(trial) for trial in order], "lrrrrrr"))
    for line in lines:
        echo(textwrap.fill(line, WIDTH))
    if command:
        echo(command)
