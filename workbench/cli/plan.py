"""Commands on experiments: presets, bases, plan (what a run will do), layers (what it froze)."""

import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_presets
from workbench.cli.group import in_workspace
from workbench.cli.options import (
    ExperimentOptions,
    by_option,
    data_option,
    deadline_shortcut,
    examples,
    json_option,
    latest_argument,
    with_experiment,
)
from workbench.cli.output import echo, echo_json
from workbench.errors import UserError
from workbench.experiment.stage_titles import stage_title
from workbench.messages import tr, tr_kept
from workbench.paths import Workspace
from workbench.text import format_bytes, format_moved, format_shape, plural, table
from workbench.words import shown

if TYPE_CHECKING:
    from workbench.experiment.training_section import TrainingSpec
    from workbench.machine.benchmark_store import BenchmarkResult
    from workbench.runs.freeze_check import Layer, Verdict


@click.command(
    epilog=examples("workbench presets", "workbench presets convnet --data photos > spec.toml")
)
@click.argument("name", required=False, shell_complete=complete_presets)
@data_option("Fit the preset to these images.")
@in_workspace
def presets(workspace: Workspace, name: str | None, source: str | None) -> None:
    """List the presets, or print one as a spec.toml to start from."""
    from workbench.cli.sources import preset_spec
    from workbench.experiment.presets import BOOK_FACTS, PRESETS, preset_tree
    from workbench.experiment.toml import dump_spec, parse_spec

    if name:
        if source:
            spec = preset_spec(workspace, name, source, ())
        else:  # as for photographs such as the book's cats and dogs
            spec = parse_spec(preset_tree(name, "FOLDER", BOOK_FACTS), name)
        click.echo(dump_spec(spec), nl=False)
        return
    for preset, about in PRESETS.items():
        echo(preset)
        for line in (about.title, about.expect):
            echo(f"    {tr_kept(line)}")


@click.command(epilog=examples("workbench bases"))
@json_option
def bases(as_json: bool) -> None:
    """List the pretrained networks that --base takes, with what is needed to choose one."""
    from workbench.bases.architectures import BASES
    from workbench.bases.published import file_bytes
    from workbench.bases.weights import describe_weights
    from workbench.render.bases import ALIGN, HEADERS, base_cells

    found = list(BASES.values())
    if as_json:
        echo_json(
            [
                {
                    "name": base.name,
                    "title": base.title,
                    "family": base.family,
                    "paper": base.paper,
                    "image_size": base.image_size,
                    "parameters": base.table.parameters,
                    "multiply_adds": base.table.multiply_adds,
                    "file_bytes": file_bytes(base.name),
                    "imagenet_top1": base.top1,
                    "source": base.source,
                    "weights": describe_weights(base.name, base.recommended_size, "imagenet"),
                }
                for base in found
            ]
        )
        return
    echo(table(HEADERS, [base_cells(base) for base in found], ALIGN))
    for source in dict.fromkeys(base.source for base in found):
        names = ", ".join(base.name for base in found if base.source == source)
        echo(tr("ImageNet accuracy from {source}: {names}", source=source, names=names))
    echo(
        tr(
            "It is that of images as large as a network was trained on, which may be larger than "
            "those it is recommended for here."
        )
    )


@click.command()
@by_option
@json_option
@in_workspace
@with_experiment
def plan(workspace: Workspace, given: ExperimentOptions, by: str | None, as_json: bool) -> None:
    """Show the stages of an experiment and their cost, before anything runs.

    With --by, or training.time_budget, the epochs are those that would fit now.
    """
    from workbench.bases.weights import describe_weights
    from workbench.datasets.groups import source_groups, with_groups
    from workbench.datasets.prepare import source_facts
    from workbench.datasets.sources.opening import open_source
    from workbench.experiment.base_choice import suggest_larger_base
    from workbench.experiment.cost import saved_bytes
    from workbench.experiment.several_devices import describe_sharing
    from workbench.experiment.spec_advice import advise
    from workbench.machine.driver import count_gpu_devices
    from workbench.machine.preflight import check_weights
    from workbench.render.plan import advice_line, stage_lines, total_line
    from workbench.render.strategy import forecast

    spec = replace(given, settings=given.settings + deadline_shortcut(by)).spec(workspace)
    check_weights(spec)
    source = with_groups(open_source(spec.data.source), spec.data.group)
    facts, groups = source_facts(source), source_groups(source)
    measured, why_not = None, tr("How long? Measure this machine once: workbench check")
    try:
        measured = measured_speed(spec.training)
    except UserError as error:  # a spec for another machine has the same costs here
        why_not = tr("The duration is unknown here: {message}", message=error.message)
    expected = forecast(spec, facts, measured)
    seconds = expected.seconds or (None,) * len(expected.costs)
    if as_json:
        stages = [
            {**asdict(cost), "seconds": asdict(took) if took else None}
            for cost, took in zip(expected.costs, seconds, strict=True)
        ]
        echo_json(stages)
        return
    title = spec.base_table.title if spec.base else spec.model.strategy
    random = " " + tr("with random weights") if spec.base and spec.base.weights == "random" else ""
    echo(
        tr(
            "{strategy}: {title}{random} at {input_shape}, {images}, {classes}",
            strategy=spec.model.strategy,
            title=title,
            random=random,
            input_shape=format_shape(spec.data.input_shape),
            images=plural(facts.images, "image"),
            classes=plural(facts.classes, "class", "classes"),
        )
    )
    for line in groups.lines() if groups else ():
        echo(line)
    if spec.base:
        base = spec.base
        weights = describe_weights(base.name, spec.data.image_size, base.weights)
        echo(tr("weights  {weights}", weights=weights))
    if spec.training.backend != "auto":
        echo(tr("backend  {backend}", backend=spec.training.backend))
    for cost, took in zip(expected.costs, seconds, strict=True):
        disk = cost.kept_bytes(expected.images)
        for line in stage_lines(cost, disk, took):
            echo(line)
    echo(
        tr(
            "disk     up to {saved_bytes} for checkpoints and the model",
            saved_bytes=format_bytes(saved_bytes(expected.costs)),
        )
    )
    echo(total_line(measured, expected) if measured else why_not)
    for line in describe_sharing(expected, count_gpu_devices(os.environ)):
        echo(line)
    if expected.deadline:
        echo(tr("deadline {deadline}", deadline=expected.deadline))
    for piece in advise(spec, expected.images, facts.classes):
        echo(advice_line(piece))
    kind = measured.kind if measured else ""
    if spec.base and (larger := suggest_larger_base(spec.base.name, kind)):
        echo(larger)


def measured_speed(training: "TrainingSpec") -> "BenchmarkResult | None":
    """Return the benchmark of the device that a run would use; None if it was not measured.

    Raises:
        UserError: the requested GPU does not exist.
    """
    from workbench.machine.backends import backend_environment
    from workbench.machine.benchmark_store import BenchmarkStore
    from workbench.machine.driver import expected_device
    from workbench.machine.gpus import NONE

    gpu = training.gpu
    store = BenchmarkStore(expected_device(gpu), backend_environment(training.backend))
    found = store.load()
    return None if found and gpu == NONE and found.kind != "cpu" else found


@click.command()
@latest_argument
@click.option("--all", "show_all", is_flag=True, help="Every layer, not only the blocks.")
@json_option
@in_workspace
def layers(workspace: Workspace, run: str, show_all: bool, as_json: bool) -> None:
    """Show what was frozen in a run: requested, compiled, and how far the weights moved."""
    from workbench.runs.event_log import read_events
    from workbench.runs.events import LayersChecked, StageStarted, newest_by_stage
    from workbench.runs.folder import find_run
    from workbench.runs.freeze_check import group_by_block, layers_of_stage, verdict

    folder = find_run(workspace, run)
    events = read_events(folder.events_path)
    checks = newest_by_stage(events, LayersChecked)
    stages = newest_by_stage(events, StageStarted)
    if not checks:
        raise UserError(
            tr(
                "{folder_name} has not finished an epoch yet: nothing is known.",
                folder_name=folder.name,
            )
        )
    if as_json:
        echo_json([event.as_dict() for event in checks.values()])
        return
    for number, event in checks.items():
        started = stages.get(number) or StageStarted(stage=number, name="?")
        random = "  " + tr("random weights") if started.weights == "random" else ""
        echo(
            tr(
                "stage {number}  {started}, after epoch {epoch}{random}",
                number=number + 1,
                started=stage_title(started.name),
                epoch=event.epoch,
                random=random,
            )
        )
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
            shown(layer.requested),
            shown(layer.compiled),
            format_moved(layer.moved),
            verdict.message if verdict else "",
        )
        for layer, verdict in rows
    ]
    headers = (
        tr("layer"),
        tr("output"),
        tr("parameters"),
        tr("requested"),
        tr("compiled"),
        tr("moved"),
        "",
    )
    return table(headers, lines, "lrrllr")
