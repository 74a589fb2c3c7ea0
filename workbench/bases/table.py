"""A pretrained network as a table: its layers in order, and the places that cut it in two."""

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

from workbench.text import safe_text

IMAGE = "image"  # the name under which the first layer reads the image


class BaseError(ValueError):
    """A base that does not exist or does not fit; the message is written for people."""


@dataclass(frozen=True)
class BaseLayer:
    """One layer, as Keras names it.

    Attributes:
        kind: "convolution", "depthwise convolution", "batch normalization", "activation",
            "max pooling", "zero padding" or "add".
        block: the block it belongs to.
        output_shape: (height, width, channels).
        parameters: all numbers it holds.
        non_trainable: those that gradients never move (moving mean and variance of BatchNorm).
        multiply_adds: of one forward pass of one image. For a convolution height x width x
            channels of its output, times the inputs of one output value (kernel x kernel x
            channels read; kernel x kernel if depthwise). 0 for all other kinds, as in the
            figures of the MobileNetV2 paper (arXiv 1801.04381, table 4).
        inputs: names of the layers it reads, "image" for the image itself.
    """

    name: str
    kind: str
    block: str
    output_shape: tuple[int, int, int]
    parameters: int
    non_trainable: int
    multiply_adds: int
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class BaseTable:
    """A base without its classifying top, at one image size.

    Attributes:
        name: as in a spec, "vgg16".
        title: as people write it, "VGG16".
        layers: every layer after those it reads.
        input_shape: (height, width, 3).
        smallest_size: pixels that each side of the image needs at least.
        preprocessing: what the weights were trained with. "caffe": BGR minus 103.939, 116.779,
            123.68; "tf": x / 127.5 - 1.
    """

    name: str
    title: str
    layers: tuple[BaseLayer, ...]
    input_shape: tuple[int, int, int]
    smallest_size: int
    preprocessing: str
    channels: int = 3

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {layer.name: position for position, layer in enumerate(self.layers)}

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """The blocks from the image upwards."""
        return tuple(dict.fromkeys(layer.block for layer in self.layers))

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of what the base hands to a head."""
        return self.layers[-1].output_shape

    @property
    def parameters(self) -> int:
        """All numbers of the base, BatchNorm statistics included."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of one forward pass of one image through the whole base."""
        return sum(layer.multiply_adds for layer in self.layers)

    def layer(self, name: str) -> BaseLayer:
        """The layer of this name.

        Raises:
            BaseError: there is none.
        """
        return self.layers[self._position(name)]

    def block_layers(self, block: str) -> tuple[BaseLayer, ...]:
        """The layers of a block.

        Raises:
            BaseError: there is no such block.
        """
        if block not in self.blocks:
            raise BaseError(
                f'{self.title} has no block "{safe_text(block)}"; '
                f"its blocks are {', '.join(self.blocks)}"
            )
        return tuple(layer for layer in self.layers if layer.block == block)

    @cached_property
    def cuts(self) -> tuple[str, ...]:
        """Layers whose output alone cuts the network: everything above reads only that tensor.

        These are the layers that no connection jumps over. The last layer is always one.
        """
        highest_reader = {name: at for at, layer in enumerate(self.layers) for name in layer.inputs}
        found = []
        reach = highest_reader[IMAGE]  # how far up anything below the layer in hand is read
        for position, layer in enumerate(self.layers):
            if reach <= position:
                found.append(layer.name)
            reach = max(reach, highest_reader.get(layer.name, 0))
        return tuple(found)

    def deepest_cut(self, trainable: Set[str]) -> str | None:
        """The highest cut below everything that can change: what lies below is computed once.

        Args:
            trainable: names of layers that train. Those without parameters do not count.

        Returns:
            The name of the cut, whose output the trained part reads; the last layer when nothing
            trains; None when even the first layers train, so that no cut lies below.

        Raises:
            BaseError: a name is none of this base.
        """
        moving = [self._position(name) for name in trainable if self.layer(name).parameters]
        lowest = min(moving, default=len(self.layers))
        below = [name for name in self.cuts if self._position(name) < lowest]
        return below[-1] if below else None

    def _position(self, name: str) -> int:
        if name not in self._positions:
            raise BaseError(
                f'{self.title} has no layer "{safe_text(name)}"; '
                f"its blocks are {', '.join(self.blocks)}"
            )
        return self._positions[name]
