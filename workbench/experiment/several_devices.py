"""What it brings to share each batch among several devices, as far as that can be computed.

Adding up the gradients takes time that depends on how the devices are connected. It is not known
before it is measured, so nothing here promises a speed: only what it cannot exceed.
"""

import math
from dataclasses import replace

from workbench.experiment.advice import SpecAdvice, format_setting
from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.estimate import Forecast, stage_seconds
from workbench.experiment.plan import steps_per_epoch
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.text import format_bytes, format_seconds, plural

# Operations of a step on each device, below which it mostly waits: a GPU of 10 Tflop/s takes a
# millisecond for so many, about as long as it takes to start what a step consists of.
FEW_OPERATIONS = 1e10
LITTLE = 0.25  # of an epoch's time, saved at best


def describe_sharing(forecast: Forecast, there: int) -> list[str]:
    """Return what several devices do in a plan and could save at best, a line each.

    Args:
        forecast: of the plan on one device.
        there: GPUs of this machine, by which a plan for one device could have more.

    Returns:
        [] for one device where there are no others.
    """
    costs = forecast.costs
    count = costs[0].devices
    if count == 1:
        return [_describe_others(costs, there)] if there > 1 else []
    lines = [
        tr(
            "devices  {count} share each batch of {batch}, at most {images} on each",
            count=count,
            batch=plural(costs[0].batch_size, "image"),
            images=costs[0].part,
        )
    ]
    lines += [
        "  "
        + tr("stage {number}", number=cost.stage.index + 1)
        + f"  {_describe_stage(cost, forecast)}"
        for cost in costs
    ]
    return lines


def advise_devices(spec: ExperimentSpec, classes: int) -> SpecAdvice | None:
    """Warn of several devices that mostly wait."""
    count = spec.training.devices
    if count == 1:
        return None
    sharing = [cost for cost in stage_costs(spec, classes) if cost.shares_batches]
    most = max((cost.training.flops * cost.part for cost in sharing), default=0)
    if most >= FEW_OPERATIONS:
        return None
    why = (
        tr("its steps only train what lies above kept features")
        if not sharing
        else tr("its networks or images are small")
    )
    return SpecAdvice(
        "devices",
        tr(
            "{count} devices would mostly wait in this run: {why}. Several runs at once, each on a "
            "device of its own, use them better.",
            count=count,
            why=why,
        ),
        (format_setting("training.devices", 1),),
        tr("one device; start several runs with --queue"),
    )


def _describe_others(costs: tuple[StageCost, ...], there: int) -> str:
    share = tr("; training.devices = {there} would share each batch of this one", there=there)
    return tr(
        "devices  1 of {gpus}: several runs with --queue use them all{share}",
        gpus=plural(there, "GPU"),
        share=share if any(cost.shares_batches for cost in costs) else "",
    )


def _describe_stage(cost: StageCost, forecast: Forecast) -> str:
    """Return what a stage gains at best."""
    several = tr("several runs at once (--queue) use the devices better")
    if cost.stage.is_solved:
        return tr("is solved on one device")
    if cost.stage.cached:
        return tr("short steps above kept features: little to share; {several}", several=several)
    added = tr(
        "{size} of gradients are added up in each step", size=format_bytes(4 * cost.trainable)
    )
    if forecast.speed is None:
        return tr("{added}; what it saves was not measured", added=added)
    alone, best = _epoch_seconds(cost, forecast)
    if 1 - best / alone < LITTLE:
        return tr(
            "at best an epoch takes {best} instead of {alone}: little to share; {several}",
            best=format_seconds(best),
            alone=format_seconds(alone),
            several=several,
        )
    return tr(
        "{added}; were that free, an epoch would take {best} instead of {alone}; it was not "
        "measured",
        added=added,
        best=format_seconds(best),
        alone=format_seconds(alone),
    )


def _epoch_seconds(cost: StageCost, forecast: Forecast) -> tuple[float, float]:
    """Return the seconds of an epoch on one device, and on several that need not communicate.

    Only the part of training that grows with the images is shared.
    """
    assert forecast.speed is not None
    speed, stage, train = forecast.speed, cost.stage, forecast.images["train"]
    steps = steps_per_epoch(train, cost.batch_size, stage.steps_per_epoch)
    images = train if stage.steps_per_epoch is None else steps * cost.batch_size
    alone = stage_seconds(replace(cost, devices=1), forecast.images, speed).epoch
    shared = math.ceil(images / cost.devices)
    saved = speed.training(cost.training, images, 0) - speed.training(cost.training, shared, 0)
    return alone, alone - saved
