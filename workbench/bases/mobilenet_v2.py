"""MobileNetV2 (Sandler et al., arXiv 1801.04381) as Keras builds it."""

from workbench.bases.builder import TableBuilder
from workbench.bases.table import BaseTable

# Filters and stride of each block (table 2 of the paper, written out).
_BLOCKS = (
    (16, 1),
    *((24, 2), (24, 1)),
    *((32, 2), (32, 1), (32, 1)),
    *((64, 2), (64, 1), (64, 1), (64, 1)),
    *((96, 1), (96, 1), (96, 1)),
    *((160, 2), (160, 1), (160, 1)),
    (320, 1),
)
_EXPANSION = 6


def mobilenet_v2_table(name: str, title: str, alpha: float, size: tuple[int, int]) -> BaseTable:
    """A stem, seventeen inverted residual blocks and a last 1x1 convolution.

    Args:
        alpha: width of the network, at most 1; the last convolution always has 1280 filters.
        size: (height, width), at least 32 each.
    """
    build = TableBuilder((*size, 3))
    build.block = "stem"
    build.convolution("Conv1", _divisible(32 * alpha), 3, stride=2)
    build.batch_normalization("bn_Conv1")
    build.activation("Conv1_relu")
    for number, (filters, stride) in enumerate(_BLOCKS):
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
    """Expand, filter each channel, project; added to the input where the shapes allow it."""
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
    """The nearest multiple of 8, at least 8, that takes away no more than a tenth."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
