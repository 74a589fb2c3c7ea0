"""Estimates of the time that stages take on a benchmarked device, and the forecast of a plan."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from workbench.experiment.cost import ComputeCost, StageCost, stage_costs
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.plan import steps_per_epoch
from workbench.experiment.spec import ExperimentSpec

# Outputs of normalizations, activations and additions are only written and read once; measured
# against a convolution with bias, activation and pooling.
LIGHT_FORWARD = 0.45
LIGHT_TRAINING = 0.3
# What a layer adds to a step, as a share of the step of a network of TINY_LAYERS.
TINY_LAYERS = 3
LAYER_FORWARD = 1 / 10
LAYER_TRAINING = 1 / 6
PREFIX_BATCH = 32  # images a step while `training.features` computes features
# Where an image's position in a batch affects its last bits, images pass one by one within a step,
# and this many cost as much as a step: measured with MobileNetV2 at 96 and 160 pixels.
PREFIX_BATCH_SINGLE = 6
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


class ThroughputModel(BaseModel):
    """Throughput of a device, measured with small networks (see `training.probe`).

    Attributes:
        forward_flops: operations a second of a VGG16-like convolution, forward.
        training_flops: the same while training, forward and backward counted.
        forward_bytes: output bytes a second of convolutions of few channels and poolings.
        training_bytes: the same while training.
        forward_step: seconds of a step of a tiny network without training, in a call of its own.
        training_step: the same while training.
        forward_fused: seconds of such a step in a call of many; None: as `forward_step`.
        training_fused: the same while training.
        update: seconds of the optimizer's update for each trained weight.
        prefix_batch: images that cost one step while a frozen prefix is computed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    forward_flops: float
    training_flops: float
    forward_bytes: float
    training_bytes: float
    forward_step: float
    training_step: float
    update: float
    forward_fused: float | None = None
    training_fused: float | None = None
    prefix_batch: int = PREFIX_BATCH

    def prefix(self, work: ComputeCost, images: int) -> float:
        """Return the seconds of a frozen prefix over images, each of its calls by itself."""
        steps = images / self.prefix_batch
        return self._passing(work, images) + steps * self.forward_step * (
            1 + _more_layers(work, LAYER_FORWARD)
        )

    def forward(self, work: ComputeCost, images: int, steps: float) -> float:
        """Return the seconds of `steps` that pass `images` in total, many of them in a call."""
        step = self.forward_step if self.forward_fused is None else self.forward_fused
        layers = self.forward_step * _more_layers(work, LAYER_FORWARD)
        return self._passing(work, images) + steps * (step + layers)

    def training(self, work: ComputeCost, images: int, steps: float) -> float:
        """Return the seconds of training `steps` on `images` in total, without the update."""
        written = work.heavy_bytes + LIGHT_TRAINING * work.light_bytes
        one = work.flops / self.training_flops + written / self.training_bytes
        step = self.training_step if self.training_fused is None else self.training_fused
        layers = self.training_step * _more_layers(work, LAYER_TRAINING)
        return images * one + steps * (step + layers)

    def _passing(self, work: ComputeCost, images: int) -> float:
        written = work.heavy_bytes + LIGHT_FORWARD * work.light_bytes
        return images * (work.flops / self.forward_flops + written / self.forward_bytes)


def _more_layers(work: ComputeCost, share: float) -> float:
    """Return what more layers than a tiny network's add to a step, in steps of that network."""
    return share * max(work.layers - TINY_LAYERS, 0)


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
