"""The bases there are, by name."""

from collections.abc import Callable
from functools import lru_cache, partial

from workbench.bases.mobilenet_v2 import mobilenet_v2_table
from workbench.bases.table import BaseError, BaseTable
from workbench.bases.vgg import vgg_table
from workbench.text import human_size, one_of, safe_text

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
    """The table of a base at an image size.

    Args:
        name: a key of `BASES`.
        input_size: (height, width); the default is the size that the weights were trained at.

    Raises:
        BaseError: no such base, or images too small for it.
    """
    if name not in BASES:
        raise BaseError(f'there is no base "{safe_text(name)}"; allowed are {one_of([*BASES])}')
    table = BASES[name](input_size)
    if min(input_size) < table.smallest_size:
        least = table.smallest_size
        raise BaseError(
            f"{table.title} needs images of at least {least}x{least} pixels, "
            f"received {human_size(input_size)}"
        )
    return table
