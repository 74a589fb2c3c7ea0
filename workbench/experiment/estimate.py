"""Estimates of the time that stages take on a benchmarked device, and the forecast of a plan."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.plan import steps_per_epoch
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.throughput import PREFIX_BATCH, ThroughputModel

# Seconds of an epoch that do not depend on its images: events and files; for each trained weight
# saving the best epoch; for each weight of the whole network the freeze check.
EPOCH_SECONDS = 0.05
SAVE_SECONDS = 1e-8
FREEZE_CHECK_SECONDS = 2e-9
# Strengths of regularization that cross-validation tries, each a system of equations a fold; and
# operations a second of their solution on two cores of a server's processor.
PROBE_VALUES = 13
PROBE_FLOPS = 3e10
MEASURED_PIXELS = 500 * 375  # of the JPEGs that `machine.decoding` reads


@dataclass(frozen=True)
class StageSeconds:
    """Time of a stage.

    Attributes:
        epoch: seconds of one epoch, validation included.
        prefix: seconds of computing the frozen prefix once for every image and view; 0 without a
            cache.
        total: seconds of the stage if it runs all its epochs.
    """

    epoch: float
    prefix: float
    total: float


def stage_seconds(
    cost: StageCost,
    images: Mapping[str, int],
    speed: ThroughputModel,
    missing: int | None = None,
) -> StageSeconds:
    """Estimate a stage.

    The time of a step is the sum of its operations at the device's measured rate, of its output
    bytes at another, and of a constant. Threads read from the pack and augment in parallel; that
    is not counted.

    Args:
        cost: of the stage.
        images: by "train" and "validation".
        speed: of the device.
        missing: images of a cached prefix whose features are still to be computed; None: all.
    """
    stage = cost.stage
    if stage.is_solved:
        return _solving(cost, images, speed, missing)
    validated = images["validation"]
    steps = steps_per_epoch(images["train"], cost.batch_size, stage.steps_per_epoch)
    trained = images["train"] if stage.steps_per_epoch is None else steps * cost.batch_size
    epoch = (
        speed.training(cost.training, trained, steps)
        + steps * cost.trainable * speed.update
        + speed.forward(cost.forward, validated, math.ceil(validated / cost.batch_size))
        + EPOCH_SECONDS
        + cost.trainable * SAVE_SECONDS
        + cost.parameters * FREEZE_CHECK_SECONDS
    )
    once = 0.0
    if stage.cached:
        passed = cost.images_passed(images)
        once = speed.prefix(cost.prefix, passed if missing is None else min(passed, missing))
    elif stage.prefix is not None:
        passed = trained + validated
        epoch += speed.prefix(cost.prefix, passed)
    return StageSeconds(epoch, once, once + stage.epochs * epoch)


def evaluation_seconds(cost: StageCost, images: int, passes: int, speed: ThroughputModel) -> float:
    """Return the seconds of passing test images through the whole network, so many times.

    Args:
        cost: of any stage.
        images: in one pass.
        passes: over all of them.
        speed: of the device.
    """
    steps = passes * math.ceil(images / PREFIX_BATCH)
    above = speed.forward(cost.forward, passes * images, steps)
    return above + (speed.prefix(cost.prefix, passes * images) if cost.stage.prefix else 0.0)


def _solving(
    cost: StageCost, images: Mapping[str, int], speed: ThroughputModel, missing: int | None
) -> StageSeconds:
    """Estimate a solved stage: its features, and the systems of equations of cross-validation."""
    assert cost.prefix_shape is not None
    images_fitted = images["train"] + (images["validation"] if cost.stage.fits_validation else 0)
    systems = PROBE_VALUES * cost.stage.folds + 1
    rows, width = images_fitted * (2 if cost.stage.mirrored else 1), cost.prefix_shape[-1]
    smaller, larger = min(rows, width), max(rows, width)
    operations = 2 * smaller**2 * larger + systems * smaller**3 / 3
    seconds = operations / PROBE_FLOPS
    passed = cost.images_passed(images)
    once = speed.prefix(cost.prefix, passed if missing is None else min(passed, missing))
    return StageSeconds(seconds, once, once + seconds)


def reading_seconds(facts: DataFacts, images_per_second: float) -> float:
    """Return the seconds to scan and pack every image: each is decoded twice.

    Args:
        facts: of the data.
        images_per_second: JPEGs of 500 x 375 pixels; decoding time is proportional to pixels.
    """
    height, width = facts.image_size
    return 2 * facts.images * height * width / MEASURED_PIXELS / images_per_second


@dataclass(frozen=True)
class Forecast:
    """What a plan costs.

    Attributes:
        costs: of each stage.
        images: of each split, as expected.
        speed: of the device; None if it was not benchmarked.
        seconds: of each stage; empty without a benchmark.
        reading: seconds of reading the images; 0 if unknown.
        device: that was benchmarked, as text.
        deadline: what a deadline changes, or that it leaves too little time; "" otherwise.
    """

    costs: tuple[StageCost, ...]
    images: Mapping[str, int]
    speed: ThroughputModel | None = None
    seconds: tuple[StageSeconds, ...] = ()
    reading: float = 0.0
    device: str = ""
    deadline: str = ""

    @property
    def cached_bytes(self) -> int:
        """Bytes of all features that the stages cache."""
        return sum(cost.kept_bytes(self.images) for cost in self.costs)

    @property
    def total(self) -> float | None:
        """Seconds of all stages at most, with reading; None if the device was not benchmarked."""
        if self.speed is None:
            return None
        return self.reading + sum(one.total for one in self.seconds)


def make_forecast(
    spec: ExperimentSpec,
    facts: DataFacts,
    speed: ThroughputModel | None,
    images_per_second: float | None = None,
    device: str = "",
) -> Forecast:
    """Return what the plan of a spec costs.

    Args:
        spec: the experiment.
        facts: of its images.
        speed: of the device; None if it was not benchmarked.
        images_per_second: as of `reading_seconds`; None if unknown.
        device: as text.
    """
    costs = tuple(stage_costs(spec, facts.classes))
    images = expected_images(facts, spec.data.split)
    if speed is None:
        return Forecast(costs, images)
    seconds = tuple(stage_seconds(cost, images, speed) for cost in costs)
    reading = reading_seconds(facts, images_per_second) if images_per_second else 0.0
    return Forecast(costs, images, speed, seconds, reading, device)
