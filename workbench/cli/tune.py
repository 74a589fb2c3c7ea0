"""Trial trainings: `workbench tune` (random search of a head), `workbench lr-find` (range test)."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import (
    ExperimentOptions,
    examples,
    json_option,
    with_experiment,
    with_spec,
)
from workbench.cli.output import echo, echo_json, terminal, worker_events
from workbench.experiment.int_range import LR_FIND_STEPS, TUNE_TRIALS
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import fill_cells, format_seconds, table

if TYPE_CHECKING:
    from workbench.experiment.lr_find import Suggestion
    from workbench.experiment.search_space import Trial
    from workbench.experiment.spec import ExperimentSpec

WIDTH = 79
MOST_WIDTH, ROWS = 100, 14  # cells of the plot of lr-find


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
    trial is the spec as given. No run is made, but the trials are kept: after Ctrl-C, or with more
    --trials, the same command goes on where it was, and `workbench sweep NAME` shows them.
    """
    from workbench.app.tune import run_search
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
            kept = tr(" (kept)") if event.get("kept") else ""
            echo(_trial_line(done[-1], trials) + kept, err=True)

    try:
        with worker_events(on_event) as handle:
            name = run_search(workspace, spec, {"trials": trials, "seed": seed}, handle)
        if name:
            echo(tr("kept in {name}", name=name), err=True)
    finally:  # also after Ctrl-C, or a failure in a later trial
        if done:
            _show_trials(workspace, given, done, images, as_json)


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


def _trial_line(trial: "Trial", trials: int) -> str:
    result = (
        tr("diverged")
        if trial.accuracy is None
        else tr("val accuracy {accuracy:.4f}", accuracy=trial.accuracy)
    )
    values = ", ".join(setting.partition(".")[2] for setting in trial.candidate.settings)
    return tr(
        "trial {number} of {trials}: {result}, {values}, {seconds}",
        number=trial.number,
        trials=trials,
        result=result,
        values=values,
        seconds=format_seconds(trial.seconds),
    )


def _show_trials(
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
        echo(fill_cells(line, WIDTH))
    if command:
        echo(command)


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
    from workbench.app.jobs import run_trial_job
    from workbench.experiment.lr_find import format_rate, learning_rate_key, lr_find_stage, suggest

    tested = lr_find_stage(spec, stage, steps)
    request = {"stage": stage, "steps": steps}
    with worker_events() as handle:
        losses = run_trial_job(workspace, "lr-find", spec, request, handle)["losses"]
    found = suggest(losses, steps)
    setting = f"{learning_rate_key(tested)}={format_rate(found.rate)}" if found.rate else None
    if as_json:
        echo_json(_lr_find_tree(losses, steps, found, setting))
        return
    from rich.console import Console

    from workbench.render.plot import plot
    from workbench.render.strategy import lr_find_plot

    console = Console(file=sys.stdout, highlight=False)
    width = min(console.width, MOST_WIDTH) - 1
    echo(
        tr(
            "loss of stage {stage} ({name}) over the learning rate, {optimizer}, "
            "{count} of {steps} steps of {batch_size} images",
            stage=stage,
            name=tested.name,
            optimizer=tested.optimizer,
            count=len(losses),
            steps=steps,
            batch_size=spec.training.batch_size,
        )
    )
    series, options = lr_find_plot(losses, steps, found, terminal().utf8)
    console.print(plot([series], width, ROWS, options), soft_wrap=True)
    for line in found.lines:
        echo(fill_cells(line, width))
    echo(
        tr("now {learning_rate:g}", learning_rate=tested.learning_rate)
        + (tr("; try: --set {setting}", setting=setting) if setting else "")
    )


def _lr_find_tree(
    losses: list[float], steps: int, found: "Suggestion", setting: str | None
) -> dict[str, object]:
    from workbench.experiment.lr_find import SMOOTHING_FACTOR, learning_rate_at, smoothed_losses

    return {
        **asdict(found),
        "set": setting,
        "smoothing": SMOOTHING_FACTOR,
        "rates": [learning_rate_at(step, steps) for step in range(len(losses))],
        "losses": losses,
        "smoothed": smoothed_losses(losses),
    }
