"""Seconds: what a stage will take on a device that was measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from workbench.experiment.cost import StageCost, Work
from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import steps_per_epoch

# Outputs of normalizations, activations and additions are written once and read once, with
# nothing else done to them; measured beside a convolution with bias, activation and pooling.
LIGHT_FORWARD = 0.6
LIGHT_TRAINING = 0.3
# Seconds of an epoch that do not depend on its images: events and the best epoch's weights on
# disk; and, for each number of the whole network, its look at what moved.
EPOCH_SECONDS = 0.03
LOOK_SECONDS = 2e-9


class Speed(BaseModel):
    """What a device was measured to do while small networks ran on it (see `training.speed`).

    Attributes:
        forward_flops: operations a second of a VGG16-like convolution, forward.
        training_flops: the same while training, forward and backward counted.
        forward_bytes: bytes a second that convolutions of few channels and poolings put out.
        training_bytes: the same while training.
        forward_step: seconds that any step without training costs, however small.
        training_step: the same while training.
        update: seconds that an optimizer's step costs for each trained number.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    forward_flops: float
    training_flops: float
    forward_bytes: float
    training_bytes: float
    forward_step: float
    training_step: float
    update: float

    def forward(self, work: Work) -> float:
        """Seconds of one image's way forward, as part of a batch."""
        written = work.heavy_bytes + LIGHT_FORWARD * work.light_bytes
        return work.flops / self.forward_flops + written / self.forward_bytes

    def training(self, work: Work) -> float:
        """Seconds of one image's way forward and back, as part of a batch."""
        written = work.heavy_bytes + LIGHT_TRAINING * work.light_bytes
        return work.flops / self.training_flops + written / self.training_bytes


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
    steps = steps_per_epoch(images["train"], cost.batch_size, stage.steps_per_epoch)
    trained = images["train"] if stage.steps_per_epoch is None else steps * cost.batch_size
    validation_steps = -(-images["validation"] // cost.batch_size)
    prefix = speed.forward(cost.prefix)
    epoch = (
        steps * (speed.training_step + cost.trainable * speed.update)
        + trained * speed.training(cost.training)
        + validation_steps * speed.forward_step
        + images["validation"] * speed.forward(cost.forward)
        + EPOCH_SECONDS
        + cost.parameters * LOOK_SECONDS
    )
    once = 0.0
    if stage.cached:
        once = (images["train"] * max(stage.views, 1) + images["validation"]) * prefix
    elif stage.prefix is not None:
        epoch += (trained + images["validation"]) * prefix
    return StageSeconds(epoch, once, once + stage.epochs * epoch)


MEASURED_PIXELS = 500 * 375  # of the JPEGs that `machine.decoding` reads


def reading_seconds(facts: DataFacts, images_per_second: float) -> float:
    """Seconds until every image is scanned and packed: each is decoded twice.

    Args:
        images_per_second: JPEGs of 500 x 375 pixels; decoding takes its time by the pixel.
    """
    height, width = facts.image_size
    return 2 * facts.images * height * width / MEASURED_PIXELS / images_per_second
