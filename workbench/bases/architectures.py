"""The architectures of the bases as Keras builds them.

VGG: Simonyan and Zisserman, arXiv 1409.1556. MobileNetV2: Sandler et al., arXiv 1801.04381.
"""

from workbench.bases.builder import TableBuilder
from workbench.bases.table import BaseTable

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
