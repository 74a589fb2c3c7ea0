"""Seconds: what a stage will take on a device that was measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from workbench.experiment.cost import StageCost, Work
from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import steps_per_epoch

# Outputs of normalizations, activations and additions are written once and read once, with
# nothing else done to them; measured beside a convolution with bias, activation and pooling.
LIGHT_FORWARD = 0.45
LIGHT_TRAINING = 0.3
# What a layer adds to a step, as a share of what the step of a network of TINY_LAYERS costs.
TINY_LAYERS = 3
LAYER_FORWARD = 1 / 10
LAYER_TRAINING = 1 / 6
PREFIX_BATCH = 32  # images a step while `training.prefix` computes a prefix
# Where an image's place in a batch decides about its last bits, images go through one by one within
# a step, and so many cost what a step costs: measured with MobileNetV2 at 96 and 160 pixels.
PREFIX_BATCH_ALONE = 6
# Seconds of an epoch that do not depend on its images: events and files; for each trained number
# the best epoch's weights on disk; for each number of the whole network the look at what moved.
EPOCH_SECONDS = 0.05
SAVE_SECONDS = 1e-8
LOOK_SECONDS = 2e-9


class Speed(BaseModel):
    """What a device was measured to do while small networks ran on it (see `training.speed`).

    Attributes:
        forward_flops: operations a second of a VGG16-like convolution, forward.
        training_flops: the same while training, forward and backward counted.
        forward_bytes: bytes a second that convolutions of few channels and poolings put out.
        training_bytes: the same while training.
        forward_step: seconds that a step of a tiny network costs without training.
        training_step: the same while training.
        update: seconds that an optimizer's step costs for each trained number.
        prefix_batch: images that cost a step while a frozen prefix is computed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    forward_flops: float
    training_flops: float
    forward_bytes: float
    training_bytes: float
    forward_step: float
    training_step: float
    update: float
    prefix_batch: int = PREFIX_BATCH

    def forward(self, work: Work, images: int, steps: float) -> float:
        """Seconds of steps that take so many images forward in all."""
        written = work.heavy_bytes + LIGHT_FORWARD * work.light_bytes
        one = work.flops / self.forward_flops + written / self.forward_bytes
        return images * one + steps * self.forward_step * _layers(work, LAYER_FORWARD)

    def training(self, work: Work, images: int, steps: float) -> float:
        """Seconds of steps that take so many images forward and back, without the update."""
        written = work.heavy_bytes + LIGHT_TRAINING * work.light_bytes
        one = work.flops / self.training_flops + written / self.training_bytes
        return images * one + steps * self.training_step * _layers(work, LAYER_TRAINING)


def _layers(work: Work, share: float) -> float:
    """What a step costs, in steps of a tiny network."""
    return 1 + share * max(work.layers - TINY_LAYERS, 0)


@dataclass(frozen=True)
class StageSeconds:
    """What a stage will take.

    Attributes:
        epoch: seconds of one epoch, validation included.
        prefix: seconds of computing the frozen prefix once for every image, all views; 0 where
            nothing is cached.
        total: of the stage if it runs through all its epochs.
    """

    epoch: float
    prefix: float
    total: float


def stage_seconds(cost: StageCost, images: Mapping[str, int], speed: Speed) -> StageSeconds:
    """Estimates a stage.

    The time of a step is the sum of its operations at the device's measured rate, of the bytes
    that its layers put out at another, and of what any step costs. Reading from the pack and
    augmenting are done by threads meanwhile and not counted.

    Args:
        images: by "train" and "validation".
    """
    stage = cost.stage
    validated = images["validation"]
    steps = steps_per_epoch(images["train"], cost.batch_size, stage.steps_per_epoch)
    trained = images["train"] if stage.steps_per_epoch is None else steps * cost.batch_size
    epoch = (
        speed.training(cost.training, trained, steps)
        + steps * cost.trainable * speed.update
        + speed.forward(cost.forward, validated, math.ceil(validated / cost.batch_size))
        + EPOCH_SECONDS
        + cost.trainable * SAVE_SECONDS
        + cost.parameters * LOOK_SECONDS
    )
    once = 0.0
    if stage.cached:
        passed = stage.images_passed(images)
        once = speed.forward(cost.prefix, passed, passed / speed.prefix_batch)
    elif stage.prefix is not None:
        passed = trained + validated
        epoch += speed.forward(cost.prefix, passed, passed / speed.prefix_batch)
    return StageSeconds(epoch, once, once + stage.epochs * epoch)


MEASURED_PIXELS = 500 * 375  # of the JPEGs that `machine.decoding` reads


def reading_seconds(facts: DataFacts, images_per_second: float) -> float:
    """Seconds until every image is scanned and packed: each is decoded twice.

    Args:
        images_per_second: JPEGs of 500 x 375 pixels; decoding takes its time by the pixel.
    """
    height, width = facts.image_size
    return 2 * facts.images * height * width / MEASURED_PIXELS / images_per_second
