"""Build a table layer by layer, with the arithmetic of Keras's layers."""

import math

from workbench.bases.table import IMAGE, BaseLayer

Shape = tuple[int, int, int]


class TableBuilder:
    """Collects layers; each reads the one before, except where noted.

    Attributes:
        layers: The layers so far.
        block: The block of the next layers.
        shape: (height, width, channels) of the last output.
        last: The name of the last layer.
    """

    def __init__(self, input_shape: Shape) -> None:
        self.layers: list[BaseLayer] = []
        self.block = ""
        self.shape = input_shape
        self.last = IMAGE

    def convolution(
        self, name: str, filters: int, kernel: int, *, stride: int = 1, bias: bool = False
    ) -> None:
        """Add a Conv2D with padding "same": each side becomes ceil(side / stride)."""
        height, width, channels = self.shape
        shape = (math.ceil(height / stride), math.ceil(width / stride), filters)
        inputs = kernel * kernel * channels
        self._add(
            name,
            "convolution",
            shape,
            parameters=(inputs + bias) * filters,
            multiply_adds=math.prod(shape) * inputs,
        )

    def depthwise_convolution(self, name: str, *, stride: int = 1) -> None:
        """Add a DepthwiseConv2D, 3x3 without bias; "same" for stride 1, else "valid"."""
        height, width, channels = self.shape
        if stride > 1:
            height, width = ((side - 3) // stride + 1 for side in (height, width))
        shape = (height, width, channels)
        self._add(
            name,
            "depthwise convolution",
            shape,
            parameters=9 * channels,
            multiply_adds=math.prod(shape) * 9,
        )

    def batch_normalization(self, name: str) -> None:
        """Add scale, offset and two statistics that no gradient changes, for each channel."""
        channels = self.shape[2]
        self._add(
            name,
            "batch normalization",
            self.shape,
            parameters=4 * channels,
            non_trainable=2 * channels,
        )

    def activation(self, name: str) -> None:
        """Add an activation as a separate layer."""
        self._add(name, "activation", self.shape)

    def max_pooling(self, name: str) -> None:
        """Add a MaxPooling2D(2): each side is halved, rounded down."""
        height, width, channels = self.shape
        self._add(name, "max pooling", (height // 2, width // 2, channels))

    def zero_padding(self, name: str) -> None:
        """Add Keras's padding for a 3x3 window of stride 2: two pixels on odd sides, else one."""
        height, width, channels = self.shape
        self._add(name, "zero padding", (height + 1 + height % 2, width + 1 + width % 2, channels))

    def add(self, name: str, other: str) -> None:
        """Add the sum of the last output and that of the layer `other`."""
        self._add(name, "add", self.shape, inputs=(other, self.last))

    def _add(
        self,
        name: str,
        kind: str,
        shape: Shape,
        *,
        parameters: int = 0,
        non_trainable: int = 0,
        multiply_adds: int = 0,
        inputs: tuple[str, ...] = (),
    ) -> None:
        self.layers.append(
            BaseLayer(
                name,
                kind,
                self.block,
                shape,
                parameters,
                non_trainable,
                multiply_adds,
                inputs or (self.last,),
            )
        )
        self.shape, self.last = shape, name
