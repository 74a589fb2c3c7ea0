"""Images with 16 bits a channel, and the range of values that becomes 0 to 255.

Such files often use a part of their range: a 12-bit camera writes 0 to 4095 into 16 bits. Dividing
by 257 would leave 16 grey levels of it, so the range is measured over the training images and
kept with the manifest and the model: every image, also one predicted later, is scaled alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile

MAX_VALUE = 0xFFFF  # the largest value of 16 bits

# Pillow reads colours of 16 bits as their upper bytes. Asked for the other byte order, it reads
# the lower ones: so both halves of every value come from its own decoders.
_OTHER_ORDER = {"B": "L", "L": "B", "N": "B"}  # N: of this processor, little-endian


@dataclass(frozen=True, order=True)
class Levels:
    """The values that become 0 and 255; those between are scaled, others clipped."""

    low: int
    high: int

    def __str__(self) -> str:
        """Return the form used in the manifest: 12-4095."""
        return f"{self.low}-{self.high}"

    @classmethod
    def parse(cls, text: str) -> "Levels":
        """Read the output of `str`.

        Raises:
            ValueError: The text is not a range within 16 bits.
        """
        low, dash, high = text.partition("-")
        good = dash and all(part.isascii() and part.isdecimal() for part in (low, high))
        if not (good and len(text) <= 11 and int(low) <= int(high) <= MAX_VALUE):
            raise ValueError(f"the levels are {text!r}")
        return cls(int(low), int(high))


FULL = Levels(0, MAX_VALUE)


@dataclass(frozen=True)
class SixteenBitImage:
    """The pixels of an image with 16 bits a channel, as two images of 8 bits.

    Attributes:
        upper: The upper bytes, of mode L or RGB.
        lower: The lower bytes.
        alpha: Opacity, of mode L, where the image has it.
    """

    upper: Image.Image
    lower: Image.Image
    alpha: Image.Image | None = None

    def transpose(self, method: Image.Transpose) -> "SixteenBitImage":
        """Return the image turned or mirrored."""
        alpha = self.alpha and self.alpha.transpose(method)
        return SixteenBitImage(self.upper.transpose(method), self.lower.transpose(method), alpha)

    def values(self) -> np.ndarray:
        """Return uint16, (height, width) or (height, width, 3)."""
        return np.asarray(self.upper).astype(np.uint16) << 8 | np.asarray(self.lower)

    def levels(self) -> Levels:
        """Return the smallest and the largest value."""
        values = self.values()
        return Levels(int(values.min()), int(values.max()))

    def as_8_bits(self) -> Image.Image | None:
        """Return the image with 8 bits if each value is one of 8 bits times 257, else None."""
        exact = self.upper.tobytes() == self.lower.tobytes()
        return self._over_white(self.upper) if exact else None

    def scaled(self, levels: Levels | None) -> Image.Image:
        """Return the image with 8 bits a channel, of mode L or RGB, transparency over white.

        Args:
            levels: The values that become 0 and 255. None for the scaling of models made before
                levels were measured: grey is divided by 257, colours lose their lower bytes.
        """
        if levels is None and self.upper.mode != "L":
            return self._over_white(self.upper)
        low, high = (levels or FULL).low, (levels or FULL).high
        table = np.clip(np.arange(MAX_VALUE + 1) - low, 0, max(1, high - low))
        table = (2 * 255 * table + max(1, high - low)) // (2 * max(1, high - low))  # rounded
        return self._over_white(Image.fromarray(table.astype(np.uint8)[self.values()]))

    def for_display(self) -> Image.Image:
        """Return the image scaled by its own range."""
        return self.scaled(self.levels())

    def _over_white(self, image: Image.Image) -> Image.Image:
        if self.alpha is None:
            return image
        white = Image.new(image.mode, image.size, "white")
        return Image.composite(image, white, self.alpha)


def scale_to_8_bits(image: Image.Image | SixteenBitImage, levels: Levels | None) -> Image.Image:
    """Return the image with 8 bits a channel; see `SixteenBitImage.scaled`."""
    return image.scaled(levels) if isinstance(image, SixteenBitImage) else image


def read_sixteen_bit(image: ImageFile.ImageFile) -> SixteenBitImage | None:
    """Decode an opened image of 16 bits; None where Pillow gives only its upper bytes.

    Raises:
        ValueError: Values are negative or beyond 16 bits.
        Exception: Anything that Pillow raises over damaged files.
    """
    if image.mode.startswith("I"):
        image.load()
        return _halves(np.asarray(image))
    raw, file = raw_mode(image.tile[0]), image.fp
    assert file is not None  # nothing is loaded yet
    if raw == "LA;16B":  # four bytes a pixel: upper and lower of grey, the same of opacity
        image.tile = [_with_raw_mode(tile, "RGBA") for tile in image.tile]
        image.load()
        return SixteenBitImage(*image.split()[:3])
    if image.mode not in ("RGB", "RGBA") or raw[-1] not in _OTHER_ORDER or len(image.tile) != 1:
        return None
    start = file.tell()
    file.seek(0)
    with Image.open(file, formats=(image.format or "",)) as again:
        again.tile = [_with_raw_mode(t, raw[:-1] + _OTHER_ORDER[raw[-1]]) for t in again.tile]
        lower = again.copy()
    file.seek(start)
    image.load()
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    return SixteenBitImage(_colours(image), _colours(lower), alpha)


def raw_mode(tile: Any) -> str:
    """Return how the file stores its pixels, such as RGB;16B, which Pillow reads as 8-bit RGB."""
    arguments = tile[3]
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _with_raw_mode(tile: Any, raw: str) -> Any:
    arguments = (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw
    return tile._replace(args=arguments)


def _halves(values: np.ndarray) -> SixteenBitImage:
    if values.min() < 0 or values.max() > MAX_VALUE:
        raise ValueError
    upper, lower = (values >> 8).astype(np.uint8), (values & 0xFF).astype(np.uint8)
    return SixteenBitImage(Image.fromarray(upper), Image.fromarray(lower))


def _colours(image: Image.Image) -> Image.Image:
    """Return red, green and blue as stored, without opacity."""
    return Image.merge("RGB", image.split()[:3])
