"""A pretrained network as a table: its layers in order, and the cuts between them."""

import itertools
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workbench.bases.kinds import BATCH_NORM, GLOBAL_POOL, Shape
from workbench.messages import tr
from workbench.text import safe_text

IMAGE = "image"  # the name under which the first layer reads the image


class BaseError(ValueError):
    """A base that does not exist or does not fit; the message is for people."""


@dataclass(frozen=True)
class BaseLayer:
    """One layer, as Keras names it.

    Attributes:
        name: In Keras.
        kind: As in `bases.kinds`: "convolution", "batch normalization", "add" and so on.
        block: Its block.
        output_shape: (height, width, channels); (channels,) where a map was averaged.
        parameters: All its numbers.
        non_trainable: Those that gradients never change (moving mean and variance of BatchNorm).
        multiply_adds: Of one forward pass of one image. For a convolution height x width x
            channels of its output, times the inputs of one output value (kernel x kernel x
            channels read; kernel x kernel if depthwise); for a dense layer on each position
            of a map the same with a kernel of 1. 0 for kinds without products, as in the
            MobileNetV2 paper (arXiv 1801.04381, table 4).
        inputs: Names of the layers it reads, "image" for the image itself.
        config: What else decides about it: filters, window, activation; as in `bases.kinds`.
    """

    name: str
    kind: str
    block: str
    output_shape: Shape
    parameters: int
    non_trainable: int
    multiply_adds: int
    inputs: tuple[str, ...]
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BaseTable:
    """A base without its classifying top, at one image size.

    Attributes:
        name: As in a spec, "vgg16".
        title: As people write it, "VGG16".
        layers: Every layer after those it reads.
        input_shape: (height, width, 3).
        preprocessing: Of the images during pretraining, a key of `PREPROCESSING`.
        top_blocks: What fine-tuning trains first: the most specific part.
    """

    name: str
    title: str
    layers: tuple[BaseLayer, ...]
    input_shape: tuple[int, int, int]
    preprocessing: str
    top_blocks: tuple[str, ...] = ()

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {layer.name: position for position, layer in enumerate(self.layers)}

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """The blocks, from the image to the top."""
        return tuple(dict.fromkeys(layer.block for layer in self.layers))

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the base's output."""
        height, width, channels = self.layers[-1].output_shape
        return height, width, channels

    @property
    def parameters(self) -> int:
        """All numbers of the base, BatchNorm statistics included."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of one forward pass of one image through the whole base."""
        return sum(layer.multiply_adds for layer in self.layers)

    def layer(self, name: str) -> BaseLayer:
        """Return the layer of this name.

        Raises:
            BaseError: There is none.
        """
        return self.layers[self._position(name)]

    def block_layers(self, block: str) -> tuple[BaseLayer, ...]:
        """Return the layers of a block.

        Raises:
            BaseError: There is no such block.
        """
        if block not in self.blocks:
            raise BaseError(
                tr(
                    '{title} has no block "{block}"; its blocks are {blocks}',
                    title=self.title,
                    block=safe_text(block),
                    blocks=", ".join(self.blocks),
                )
            )
        return tuple(layer for layer in self.layers if layer.block == block)

    @cached_property
    def gates(self) -> frozenset[str]:
        """Layers that read only averages of whole maps, as those of squeeze-and-excite."""
        found: set[str] = set()
        for layer in self.layers:
            if layer.kind == GLOBAL_POOL or set(layer.inputs) <= found:
                found.add(layer.name)
        return frozenset(found)

    @cached_property
    def cuts(self) -> tuple[str, ...]:
        """Layers whose output cuts the network: everything above reads only that tensor.

        These are the layers that no connection skips. The last layer is always one.
        """
        highest_reader = {name: at for at, layer in enumerate(self.layers) for name in layer.inputs}
        found = []
        reach = highest_reader[IMAGE]  # the highest reader of anything below the current layer
        for position, layer in enumerate(self.layers):
            if reach <= position:
                found.append(layer.name)
            reach = max(reach, highest_reader.get(layer.name, 0))
        return tuple(found)

    def widest(self, count: int) -> tuple[BaseLayer, ...]:
        """Return a map of each of the last `count` blocks, for a linear classifier to read.

        It is the block's output, or the first map within the block that has more channels: many
        bases widen their maps between narrow outputs, and more channels hold more. Maps wider than
        twice the base's output are left out, as those within the blocks of ConvNeXt.
        """
        return tuple(self._widest(block) for block in self.blocks[-count:])

    def _widest(self, block: str) -> BaseLayer:
        layers = self.block_layers(block)
        output = ([layer for layer in layers if layer.name in self.cuts] or layers)[-1]
        width, limit = output.output_shape[-1], 2 * self.output_shape[-1]
        # A normalization and an activation belong to the convolution below them.
        inner = [
            layer
            for layer, above in itertools.pairwise(layers)
            if above.kind not in (BATCH_NORM, "layer normalization", "activation")
            and layer.name not in self.gates
            and width < layer.output_shape[-1] <= limit
        ]
        return max(inner, key=lambda layer: layer.output_shape[-1], default=output)

    def deepest_cut(self, trainable: Set[str]) -> str | None:
        """Return the highest cut below everything trainable: layers below it are computed once.

        Args:
            trainable: Names of layers that train. Those without parameters do not count.

        Returns:
            The name of the cut, whose output the trained part reads; the last layer when nothing
            trains; None when even the first layers train, so that no cut is below.

        Raises:
            BaseError: A name is unknown.
        """
        trained = [self._position(name) for name in trainable if self.layer(name).parameters]
        lowest = min(trained, default=len(self.layers))
        below = [name for name in self.cuts if self._position(name) < lowest]
        return below[-1] if below else None

    def _position(self, name: str) -> int:
        if name not in self._positions:
            raise BaseError(
                tr(
                    '{title} has no layer "{name}"; its blocks are {blocks}',
                    title=self.title,
                    name=safe_text(name),
                    blocks=", ".join(self.blocks),
                )
            )
        return self._positions[name]
