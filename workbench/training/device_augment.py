"""Augmentation on the device: the changes that `datasets.augment` makes, to a batch at once.

The draws are the same, so an image's view is the same image whichever way it is made, up to the
rounding of grey levels.
"""

from typing import Any

from keras import ops

Tensor = Any


def augment_images(images: Tensor, changes: Tensor, fill: str) -> Tensor:
    """Return changed images, each resampled once (bilinear), within a grey level of the host's.

    Args:
        images: uint8 (b, h, w, c).
        changes: float32 (b, 8), see `datasets.augment.as_numbers`.
        fill: behind a moved image, "nearest" (its edge repeated) or "black".

    Returns:
        uint8 (b, h, w, c).
    """
    levels = _change_levels(ops.cast(images, "float32"), changes[:, 6], changes[:, 7])
    moved = ops.reshape(changes[:, :6], (-1, 2, 3))
    return ops.cast(_resample(levels, moved, fill), "uint8")


def _change_levels(images: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """Change brightness, then contrast around the mean, to whole grey levels."""
    brightness, contrast = (ops.reshape(factor, (-1, 1, 1, 1)) for factor in (brightness, contrast))
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True) * brightness
    changed = mean + (images * brightness - mean) * contrast
    return ops.clip(ops.round(changed), 0, 255)


def _resample(images: Tensor, moved: Tensor, fill: str) -> Tensor:
    """Return float32 (b, h, w, c), rounded down as Pillow does."""
    height, width, channels = images.shape[1:]
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1))
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width))
    y, x = (
        moved[:, axis, 0, None, None] * rows
        + moved[:, axis, 1, None, None] * columns
        + moved[:, axis, 2, None, None]
        for axis in (0, 1)
    )
    above, left = ops.floor(y), ops.floor(x)
    first = ops.reshape(ops.arange(ops.shape(images)[0]), (-1, 1, 1)) * (height * width)
    pixels = ops.reshape(images, (-1, channels))

    def at(row: Tensor, column: Tensor) -> Tensor:
        row = ops.cast(ops.clip(row, 0, height - 1), "int32")
        column = ops.cast(ops.clip(column, 0, width - 1), "int32")
        return ops.take(pixels, first + row * width + column, axis=0)

    down, right = (y - above)[..., None], (x - left)[..., None]
    upper = at(above, left) * (1 - right) + at(above, left + 1) * right
    lower = at(above + 1, left) * (1 - right) + at(above + 1, left + 1) * right
    found = ops.floor(upper * (1 - down) + lower * down)
    if fill == "nearest":
        return found
    inside = (y >= -0.5) & (y < height - 0.5) & (x >= -0.5) & (x < width - 0.5)
    return ops.where(inside[..., None], found, 0.0)
