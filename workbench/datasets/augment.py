"""Augment training images: one random affine transform and one table of grey levels.

Changes are drawn and composed as Keras's ImageDataGenerator did in the book's time (Keras 2), with
coordinates in the order (row, column). The copy of it in Keras 3 swaps the axes: its height_shift
moves columns.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from workbench.experiment.augmentation import AugmentationSpec
from workbench.experiment.seeds import uniforms


@dataclass(frozen=True)
class Draw:
    """The changes of one image in one view; the defaults change nothing.

    Attributes:
        rotation: Degrees; positive turns the image clockwise.
        height_shift: Fraction of the height; positive moves the image up.
        width_shift: Fraction of the width; positive moves the image left.
        shear: Degrees.
        zoom_y: Height of the visible part; above 1 things become smaller.
        zoom_x: The same for the width.
        horizontal_flip: Swap left and right, after all of the above.
        vertical_flip: Swap top and bottom, after all of the above.
        brightness: Factor on grey levels.
        contrast: Factor on the distance of grey levels to the image's mean.
        top: Where the part that is kept begins, as a fraction of the height.
        left: The same for the width.
        height: Of the part, as a fraction of the height.
        width: The same for the width.
    """

    rotation: float = 0.0
    height_shift: float = 0.0
    width_shift: float = 0.0
    shear: float = 0.0
    zoom_y: float = 1.0
    zoom_x: float = 1.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    brightness: float = 1.0
    contrast: float = 1.0
    top: float = 0.0
    left: float = 0.0
    height: float = 1.0
    width: float = 1.0


def draw(spec: AugmentationSpec, seed: int, stage: int, view: int, content: int) -> Draw:
    """Draw the changes of an image, a pure function of the arguments.

    Every change uses its own uniform number, enabled or not, so that enabling one leaves the
    others as they were. A new change takes the next number.

    Args:
        spec: The ranges.
        seed: Of the run.
        stage: Of the run.
        view: Number of the view of the image, such as the epoch.
        content: Identifies the image, 0 to 2**64 - 1.
    """
    u = uniforms(14, seed, stage, view, content).tolist()

    def around(middle: float, reach: float, number: int) -> float:
        return middle + reach * (2 * u[number] - 1)

    part = _draw_part(spec.random_crop, *u[10:]) if spec.random_crop else ()
    return Draw(
        rotation=around(0, spec.rotation, 0),
        height_shift=around(0, spec.height_shift, 1),
        width_shift=around(0, spec.width_shift, 2),
        shear=around(0, spec.shear, 3),
        zoom_y=around(1, spec.zoom, 4),
        zoom_x=around(1, spec.zoom, 5),
        horizontal_flip=spec.horizontal_flip and u[6] < 0.5,
        vertical_flip=spec.vertical_flip and u[7] < 0.5,
        brightness=around(1, spec.brightness, 8),
        contrast=around(1, spec.contrast, 9),
        **dict(zip(("top", "left", "height", "width"), part, strict=False)),
    )


def _draw_part(
    smallest: float, area: float, aspect: float, down: float, across: float
) -> tuple[float, float, float, float]:
    """Return top, left, height and width of a random part, as fractions.

    The share of the area is uniform, the aspect ratio log-uniform from 3/4 to 4/3 as far as the
    part stays inside (Szegedy et al., arXiv 1409.4842). The ratio is that to the image's own.
    """
    share = smallest + (1 - smallest) * area
    flattest, tallest = max(3 / 4, share), min(4 / 3, 1 / share)
    ratio = flattest * (tallest / flattest) ** aspect
    height, width = min(math.sqrt(share * ratio), 1.0), min(math.sqrt(share / ratio), 1.0)
    return down * (1 - height), across * (1 - width), height, width


def matrix(draw: Draw, height: int, width: int) -> np.ndarray:
    """Return the source of each pixel of the new image: float64 (3, 3), on (row, column, 1).

    rotation @ shift @ shear @ zoom @ flips, about the centre of the image, all of it after the
    crop; the centre of the first pixel is at (0, 0).
    """
    turn, slant = math.radians(draw.rotation), math.radians(draw.shear)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shift = np.array([draw.height_shift * height, draw.width_shift * width])
    shear = np.array([[1, -math.sin(slant)], [0, math.cos(slant)]])
    zoom = np.array([draw.zoom_y, draw.zoom_x])
    flips = np.array([-1 if draw.vertical_flip else 1, -1 if draw.horizontal_flip else 1])
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    moved = np.eye(3)
    moved[:2, :2] = (rotation @ shear) * (zoom * flips)
    moved[:2, 2] = rotation @ shift + centre - moved[:2, :2] @ centre
    if (draw.height, draw.width) != (1, 1):
        part, size = np.array([draw.height, draw.width]), np.array([height, width])
        moved[:2] *= part[:, None]
        moved[:2, 2] += np.array([draw.top, draw.left]) * size + (part - 1) / 2
    # Pillow rounds grey levels down, so that a source 1e-16 beside a pixel could darken it: quarter
    # turns and shifts by whole pixels have to be exact.
    return moved.round(9)


def as_numbers(draw: Draw, height: int, width: int) -> np.ndarray:
    """Return the changes as a device applies them: float32 (8,).

    The first two rows of the matrix, brightness, contrast.
    """
    moved = matrix(draw, height, width)[:2].flatten()
    return np.array([*moved, draw.brightness, draw.contrast], np.float32)


def augment(image: np.ndarray, spec: AugmentationSpec, draw: Draw) -> np.ndarray:
    """Return the changed image, resampled once (bilinear); without a change, `image` itself.

    Grey levels change before the image moves, so that a black background stays black.

    Args:
        image: uint8 (h, w, c), c = 1 or 3; not modified.
        spec: For the fill behind a moved image.
        draw: The changes.

    Returns:
        uint8 (h, w, c).
    """
    moved = matrix(draw, *image.shape[:2])
    if draw.brightness != 1 or draw.contrast != 1:
        image = np.take(_levels(image, draw), image)
    if (moved == np.eye(3)).all():
        return image
    return _resample(image, moved, spec.fill)


def _levels(image: np.ndarray, draw: Draw) -> np.ndarray:
    """Return the new grey level of each old one, uint8 (256,): brightness, then contrast."""
    levels = np.arange(256) * draw.brightness
    mean = image.mean() * draw.brightness
    return (mean + (levels - mean) * draw.contrast).round().clip(0, 255).astype(np.uint8)


def _resample(image: np.ndarray, moved: np.ndarray, fill: str) -> np.ndarray:
    height, width, channels = image.shape
    shift = moved[:2, 2]
    if fill == "nearest":
        image, first = _with_edges(image, moved)
        shift = shift + first
    (by_row_y, by_column_y), (by_row_x, by_column_x) = moved[:2, :2]
    # Pillow's order is (x, y), and it puts the centre of the first pixel at 0.5, not 0.
    shift_y, shift_x = shift + 0.5 - 0.5 * moved[:2, :2].sum(axis=1)
    source = Image.fromarray(image if channels == 3 else image[:, :, 0])
    result = source.transform(
        (width, height),
        Image.Transform.AFFINE,
        (by_column_x, by_row_x, shift_x, by_column_y, by_row_y, shift_y),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(result).reshape(height, width, channels)


def _with_edges(image: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the image with its edges repeated as far as the transform reaches beyond it.

    Pillow has no such fill. No wider than needed: it costs as much as the transform.

    Returns:
        The larger image, and the place (row, column) of the first pixel of `image` in it.
    """
    height, width = image.shape[:2]
    corners = np.array([[0, 0, height - 1, height - 1], [0, width - 1, 0, width - 1], [1, 1, 1, 1]])
    sources = (moved @ corners)[:2]
    first = np.maximum(0, -np.floor(sources.min(axis=1))).astype(int)
    beyond = np.ceil(sources.max(axis=1)) - (height - 1, width - 1)
    above, left = first.tolist()
    below, right = np.maximum(0, beyond).astype(int).tolist()
    larger = np.empty((above + height + below, left + width + right, image.shape[2]), np.uint8)
    rows = larger[above : above + height]
    rows[:, left : left + width] = image
    rows[:, :left] = image[:, :1]
    rows[:, left + width :] = image[:, -1:]
    larger[:above] = rows[:1]
    larger[above + height :] = rows[-1:]
    return larger, first
