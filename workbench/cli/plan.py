"""`workbench plan` and `workbench layers`: what will run, and what was really frozen."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import with_spec
from workbench.cli.runs import json_option, latest_argument
from workbench.cli.show import say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import human_bytes, human_seconds, human_size, plural, safe_text

if TYPE_CHECKING:
    from workbench.experiment.cost import StageCost
    from workbench.experiment.estimate import StageSeconds
    from workbench.experiment.facts import DataFacts
    from workbench.experiment.spec import ExperimentSpec
    from workbench.machine.benchmark_store import Figures
    from workbench.runs.freeze_check import Layer, Verdict


@click.command()
@json_option
@in_workspace
@with_spec
def plan(
    workspace: Workspace,
    spec: "ExperimentSpec",
    as_json: bool,
) -> None:
    """Show the stages of an experiment and what they cost, before anything runs."""
    from workbench.cli.machine import known_figures
    from workbench.datasets.prepare import survey
    from workbench.experiment.cost import saved_bytes, stage_costs
    from workbench.experiment.estimate import stage_seconds
    from workbench.experiment.facts import expected_images
    from workbench.machine.preflight import check_weights

    check_weights(spec)
    facts = survey(spec.data.source)
    images = expected_images(facts, spec.data.split)
    costs = stage_costs(spec, facts.classes)
    figures, why_not = None, "How long? Measure this machine once: workbench check"
    try:
        figures = known_figures(spec.training.gpu)
    except UserError as error:  # a spec for another machine: its costs are the same here
        why_not = f"How long cannot be told here: {error.message}"
    seconds = [stage_seconds(cost, images, figures.speed) if figures else None for cost in costs]
    if as_json:
        stages = [
            {**asdict(cost), "seconds": asdict(took) if took else None}
            for cost, took in zip(costs, seconds, strict=True)
        ]
        click.echo(json.dumps(stages, indent=1))
        return
    title = spec.base_table.title if spec.base else spec.model.strategy
    random = " with random weights" if spec.base and spec.base.weights == "random" else ""
    say(
        f"{spec.model.strategy}: {title}{random} at {human_size(spec.data.input_shape)}, "
        f"{plural(facts.images, 'image')}, {plural(facts.classes, 'class', 'classes')}"
    )
    for cost, took in zip(costs, seconds, strict=True):
        for line in stage_lines(cost, images, took):
            say(line)
    say(f"disk     up to {human_bytes(saved_bytes(costs))} for checkpoints and the model")
    if figures:
        say(total_line(figures, facts, images, [took for took in seconds if took]))
    else:
        say(why_not)


def stage_lines(
    cost: "StageCost", images: Mapping[str, int], took: "StageSeconds | None" = None
) -> list[str]:
    """A stage in a few lines.

    Args:
        images: by "train" and "validation".
        took: what it will take, None where the machine was not measured.
    """
    stage = cost.stage
    share = cost.trainable / cost.parameters
    lines = [
        f"stage {stage.index + 1}  {stage.name}: up to {plural(stage.epochs, 'epoch')}, "
        f"{stage.optimizer} at {stage.learning_rate:g}",
        f"  trains   {cost.trainable:,} of {cost.parameters:,} parameters ({share:.0%})",
    ]
    if cost.prefix_shape:
        what = f"up to {stage.prefix} ({human_size(cost.prefix_shape)})"
        part = f"{cost.prefix_share:.0%} of the base's operations"
        if stage.cached:
            views = f" in each of {plural(stage.views_made, 'view')}" if stage.views else ""
            size = human_bytes(cost.kept_bytes(images))
            time = f", about {human_seconds(took.prefix)}" if took else ""
            lines.append(f"  prefix   {what}: {part}, once an image{views}{time}; {size} on disk")
        else:
            lines.append(f"  prefix   {what}: {part}, in every epoch")
    lines.append(f"  memory   {human_bytes(cost.memory_bytes)} for weights, state and a batch")
    if took:
        epochs = took.total - took.prefix
        lines.append(
            f"  time     about {human_seconds(took.epoch)} an epoch, "
            f"{human_seconds(epochs)} for {plural(stage.epochs, 'epoch')}"
        )
    return lines


def total_line(
    figures: "Figures", facts: "DataFacts", images: Mapping[str, int], took: "list[StageSeconds]"
) -> str:
    """What all of it will take, and where the figures come from."""
    from workbench.experiment.estimate import reading_seconds

    total = sum(one.total for one in took)
    reading = ""
    if figures.images_per_second:
        seconds = reading_seconds(facts, figures.images_per_second)
        total += seconds
        reading = f", reading the images ({human_seconds(seconds)}) included"
    device = "the CPU" if figures.kind == "cpu" else safe_text(figures.device, 40)
    return f"in all at most about {human_seconds(total)} on {device}, as measured here{reading}"


@click.command()
@latest_argument
@click.option("--all", "show_all", is_flag=True, help="Every layer, not only the blocks.")
@json_option
@in_workspace
def layers(workspace: Workspace, run: str, show_all: bool, as_json: bool) -> None:
    """Show what was frozen in a run: requested, compiled, and what the weights really did."""
    from workbench.runs.events import newest_by_stage
    from workbench.runs.folder import find_run
    from workbench.runs.freeze_check import groups_of, layers_of_stage, verdict
    from workbench.runs.reader import read_events

    folder = find_run(workspace, run)
    events = read_events(folder.events_path)
    told = newest_by_stage(events, "layers")
    stages = newest_by_stage(events, "stage_started")
    if not told:
        raise UserError(f"{folder.name} has not finished an epoch yet, so nothing can be told.")
    if as_json:
        click.echo(json.dumps(list(told.values()), indent=1))
        return
    for number, event in told.items():
        started = stages.get(number, {})
        random = "  random weights" if started.get("weights") == "random" else ""
        say(f"stage {number + 1}  {started.get('name', '?')}, after epoch {event['epoch']}{random}")
        found = [layer for layer in layers_of_stage(started, event) if layer.compiled]
        if show_all:
            say(truth_table((layer, verdict(layer)) for layer in found))
        else:
            say(truth_table((group.together, group.verdict) for group in groups_of(found)))


def truth_table(rows: "Iterable[tuple[Layer, Verdict | None]]") -> str:
    """Requested, compiled and moved, a line a row; what disagrees is marked in words."""
    lines = [
        (
            layer.name,
            human_size(layer.output_shape),
            f"{layer.parameters:,}",
            layer.requested,
            layer.compiled,
            _moved(layer.moved),
            verdict.words if verdict else "",
        )
        for layer, verdict in rows
    ]
    headers = ("layer", "output", "parameters", "requested", "compiled", "moved", "")
    return table(headers, lines, "lrrllr")


def _moved(share: float | None) -> str:
    return "-" if share is None else f"{share:.3%}" if share else "0"
