"""Images with more than 8 bits a channel, and the range of values that becomes 0 to 255.

Such files often use a part of their range: a 12-bit camera writes 0 to 4095 into 16 bits. Dividing
by 257 would leave 16 grey levels of it, so the range is measured over the training images and
kept with the manifest and the model: every image, also one predicted later, is scaled alike.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile

DEEPEST = 0xFFFF  # the largest value of 16 bits
_TO_16_BITS = 257  # 255 * 257 is 65535

# Pillow reads colours of 16 bits as their upper bytes. Asked for the other byte order, it reads
# the lower ones: so both halves of every value come from its own decoders.
_OTHER_ORDER = {"B": "L", "L": "B", "N": "B"}  # N: as this processor has it, little-endian


@dataclass(frozen=True, order=True)
class Levels:
    """The values that become 0 and 255; those between are scaled, others clipped."""

    low: int
    high: int

    def __str__(self) -> str:
        """As the manifest has it: 12-4095."""
        return f"{self.low}-{self.high}"

    @classmethod
    def parse(cls, text: str) -> "Levels":
        """Read what `str` gave.

        Raises:
            ValueError: the text is none, or no range within 16 bits.
        """
        low, dash, high = text.partition("-")
        good = dash and all(part.isascii() and part.isdecimal() for part in (low, high))
        if not (good and len(text) <= 11 and int(low) <= int(high) <= DEEPEST):
            raise ValueError(f"the levels are {text!r}")
        return cls(int(low), int(high))


FULL = Levels(0, DEEPEST)


@dataclass(frozen=True)
class Deep:
    """The pixels of an image with 16 bits a channel, as two images of 8 bits.

    Attributes:
        upper: the upper bytes, of mode L or RGB; `lower` holds the lower ones.
        alpha: opacity, of mode L, where the image has it.
    """

    upper: Image.Image
    lower: Image.Image
    alpha: Image.Image | None = None

    def transpose(self, method: Image.Transpose) -> "Deep":
        """Return it turned or mirrored."""
        alpha = self.alpha and self.alpha.transpose(method)
        return Deep(self.upper.transpose(method), self.lower.transpose(method), alpha)

    def values(self) -> np.ndarray:
        """uint16, (height, width) or (height, width, 3)."""
        return np.asarray(self.upper).astype(np.uint16) << 8 | np.asarray(self.lower)

    def levels(self) -> Levels:
        """The smallest and the largest value."""
        values = self.values()
        return Levels(int(values.min()), int(values.max()))

    def plain(self) -> Image.Image | None:
        """The image with 8 bits, if that is all it holds: each value is one of 8 bits times 257."""
        return (
            self._over_white(self.upper) if self.upper.tobytes() == self.lower.tobytes() else None
        )

    def scaled(self, levels: Levels | None) -> Image.Image:
        """The image with 8 bits a channel, of mode L or RGB, over white where it is transparent.

        Args:
            levels: None for what was done before levels were measured: grey is divided by 257,
                colours lose their lower bytes.
        """
        if levels is None and self.upper.mode != "L":
            return self._over_white(self.upper)
        low, high = (levels or FULL).low, (levels or FULL).high
        table = np.clip(np.arange(DEEPEST + 1) - low, 0, max(1, high - low))
        table = (2 * 255 * table + max(1, high - low)) // (2 * max(1, high - low))  # rounded
        return self._over_white(Image.fromarray(table.astype(np.uint8)[self.values()]))

    def to_show(self) -> Image.Image:
        """The same by its own range, for a person to look at."""
        return self.scaled(self.levels())

    def _over_white(self, image: Image.Image) -> Image.Image:
        if self.alpha is None:
            return image
        white = Image.new(image.mode, image.size, "white")
        return Image.composite(image, white, self.alpha)


def read_deep(image: ImageFile.ImageFile) -> Deep | None:
    """Decode an opened image of 16 bits; None where Pillow gives its upper bytes alone.

    Raises:
        ValueError: values are negative or beyond 16 bits.
        Exception: whatever Pillow raises over damaged files.
    """
    if image.mode.startswith("I"):
        image.load()
        return _halves(np.asarray(image))
    raw, file = raw_mode(image.tile[0]), image.fp
    assert file is not None  # nothing is loaded yet
    if raw == "LA;16B":  # four bytes a pixel: upper and lower of grey, the same of opacity
        image.tile = [_with_raw_mode(tile, "RGBA") for tile in image.tile]
        image.load()
        return Deep(*image.split()[:3])
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
    return Deep(_colours(image), _colours(lower), alpha)


def raw_mode(tile: Any) -> str:
    """How the file stores its pixels, such as RGB;16B, which Pillow hands over as 8-bit RGB."""
    arguments = tile[3]
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _with_raw_mode(tile: Any, raw: str) -> Any:
    arguments = (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw
    return tile._replace(args=arguments)


def _halves(values: np.ndarray) -> Deep:
    if values.min() < 0 or values.max() > DEEPEST:
        raise ValueError
    upper, lower = (values >> 8).astype(np.uint8), (values & 0xFF).astype(np.uint8)
    return Deep(Image.fromarray(upper), Image.fromarray(lower))


def _colours(image: Image.Image) -> Image.Image:
    """Red, green and blue as they are stored: opacity is another matter."""
    bands = image.split()
    return Image.merge("RGB", bands[:3])
