"""Images as characters: two pixels a cell with half blocks, else an ASCII ramp."""

from collections.abc import Callable

import numpy as np
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

from workbench.datasets.decoding import to_array
from workbench.datasets.image_files import ImageError
from workbench.messages import tr
from workbench.text import safe_text

_UPPER = "▀"
_RAMP = " .:-=+*#%@"  # dark to light, on a dark ground
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R 601-2, as for grey images everywhere else


def half_blocks(pixels: np.ndarray, width: int, utf8: bool = True) -> Text:
    """Return an image in cells with its proportions: a cell counts as twice as high as wide.

    Args:
        pixels: uint8, (h, w, 3) RGB or (h, w, 1) grey.
        width: cells, at least 1.
        utf8: False for ASCII without colour.

    Returns:
        Lines of `width` cells each.
    """
    height, across = pixels.shape[:2]
    rows = max(1, round(height * width / across / 2))
    return _draw(_picture(pixels), width, rows, utf8)


def fit_half_blocks(pixels: np.ndarray, width: int, height: int, utf8: bool = True) -> Text:
    """Return the image as large as fits into `width` x `height` cells."""
    tall, across = pixels.shape[:2]
    scale = min(width / across, 2 * height / tall)
    cells = max(1, min(width, round(across * scale)))
    rows = max(1, min(height, round(tall * scale / 2)))
    return _draw(_picture(pixels), cells, rows, utf8)


Load = Callable[[tuple[int, int]], Image.Image]


def read_picture(load: Load, at_least: tuple[int, int]) -> np.ndarray | Text:
    """Return the pixels of an image, or the reason why it cannot be loaded.

    Args:
        load: returns the image, of mode L or RGB, of at least (height, width) pixels, or raises
            ImageError.
        at_least: (height, width) that suffice: JPEGs are decoded at a fraction of their size.
    """
    try:
        image = load(at_least)
        return to_array(image, (image.height, image.width), 1 if image.mode == "L" else 3)
    except ImageError as error:
        return missing_image_text(error.reason)


def load_thumbnail(load: Load, width: int, height: int, utf8: bool = True) -> Text:
    """Return a loaded image within a box of cells, or the reason why it cannot be loaded.

    Args:
        load: see `read_picture`.
        width: cells of the box.
        height: cells of the box.
        utf8: False for ASCII.
    """
    found = read_picture(load, (2 * height, width))
    return found if isinstance(found, Text) else fit_half_blocks(found, width, height, utf8)


def missing_image_text(reason: str) -> Text:
    """Return the text shown instead of an image."""
    return Text(tr("no picture: {reason}", reason=safe_text(reason, 120)), style="dim")


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _draw(image: Image.Image, width: int, rows: int, utf8: bool) -> Text:
    if not utf8:
        return _ramp(to_array(image, (rows, width), 3))
    halves = to_array(image, (2 * rows, width), 3)
    text = Text(no_wrap=True)
    for row in range(rows):
        if row:
            text.append("\n")
        for above, below in zip(halves[2 * row], halves[2 * row + 1], strict=True):
            text.append(_UPPER, Style(color=_color(above), bgcolor=_color(below)))
    return text


def _ramp(cells: np.ndarray) -> Text:
    levels = (cells @ _LUMA / 255 * (len(_RAMP) - 1)).round().astype(int)
    return Text("\n".join("".join(_RAMP[level] for level in row) for row in levels), no_wrap=True)


def _color(pixel: np.ndarray) -> Color:
    red, green, blue = pixel.tolist()
    return Color.from_rgb(red, green, blue)
