"""`workbench plan` and `workbench layers`: what a run will do, and what it really froze."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import json_option, latest_argument, with_spec
from workbench.cli.output import echo, echo_json
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import format_bytes, format_seconds, format_shape, plural, safe_text, table

if TYPE_CHECKING:
    from workbench.experiment.cost import StageCost
    from workbench.experiment.estimate import StageSeconds
    from workbench.experiment.facts import DataFacts
    from workbench.experiment.spec import ExperimentSpec
    from workbench.machine.benchmark_store import BenchmarkResult
    from workbench.runs.freeze_check import Layer, Verdict


@click.command()
@json_option
@in_workspace
@with_spec
def plan(workspace: Workspace, spec: "ExperimentSpec", as_json: bool) -> None:
    """Show the stages of an experiment and their cost, before anything runs."""
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
        figures = _measured_speed(spec.training.gpu)
    except UserError as error:  # a spec for another machine has the same costs here
        why_not = f"The duration is unknown here: {error.message}"
    seconds = [stage_seconds(cost, images, figures.speed) if figures else None for cost in costs]
    if as_json:
        stages = [
            {**asdict(cost), "seconds": asdict(took) if took else None}
            for cost, took in zip(costs, seconds, strict=True)
        ]
        echo_json(stages)
        return
    title = spec.base_table.title if spec.base else spec.model.strategy
    random = " with random weights" if spec.base and spec.base.weights == "random" else ""
    echo(
        f"{spec.model.strategy}: {title}{random} at {format_shape(spec.data.input_shape)}, "
        f"{plural(facts.images, 'image')}, {plural(facts.classes, 'class', 'classes')}"
    )
    for cost, took in zip(costs, seconds, strict=True):
        for line in stage_lines(cost, images, took):
            echo(line)
    echo(f"disk     up to {format_bytes(saved_bytes(costs))} for checkpoints and the model")
    if figures:
        echo(total_line(figures, facts, images, [took for took in seconds if took]))
    else:
        echo(why_not)


def _measured_speed(gpu: int | str) -> "BenchmarkResult | None":
    """Return the benchmark of the device that a run would use; None if it was not measured.

    Raises:
        UserError: the requested GPU does not exist.
    """
    from workbench.machine.benchmark_store import BenchmarkStore
    from workbench.machine.check import find_gpu
    from workbench.machine.gpus import NONE

    figures = BenchmarkStore(find_gpu(gpu).device_name).load()
    return None if figures and gpu == NONE and figures.kind != "cpu" else figures


def stage_lines(
    cost: "StageCost", images: Mapping[str, int], took: "StageSeconds | None" = None
) -> list[str]:
    """Describe a stage in a few lines.

    The numbers of images are by "train" and "validation"; `took` is None without a measurement.
    """
    stage = cost.stage
    share = cost.trainable / cost.parameters
    lines = [
        f"stage {stage.index + 1}  {stage.name}: up to {plural(stage.epochs, 'epoch')}, "
        f"{stage.optimizer} at {stage.learning_rate:g}",
        f"  trains   {cost.trainable:,} of {cost.parameters:,} parameters ({share:.0%})",
    ]
    if cost.prefix_shape:
        what = f"up to {stage.prefix} ({format_shape(cost.prefix_shape)})"
        part = f"{cost.prefix_share:.0%} of the base's operations"
        if stage.cached:
            views = f" in each of {plural(stage.views_made, 'view')}" if stage.views else ""
            size = format_bytes(cost.kept_bytes(images))
            time = f", about {format_seconds(took.prefix)}" if took else ""
            lines.append(f"  prefix   {what}: {part}, once per image{views}{time}; {size} on disk")
        else:
            lines.append(f"  prefix   {what}: {part}, in every epoch")
    lines.append(f"  memory   {format_bytes(cost.memory_bytes)} for weights, state and a batch")
    if took:
        epochs = took.total - took.prefix
        lines.append(
            f"  time     about {format_seconds(took.epoch)} an epoch, "
            f"{format_seconds(epochs)} for {plural(stage.epochs, 'epoch')}"
        )
    return lines


def total_line(
    figures: "BenchmarkResult",
    facts: "DataFacts",
    images: Mapping[str, int],
    took: "list[StageSeconds]",
) -> str:
    """Describe the duration of all stages, and what it is based on."""
    from workbench.experiment.estimate import reading_seconds

    total = sum(one.total for one in took)
    reading = ""
    if figures.images_per_second:
        seconds = reading_seconds(facts, figures.images_per_second)
        total += seconds
        reading = f", reading the images ({format_seconds(seconds)}) included"
    device = "the CPU" if figures.kind == "cpu" else safe_text(figures.device, 40)
    return f"in all at most about {format_seconds(total)} on {device}, as measured here{reading}"


@click.command()
@latest_argument
@click.option("--all", "show_all", is_flag=True, help="Every layer, not only the blocks.")
@json_option
@in_workspace
def layers(workspace: Workspace, run: str, show_all: bool, as_json: bool) -> None:
    """Show what was frozen in a run: requested, compiled, and how far the weights moved."""
    from workbench.runs.events import LayersChecked, StageStarted, newest_by_stage
    from workbench.runs.folder import find_run
    from workbench.runs.freeze_check import group_by_block, layers_of_stage, verdict
    from workbench.runs.reader import read_events

    folder = find_run(workspace, run)
    events = read_events(folder.events_path)
    checks = newest_by_stage(events, LayersChecked)
    stages = newest_by_stage(events, StageStarted)
    if not checks:
        raise UserError(f"{folder.name} has not finished an epoch yet: nothing is known.")
    if as_json:
        echo_json([event.as_dict() for event in checks.values()])
        return
    for number, event in checks.items():
        started = stages.get(number) or StageStarted(stage=number, name="?")
        random = "  random weights" if started.weights == "random" else ""
        echo(f"stage {number + 1}  {started.name}, after epoch {event.epoch}{random}")
        found = [layer for layer in layers_of_stage(started, event) if layer.compiled]
        if show_all:
            echo(freeze_table((layer, verdict(layer)) for layer in found))
        else:
            echo(freeze_table((group.combined, group.verdict) for group in group_by_block(found)))


def freeze_table(rows: "Iterable[tuple[Layer, Verdict | None]]") -> str:
    """Format requested, compiled and moved, a line per row; a disagreement is described."""
    lines = [
        (
            layer.name,
            format_shape(layer.output_shape),
            f"{layer.parameters:,}",
            layer.requested,
            layer.compiled,
            _moved(layer.moved),
            verdict.message if verdict else "",
        )
        for layer, verdict in rows
    ]
    headers = ("layer", "output", "parameters", "requested", "compiled", "moved", "")
    return table(headers, lines, "lrrllr")


def _moved(share: float | None) -> str:
    return "-" if share is None else f"{share:.3%}" if share else "0"
