"""`workbench plan` and `workbench layers`: what will run, and what was really frozen."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

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
    from workbench.machine.figures import Figures

Row = dict[str, Any]


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
    from workbench.experiment.cost import stage_costs
    from workbench.experiment.estimate import stage_seconds
    from workbench.experiment.facts import expected_images

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
            views = f" in each of {plural(stage.views, 'view')}" if stage.views else ""
            cached = images["train"] * stage.views_made + images["validation"]
            size = human_bytes(cost.prefix_bytes * cached)
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
    from workbench.runs.events import newest_by_stage, read_all
    from workbench.runs.folder import find_run

    folder = find_run(workspace, run)
    events = read_all(folder.events_path)
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
        known = {row["name"]: row for row in started.get("layers", [])}
        rows = [{**known.get(row["name"], {}), **row} for row in event["layers"]]
        say(truth_table(rows if show_all else by_block(rows)))


def by_block(rows: list[Row]) -> list[Row]:
    """Layers of a block that the plan treats alike as one row; those without a block as they are.

    In a block that trains, batch normalization stays frozen unless asked otherwise: such a block
    has two rows.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        block = row.get("block") or "head"
        key = (
            (block, row["name"]) if block == "head" else (block, row["requested"], row["compiled"])
        )
        groups.setdefault(key, []).append(row)
    halved = {key[0] for key in groups if sum(other[0] == key[0] for other in groups) > 1}
    return [_together(key, group, key[0] in halved) for key, group in groups.items()]


def _together(key: tuple[str, ...], group: list[Row], halved: bool) -> Row:
    name = group[0]["name"] if key[0] == "head" else key[0]
    norms = all(row.get("kind") == "batch normalization" for row in group)
    return {
        **group[-1],
        "name": f"{name} batch norm" if halved and norms and key[0] != "head" else name,
        "parameters": sum(row.get("parameters", 0) for row in group),
        "moved": max(row["moved"] for row in group),
    }


def truth_table(rows: list[Row]) -> str:
    """Requested, compiled and moved, a line a row; what disagrees is marked in words."""
    lines = [
        (
            row["name"],
            human_size(tuple(row.get("output_shape") or ())),
            f"{row.get('parameters', 0):,}",
            row["requested"],
            row["compiled"],
            "0" if row["moved"] == 0 else f"{row['moved']:.3%}",
            _verdict(row),
        )
        for row in rows
    ]
    headers = ("layer", "output", "parameters", "requested", "compiled", "moved", "")
    return table(headers, lines, "lrrllr")


def _verdict(row: Row) -> str:
    if row["requested"] == "frozen" and row["moved"] > 0:
        return "ERROR: frozen but moved"
    if row["requested"] != row["compiled"]:
        return "ERROR: compiled otherwise"
    if row["requested"] == "trains" and row["moved"] == 0:
        return "did not move"
    return ""
