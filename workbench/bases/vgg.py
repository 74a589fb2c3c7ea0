"""VGG16 and VGG19 (Simonyan and Zisserman, arXiv 1409.1556) as Keras builds them."""

from workbench.bases.builder import TableBuilder
from workbench.bases.table import BaseTable

_FILTERS = (64, 128, 256, 512, 512)


def vgg_table(
    name: str, title: str, convolutions: tuple[int, ...], size: tuple[int, int]
) -> BaseTable:
    """Five blocks of 3x3 convolutions with a ReLU each, and a 2x2 max pooling at their end.

    Args:
        convolutions: how many each block has.
        size: (height, width), at least 32 each.
    """
    build = TableBuilder((*size, 3))
    for number, (filters, count) in enumerate(zip(_FILTERS, convolutions, strict=True), start=1):
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
