"""Measures of an image that the scan keeps, taken on few pixels: histogram, colour, sharpness.

The pixels are a sample, not averages: averages of neighbours have other values than the file, and
would hide the gaps that scaled brightness leaves in a histogram (see `shortcuts`).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

MIN_MEASURED = 32  # pixels that both sides need; drawings of 28 x 28 are odd in every measure
REDUCED_SIDE = 64  # pixels of the longer side of `reduced`, as cleanvision takes for sharpness
_SAMPLED_SIDE = 192  # pixels of the longer side of the sample
_SCALE = 255  # a bin that holds all pixels


class PixelMeasures(NamedTuple):
    """Measures of one image.

    Attributes:
        histogram: 256 bytes, the root of the share of each value of green or grey, 255 for all;
            `shares` turns it back. Green has most of the brightness, and JPEG keeps it best.
        colour: Means of red, green and blue, 0 to 255.
        sharpness: Standard deviation of the edges in the reduced grey image, grey levels. The
            blurriness of cleanvision (cleanlab), whose edges are Pillow's FIND_EDGES; without the
            outermost pixels, which that filter leaves as they are.
    """

    histogram: bytes
    colour: tuple[int, int, int]
    sharpness: float


def reduced(grey: Image.Image) -> Image.Image:
    """Return a grey image with a longer side of at most 64 pixels, each an average."""
    return _fitted(grey, REDUCED_SIDE, Image.Resampling.BOX)


def measure(image: Image.Image, small: Image.Image) -> PixelMeasures:
    """Measure a decoded image.

    Args:
        image: Of mode L or RGB.
        small: The same, `reduced`.
    """
    sample = _fitted(image, _SAMPLED_SIDE, Image.Resampling.NEAREST)
    mean = sample.reduce(sample.size).getpixel((0, 0))
    red, green, blue = mean if isinstance(mean, tuple) else (int(mean or 0),) * 3
    values = sample if sample.mode == "L" else sample.getchannel("G")
    counts = np.array(values.histogram(), np.float32)
    roots = np.sqrt(counts * (_SCALE**2 / (sample.width * sample.height)))
    histogram = (roots + 0.5).astype(np.uint8).tobytes()
    return PixelMeasures(histogram, (red, green, blue), round(_sharpness(small), 1))


def _sharpness(small: Image.Image) -> float:
    """Return the deviation of the edges: eight times a pixel less its neighbours, 0 to 255."""
    grey = np.asarray(small).astype(np.int16)
    rows = grey[:-2] + grey[1:-1]
    rows += grey[2:]
    edges = 9 * grey[1:-1, 1:-1]
    for start in range(3):
        edges -= rows[:, start : start + edges.shape[1]]
    values = edges.clip(0, 255, out=edges).astype(np.float32).ravel()
    mean = float(values.sum()) / values.size
    return math.sqrt(max(0.0, float(values @ values) / values.size - mean * mean))


def roots(histograms: Sequence[bytes]) -> np.ndarray:
    """Return uint8, (images, 256): the histograms as they are kept."""
    return np.frombuffer(b"".join(histograms), np.uint8).reshape(-1, 256)


def shares(histograms: Sequence[bytes]) -> np.ndarray:
    """Return float32, (images, 256): the share of each value, 1 in all."""
    squares = roots(histograms).astype(np.float32) ** 2
    return squares / np.maximum(squares.sum(axis=1, keepdims=True), 1)


def percentile(shares: np.ndarray, percent: float) -> np.ndarray:
    """Return int64, (images): the smallest value that `percent` of the pixels do not exceed."""
    # Not 0.99 itself, which rounding of the sum may miss.
    return (np.cumsum(shares, axis=1) >= percent / 100 - 1e-6).argmax(axis=1)


def entropy(shares: np.ndarray) -> np.ndarray:
    """Return float32, (images): Shannon's entropy of the values, 0 to 8 bits."""
    return -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=1)


def _fitted(image: Image.Image, side: int, resampling: Image.Resampling) -> Image.Image:
    ratio = max(image.size) / side
    if ratio <= 1:
        return image
    width, height = (max(1, round(length / ratio)) for length in image.size)
    # By whole pixels first: faster. With a smaller gap, copies of half the size look different.
    gap = 2.0 if resampling == Image.Resampling.BOX else None
    return image.resize((width, height), resampling, reducing_gap=gap)
