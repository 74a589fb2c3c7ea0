"""The available bases, by name."""

from collections.abc import Callable
from functools import lru_cache, partial

from workbench.bases.architectures import mobilenet_v2_table, vgg_table
from workbench.bases.table import BaseError, BaseTable
from workbench.text import format_choices, format_shape, safe_text

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
            f'there is no base "{safe_text(name)}"; allowed are {format_choices([*BASES])}'
        )
    table = BASES[name](input_size)
    if min(input_size) < table.smallest_size:
        least = table.smallest_size
        raise BaseError(
            f"{table.title} needs images of at least {least}x{least} pixels, "
            f"received {format_shape(input_size)}"
        )
    return table
