"""What a run will do and cost, as lines."""

import shlex

from workbench.experiment.advice import SpecAdvice
from workbench.experiment.cost import StageCost
from workbench.experiment.estimate import Forecast, StageSeconds
from workbench.experiment.stage_titles import stage_title
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.messages import tr
from workbench.text import (
    format_bytes,
    format_seconds,
    format_shape,
    percent,
    plural,
    safe_text,
    small_percent,
)


def stage_lines(cost: StageCost, disk: int, took: StageSeconds | None = None) -> list[str]:
    """Describe a stage in a few lines; `disk` are bytes of features, `took` is None if unknown."""
    stage = cost.stage
    share = cost.trainable / cost.parameters
    epochs = plural(stage.epochs, "epoch")
    how = tr(
        "up to {epochs}, {optimizer} at {learning_rate:g}",
        epochs=epochs,
        optimizer=stage.optimizer,
        learning_rate=stage.learning_rate,
    )
    if stage.is_solved:
        how = tr("at once")
    lines = [
        tr(
            "stage {index}  {stage}: {how}",
            index=stage.index + 1,
            stage=stage_title(stage.name),
            how=how,
        ),
        "  "
        + tr(
            "trains   {trainable:,} of {parameters:,} parameters ({share})",
            trainable=cost.trainable,
            parameters=cost.parameters,
            share=small_percent(share),
        ),
    ]
    if cost.prefix_shape:
        what = tr(
            "up to {prefix} ({prefix_shape})",
            prefix=stage.prefix,
            prefix_shape=format_shape(cost.prefix_shape),
        )
        part = tr("{share} of the base's operations", share=percent(cost.prefix_share))
        if stage.cached:
            per_image = tr("twice per image") if stage.mirrored else tr("once per image")
            views = (
                " " + tr("in each of {views}", views=plural(stage.views_made, "view"))
                if stage.views
                else ""
            )
            if len(cost.passes) < len(stage.passes):
                views += tr(", without those of stage {before}", before=stage.index)
            time = tr(", about {time}", time=format_seconds(took.prefix)) if took else ""
            size = format_bytes(disk)
            lines.append(
                tr(
                    "  prefix   {what}: {part}, {per_image}{views}{time}; {size} on disk",
                    what=what,
                    part=part,
                    per_image=per_image,
                    views=views,
                    time=time,
                    size=size,
                )
            )
        else:
            lines.append(tr("  prefix   {what}: {part}, in every epoch", what=what, part=part))
    lines.append(
        tr(
            "  memory   {memory_bytes} for weights, state and a batch{on_each}",
            memory_bytes=format_bytes(cost.memory_bytes),
            on_each=tr(" in parts, on each device") if cost.devices > 1 else "",
        )
    )
    if took and stage.is_solved:
        lines.append(tr("  time     about {seconds} to solve", seconds=format_seconds(took.epoch)))
    elif took:
        lines.append(
            tr(
                "  time     about {epoch} an epoch, {total} for {epochs}",
                epoch=format_seconds(took.epoch),
                total=format_seconds(took.total - took.prefix),
                epochs=epochs,
            )
        )
    return lines


def advice_line(advice: SpecAdvice) -> str:
    """Return a piece of advice, with the options that follow it."""
    options = " ".join(f"--set {shlex.quote(setting)}" for setting in advice.fix)
    follow = " " + tr("To follow it: {options}", options=options) if options else ""
    return tr("advice   {sentence}", sentence=advice.sentence) + follow


def total_line(measured: BenchmarkResult, expected: Forecast) -> str:
    """Describe the duration of all stages, and what it is based on."""
    seconds = format_seconds(expected.reading)
    reading = (
        tr(", reading the images ({seconds}) included", seconds=seconds)
        if measured.images_per_second
        else ""
    )
    device = tr("the CPU") if measured.kind == "cpu" else safe_text(measured.device, 40)
    if expected.costs[0].devices > 1:
        device = tr("{device} as one device", device=device)
    total = format_seconds(expected.total or 0.0)
    return tr(
        "in all about {total} on {device} if no stage ends early, as measured here{reading}",
        total=total,
        device=device,
        reading=reading,
    )
