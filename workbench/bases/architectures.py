"""The available bases by name, and their architectures as Keras builds them.

VGG: Simonyan and Zisserman, arXiv 1409.1556. MobileNetV2: Sandler et al., arXiv 1801.04381.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial

from workbench.bases.table import IMAGE, BaseError, BaseLayer, BaseTable
from workbench.messages import tr
from workbench.text import format_choices, format_shape, safe_text

Shape = tuple[int, int, int]
_VGG_FILTERS = (64, 128, 256, 512, 512)
# Filters and stride of each block (table 2 of the MobileNetV2 paper).
_MOBILENET_BLOCKS = (
    (16, 1),
    *((24, 2), (24, 1)),
    *((32, 2), (32, 1), (32, 1)),
    *((64, 2), (64, 1), (64, 1), (64, 1)),
    *((96, 1), (96, 1), (96, 1)),
    *((160, 2), (160, 1), (160, 1)),
    (320, 1),
)
_EXPANSION = 6


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


def vgg_table(
    name: str, title: str, convolutions: tuple[int, ...], size: tuple[int, int]
) -> BaseTable:
    """Return five blocks of 3x3 convolutions with a ReLU each, and a 2x2 max pooling at the end.

    Args:
        name: Of the base.
        title: Its name for people.
        convolutions: How many each block has.
        size: (height, width), at least 32 each.
    """
    build = TableBuilder((*size, 3))
    for number, (filters, count) in enumerate(
        zip(_VGG_FILTERS, convolutions, strict=True), start=1
    ):
        build.block = f"block{number}"
        for index in range(1, count + 1):
            build.convolution(f"{build.block}_conv{index}", filters, 3, bias=True)
        build.max_pooling(f"{build.block}_pool")
    return BaseTable(
        name,
        title,
        tuple(build.layers),
        (*size, 3),
        smallest_size=32,  # five halvings
        preprocessing="caffe",
    )


def mobilenet_v2_table(name: str, title: str, alpha: float, size: tuple[int, int]) -> BaseTable:
    """Return a stem, seventeen inverted residual blocks and a last 1x1 convolution.

    Args:
        name: Of the base.
        title: Its name for people.
        alpha: Width of the network, at most 1; the last convolution always has 1280 filters.
        size: (height, width), at least 32 each.
    """
    build = TableBuilder((*size, 3))
    build.block = "stem"
    build.convolution("Conv1", _divisible(32 * alpha), 3, stride=2)
    build.batch_normalization("bn_Conv1")
    build.activation("Conv1_relu")
    for number, (filters, stride) in enumerate(_MOBILENET_BLOCKS):
        build.block = f"block_{number}"
        _inverted_residual(build, number, _divisible(int(filters * alpha)), stride)
    build.block = "top"
    build.convolution("Conv_1", 1280, 1)
    build.batch_normalization("Conv_1_bn")
    build.activation("out_relu")
    return BaseTable(
        name, title, tuple(build.layers), (*size, 3), smallest_size=32, preprocessing="tf"
    )


def _inverted_residual(build: TableBuilder, number: int, filters: int, stride: int) -> None:
    """Add a block: expand, filter each channel, project; a shortcut where the shapes allow it."""
    start, channels = build.last, build.shape[2]
    prefix = f"block_{number}" if number else "expanded_conv"  # as Keras names them
    if number:
        build.convolution(f"{prefix}_expand", _EXPANSION * channels, 1)
        build.batch_normalization(f"{prefix}_expand_BN")
        build.activation(f"{prefix}_expand_relu")
    if stride == 2:
        build.zero_padding(f"{prefix}_pad")
    build.depthwise_convolution(f"{prefix}_depthwise", stride=stride)
    build.batch_normalization(f"{prefix}_depthwise_BN")
    build.activation(f"{prefix}_depthwise_relu")
    build.convolution(f"{prefix}_project", filters, 1)
    build.batch_normalization(f"{prefix}_project_BN")
    if stride == 1 and channels == filters:
        build.add(f"{prefix}_add", start)


def _divisible(filters: float) -> int:
    """Return the nearest multiple of 8, at least 8, that is no more than a tenth smaller."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


Size = tuple[int, int]

BASES: dict[str, Callable[[Size], BaseTable]] = {
    "vgg16": partial(vgg_table, "vgg16", "VGG16", (2, 2, 3, 3, 3)),
    "vgg19": partial(vgg_table, "vgg19", "VGG19", (2, 2, 4, 4, 4)),
    "mobilenetv2-0.35": partial(
        mobilenet_v2_table, "mobilenetv2-0.35", "MobileNetV2 (alpha 0.35)", 0.35
    ),
    "mobilenetv2-1.0": partial(
        mobilenet_v2_table, "mobilenetv2-1.0", "MobileNetV2 (alpha 1.0)", 1.0
    ),
}


@lru_cache(maxsize=64)
def base_table(name: str, input_size: Size = (224, 224)) -> BaseTable:
    """Return the table of a base at an image size.

    Args:
        name: A key of `BASES`.
        input_size: (height, width); the default is the size the weights were trained with.

    Raises:
        BaseError: There is no such base, or the images are too small for it.
    """
    if name not in BASES:
        raise BaseError(
            tr(
                'there is no base "{name}"; allowed are {choices}',
                name=safe_text(name),
                choices=format_choices([*BASES]),
            )
        )
    table = BASES[name](input_size)
    if min(input_size) < table.smallest_size:
        least = table.smallest_size
        raise BaseError(
            tr(
                "{title} needs images of at least {least}x{least} pixels, received {input_size}",
                title=table.title,
                least=least,
                input_size=format_shape(input_size),
            )
        )
    return table
