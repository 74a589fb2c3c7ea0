"""What layers compute, and how fast a device does it: measured, and read by every probe."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

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


@dataclass(frozen=True)
class ComputeCost:
    """What some layers compute for one image, and how many layers there are.

    Attributes:
        flops: floating-point operations; a multiply-add is two.
        heavy_bytes: input bytes, and output bytes of poolings, dense layers and convolutions with
            their own bias and activation.
        light_bytes: output bytes of all other layers: normalization, activations, additions.
        layers: each has a fixed cost in every step, however small the step is.
    """

    flops: int = 0
    heavy_bytes: int = 0
    light_bytes: int = 0
    layers: int = 0


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
