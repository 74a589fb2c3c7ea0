"""Arrays as pictures: scaled for display, tiled, written as PNG."""

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
from workbench.messages import tr
from workbench.text import safe_text

ENDING = ".png"
GAP = 1  # pixels between two tiles
MIN_TILE, MAX_TILE = 48, 256  # pixels of a tile's longer side
_SPREAD, _MIDDLE = 64, 128  # grey levels: one standard deviation, and the mean
_SOFTWARE = ("Software", "workbench")  # marks our pictures: no other file is ever replaced


def to_gray_levels(values: np.ndarray) -> np.ndarray:
    """Scale numbers to uint8: centred on 128, a standard deviation is 64 levels, clipped.

    If all numbers are equal, zeros become black and others 128.
    """
    values = values.astype(np.float64)
    if not values.any():
        return np.zeros(values.shape, np.uint8)
    values = values - values.mean()
    deviation = values.std()
    if deviation > 0:
        values = values / deviation
    return np.clip(values * _SPREAD + _MIDDLE, 0, 255).astype(np.uint8)


def tile_images(
    tiles: Sequence[np.ndarray], columns: int | None = None, smallest: int = MIN_TILE
) -> np.ndarray:
    """Arrange pictures of one size in a grid with thin black gaps.

    Args:
        tiles: uint8, (h, w) grey or (h, w, 3), at least one.
        columns: None for about as many as rows.
        smallest: minimum pixels of a tile's longer side; smaller tiles are enlarged by an integer
            factor. Those beyond MAX_TILE are shrunk to it.

    Returns:
        uint8, with as many axes as a tile.
    """
    columns = columns or math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    fitting = [_fit_tile(tile, smallest) for tile in tiles]
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
    """Resize a picture, or a map of float32 (h, w), to (height, width), bilinearly."""
    height, width = size
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def rgb(pixels: np.ndarray) -> np.ndarray:
    """Convert (h, w, 1) or (h, w, 3) to (h, w, 3)."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def encode_png(pixels: np.ndarray) -> bytes:
    """Return a picture, uint8 (h, w) or (h, w, 3), as the content of a file."""
    info = PngInfo()
    info.add_text(*_SOFTWARE)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", pnginfo=info)
    return content.getvalue()


def encode_base64(pixels: np.ndarray) -> str:
    """Return a picture as text, a PNG in base64, for a line of JSON."""
    return base64.b64encode(encode_png(pixels)).decode("ascii")


def check_output_path(path: Path) -> None:
    """Check that a picture may be written there.

    Raises:
        UserError: the name does not end in .png, there is no such folder, or the file exists and
            the workbench did not draw it.
    """
    shown = safe_text(path, 1000)
    if path.suffix.lower() != ENDING:
        raise UserError(
            tr("A picture's name ends in {ending}, received {shown}.", ending=ENDING, shown=shown)
        )
    if not path.parent.is_dir():
        raise UserError(
            tr("There is no folder {parent} for the picture.", parent=safe_text(path.parent, 1000))
        )
    if path.exists() and not _is_ours(path):
        raise UserError(
            tr("{shown} exists, and it is not a picture that the workbench drew.", shown=shown),
            tr("Your own files are never replaced: choose another name with --out."),
        )


def save(path: Path, pixels: np.ndarray) -> None:
    """Write a picture, replacing one that the workbench drew before.

    Raises:
        UserError: as `check_output_path`.
        OSError: it cannot be written.
    """
    check_output_path(path)
    write_atomic(path, encode_png(pixels))


def _is_ours(path: Path) -> bool:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            key, value = _SOFTWARE
            return image.info.get(key) == value
    except Exception:  # an unreadable file is not ours
        return False


def _fit_tile(tile: np.ndarray, smallest: int) -> np.ndarray:
    longer = max(tile.shape[:2])
    if longer > MAX_TILE:
        height, width = (max(1, side * MAX_TILE // longer) for side in tile.shape[:2])
        return resized(tile, (height, width))
    times = math.ceil(smallest / longer)
    return tile.repeat(times, axis=0).repeat(times, axis=1)
