"""An image of the data as training reads it, and as it draws it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.text import Text

from workbench.datasets.augment import augment, draw
from workbench.datasets.deep import Deep
from workbench.datasets.images import ImageError, open_image, pixels, to_array
from workbench.datasets.scan import pixel_hash
from workbench.experiment.sections import DataSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.render.half_blocks import fitted

FIRST_STAGE = 0


@dataclass(frozen=True, eq=False)
class Opened:
    """An image of the data, read.

    Attributes:
        pixels: uint8 (h, w, c), of the size that the spec asks for; None where it cannot be read.
        content: what identifies the image for `draw`, 0 to 2**64 - 1.
        reason: why it cannot be read.
    """

    path: Path
    pixels: np.ndarray | None
    content: int = 0
    reason: str = ""


def open_sample(path: Path, data: DataSpec) -> Opened:
    """Reads an image as training would, and what identifies it there."""
    try:
        with open_image(path) as (opened, header):
            found = pixels(opened, header)
        content = int(pixel_hash(found)[:16], 16)
        # What 16 bits are scaled by is measured when training begins; near it is the image's own.
        image = found.to_show() if isinstance(found, Deep) else found
        array = to_array(image, data.image_size, data.channels, data.resize)
        return Opened(path, array, content)
    except ImageError as error:
        return Opened(path, None, reason=error.reason)


def drawn_views(
    opened: Opened, whole: ExperimentSpec, views: range, box: tuple[int, int], utf8: bool
) -> Iterator[Text]:
    """An image that could be read, as training will see it in each of these views.

    Args:
        box: width and height of each picture in cells.
    """
    assert opened.pixels is not None
    spec, seed = whole.augmentation, whole.training.seed
    for view in views:
        changes = draw(spec, seed, FIRST_STAGE, view, opened.content)
        yield fitted(augment(opened.pixels, spec, changes), *box, utf8)
