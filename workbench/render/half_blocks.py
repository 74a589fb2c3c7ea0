"""Pictures in characters: two pixels a cell where the terminal has half blocks, else a ramp."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

from workbench.datasets.images import ImageError, decode_to_show, to_array
from workbench.text import safe_text

_UPPER = "▀"
_RAMP = " .:-=+*#%@"  # dark to light, on a dark ground
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R 601-2, as grey images are made everywhere here


def half_blocks(pixels: np.ndarray, width: int, utf8: bool = True) -> Text:
    """An image in cells, its proportions kept: a cell is taken as twice as high as wide.

    Args:
        pixels: uint8, (h, w, 3) RGB or (h, w, 1) grey.
        width: cells, at least 1.
        utf8: False for characters of ASCII alone, without colour.

    Returns:
        Lines of `width` cells each.
    """
    height, across = pixels.shape[:2]
    rows = max(1, round(height * width / across / 2))
    return _draw(_picture(pixels), width, rows, utf8)


def fitted(pixels: np.ndarray, width: int, height: int, utf8: bool = True) -> Text:
    """The same within a box of `width` x `height` cells, as large as its proportions allow."""
    tall, across = pixels.shape[:2]
    scale = min(width / across, 2 * height / tall)
    cells = max(1, min(width, round(across * scale)))
    rows = max(1, min(height, round(tall * scale / 2)))
    return _draw(_picture(pixels), cells, rows, utf8)


def thumbnail(path: Path, width: int, height: int, utf8: bool = True) -> Text:
    """An image file within a box of cells; where it cannot be read, a few words say why.

    Args:
        path: any file.
        width: cells of the box; so is height.
    """
    return drawn(lambda at_least: decode_to_show(path, at_least), width, height, utf8)


def drawn(
    load: Callable[[tuple[int, int]], Image.Image], width: int, height: int, utf8: bool = True
) -> Text:
    """The same of an image that comes from elsewhere.

    Args:
        load: gives the image, of mode L or RGB, of no fewer pixels than (height, width), or
            raises ImageError.
    """
    try:
        # A JPEG is decoded at a part of its size where that is enough: many are shown at once.
        image = load((2 * height, width))
        channels = 1 if image.mode == "L" else 3
        pixels = to_array(image, (image.height, image.width), channels)
    except ImageError as error:
        return no_picture(error.reason)
    return fitted(pixels, width, height, utf8)


def no_picture(reason: str) -> Text:
    """What stands in the place of a picture."""
    return Text(f"no picture: {safe_text(reason, 120)}", style="dim")


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
