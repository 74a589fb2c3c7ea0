"""Arrays as pictures: scaled for the eye, set side by side, written as PNG."""

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.text import safe_text

ENDING = ".png"
GAP = 1  # pixels between two tiles
SMALLEST_TILE, LARGEST_TILE = 48, 256  # pixels of a tile's longer side
_SPREAD, _MIDDLE = 64, 128  # grey levels: one standard deviation, and the mean
_MAKER = ("Software", "workbench")  # marks our pictures: no other file is ever replaced


def displayed(values: np.ndarray) -> np.ndarray:
    """Any numbers as grey levels: centred on 128, a standard deviation 64 levels, clipped.

    Where all are alike there is nothing to see: zeros are black, any other number is 128.

    Returns:
        uint8 of the same shape.
    """
    values = values.astype(np.float64)
    if not values.any():
        return np.zeros(values.shape, np.uint8)
    values = values - values.mean()
    deviation = values.std()
    if deviation > 0:
        values = values / deviation
    return np.clip(values * _SPREAD + _MIDDLE, 0, 255).astype(np.uint8)


def tiled(
    tiles: Sequence[np.ndarray], columns: int | None = None, smallest: int = SMALLEST_TILE
) -> np.ndarray:
    """Pictures of one size as a grid with thin black gaps.

    Args:
        tiles: uint8, (h, w) grey or (h, w, 3), at least one.
        columns: None for about as many as rows.
        smallest: pixels that a tile's longer side has at least; smaller ones are enlarged by a
            whole number. Those beyond LARGEST_TILE are shrunk to it.

    Returns:
        uint8, of as many axes as a tile.
    """
    columns = columns or math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    fitting = [_fitting(tile, smallest) for tile in tiles]
    height, width = fitting[0].shape[:2]
    canvas = np.zeros(
        (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, *fitting[0].shape[2:]),
        np.uint8,
    )
    for number, tile in enumerate(fitting):
        row, column = divmod(number, columns)
        top, left = row * (height + GAP), column * (width + GAP)
        canvas[top : top + height, left : left + width] = tile
    return canvas


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture, or a map of float32 (h, w), at another (height, width), bilinear."""
    height, width = size
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def rgb(pixels: np.ndarray) -> np.ndarray:
    """(h, w, 1) or (h, w, 3) as (h, w, 3)."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def png(pixels: np.ndarray) -> bytes:
    """A picture, uint8 (h, w) or (h, w, 3), as the content of a file."""
    marks = PngInfo()
    marks.add_text(*_MAKER)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", pnginfo=marks)
    return content.getvalue()


def for_event(pixels: np.ndarray) -> str:
    """A picture as text, a PNG in base64, for a line of JSON."""
    return base64.b64encode(png(pixels)).decode("ascii")


def check_place(path: Path) -> None:
    """Looks whether a picture may be written there.

    Raises:
        UserError: the name does not end in .png, there is no such folder, or a file is there that
            the workbench did not draw.
    """
    shown = safe_text(path, 1000)
    if path.suffix.lower() != ENDING:
        raise UserError(f"A picture's name ends in {ENDING}, received {shown}.")
    if not path.parent.is_dir():
        raise UserError(f"There is no folder {safe_text(path.parent, 1000)} for the picture.")
    if path.exists() and not _ours(path):
        raise UserError(
            f"{shown} exists, and it is no picture that the workbench drew.",
            "Nothing of yours is replaced: choose another name with --out.",
        )


def save(path: Path, pixels: np.ndarray) -> None:
    """Writes a picture; one that the workbench drew before is replaced.

    Raises:
        UserError: as `check_place`.
        OSError: it cannot be written.
    """
    check_place(path)
    write_atomic(path, png(pixels))


def _ours(path: Path) -> bool:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            key, value = _MAKER
            return image.info.get(key) == value
    except Exception:  # whatever it is, it is not ours
        return False


def _fitting(tile: np.ndarray, smallest: int) -> np.ndarray:
    longer = max(tile.shape[:2])
    if longer > LARGEST_TILE:
        height, width = (max(1, side * LARGEST_TILE // longer) for side in tile.shape[:2])
        return resized(tile, (height, width))
    times = math.ceil(smallest / longer)
    return tile.repeat(times, axis=0).repeat(times, axis=1)
