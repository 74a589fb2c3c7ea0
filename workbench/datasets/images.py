"""Image files as arrays: the one way from a file to what a network is given.

Whatever a file holds becomes 8-bit grey or RGB. EXIF orientation is applied, of an animation the
first frame is taken, 16 bits are scaled to 8 (see `deep`), and transparency is laid over white, as
a viewer shows it.
"""

import io
import math
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import jpeg_factory

from workbench.datasets.deep import Deep, Levels, raw_mode, read_deep
from workbench.datasets.heif import START, readable_endings, unreadable_format
from workbench.experiment.sections import DataSpec
from workbench.files import without_waiting
from workbench.text import safe_text

# Pillow knows some formats that run other programs (EPS) or are no pictures; these are enough.
ENDINGS_OF_FORMAT = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    **readable_endings(),
}
IMAGE_ENDINGS = frozenset(ending for endings in ENDINGS_OF_FORMAT.values() for ending in endings)

# Where Pillow begins to warn: a quarter of a GiB as RGB, which each thread may need at once.
MAX_PIXELS = 89_478_485
# A progressive JPEG needs 3 to 6 bytes a pixel for its coefficients, whatever it is reduced to.
MAX_PROGRESSIVE = 4 * MAX_PIXELS
TOO_LARGE = (
    f"the header announces more than {MAX_PIXELS // 10**6} million pixels, the most that is "
    "read of any format but JPEG; save it smaller, or as a JPEG"
)
_TOO_PROGRESSIVE = (
    f"the header announces more than {MAX_PROGRESSIVE // 10**6} million pixels, the most that is "
    "read of a progressive JPEG; save it smaller, or not progressive"
)
_DAMAGED = "its image data is damaged"
GREY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "I;16N"})

_ORIENTATION = 0x0112  # the EXIF tag; its values 1-8 as in the TIFF 6.0 specification
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_JPEGS = ("JPEG", "MPO")  # a camera's JPEG may carry a second, smaller picture (Pillow: MPO)
_JPEG_BEGINS = b"\xff\xd8\xff"
_FIRST_SIDEWAYS = 5  # orientations from here on exchange width and height

Resize = Literal["stretch", "crop", "pad"]


class ImageError(Exception):
    """An image cannot be used; `reason` says why, in a few plain words without the file's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Header:
    """What a file says of its image before it is decoded.

    Attributes:
        width: pixels of the whole image, upright (EXIF orientation applied); so is height.
        format: Pillow's name: JPEG, PNG, ...
        mode: Pillow's name of the stored pixels: L, RGB, CMYK, ...
        orientation: EXIF's value, 1 to 8; 1 is upright.
        animated: True where the file holds more than one frame.
        depth16: True where a channel has 16 bits.
        alpha: True where something may be transparent.
        reduction: 1, or what a JPEG's sides have to be divided by to be decoded: 2, 4 or 8.
    """

    width: int
    height: int
    format: str
    mode: str
    orientation: int
    animated: bool
    depth16: bool
    alpha: bool
    reduction: int = 1

    @property
    def grey(self) -> bool:
        """True where the file stores no colour."""
        return self.mode in GREY_MODES


@contextmanager
def open_image(source: Path | bytes) -> Iterator[tuple[ImageFile.ImageFile, Header]]:
    """Reads the header of an image; nothing is decoded before `load`.

    Args:
        source: a file, or the content of one.

    Raises:
        ImageError: no such file, no image, or too many pixels; also for what goes wrong inside
            the block.
    """
    with _plain_reasons(), _binary(source) as file, _opened(file) as image:
        _refuse_too_large(image)
        if not image.width * image.height:
            raise ImageError("the image has no pixels")
        yield image, _header(image)


def decode(
    source: Path | bytes,
    at_least: tuple[int, int] | None = None,
    levels: Levels | None = None,
) -> Image.Image:
    """The upright image as 8-bit grey (mode L) or RGB, as a network is given it.

    Args:
        source: a file, or the content of one.
        at_least: (height, width) that suffice: a JPEG is then decoded at 1/2, 1/4 or 1/8 of its
            size where that is still as large. Its pixels differ slightly from a full decoding.
        levels: what becomes 0 and 255 of an image with 16 bits a channel; None for a division by
            257, whatever its values are.

    Raises:
        ImageError: the file cannot be used.
    """
    with open_image(source) as (image, header):
        found = pixels(image, header, at_least)
        return found.scaled(levels) if isinstance(found, Deep) else found


def decode_to_show(source: Path | bytes, at_least: tuple[int, int] | None = None) -> Image.Image:
    """The same for a person to look at: 16 bits are scaled by the image's own range."""
    with open_image(source) as (image, header):
        found = pixels(image, header, at_least)
        return found.to_show() if isinstance(found, Deep) else found


def pixels(
    image: ImageFile.ImageFile, header: Header, at_least: tuple[int, int] | None = None
) -> Image.Image | Deep:
    """Decode what `open_image` opened, upright; use it inside its block. See `decode`.

    Returns:
        An image of mode L or RGB, or all 16 bits of one that needs them.
    """
    if header.format == "JPEG" and (at_least or header.reduction > 1):
        _draft(image, header, at_least)
    sound = header.format != "PNG" or _sums_agree(image)
    found = _deep_pixels(image) if header.depth16 else None
    if found is None:
        image.load()  # first, for it can tell that a file is truncated
    if not sound:
        raise ImageError(_DAMAGED)
    # Asked anew: Pillow turns a TIFF while it loads it, and then tells of no orientation.
    method = _TRANSPOSE.get(_orientation(image, loaded=True))
    found = found or _to_8_bits(image)
    return found if method is None else found.transpose(method)


def to_array(
    image: Image.Image, image_size: tuple[int, int], channels: int, resize: Resize = "stretch"
) -> np.ndarray:
    """A decoded image as a network takes it.

    Resizing is bilinear and averages over all pixels that shrink into one.

    Args:
        image: of mode L or RGB.
        image_size: (height, width) wanted, pixels.
        channels: 3 for RGB, 1 for grey (ITU-R 601-2 luma).
        resize: "stretch" ignores the proportions, "crop" takes the largest middle part of the
            right proportions, "pad" fits the whole image in, with black around it.

    Returns:
        uint8, (height, width, channels).
    """
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    height, width = image_size
    if image.size != (width, height):
        image = _resized(image, width, height, resize)
    return np.asarray(image, np.uint8).reshape(height, width, channels)


def load_array(source: Path | bytes, data: DataSpec, levels: Levels | None = None) -> np.ndarray:
    """A file as the data section of a spec wants it.

    Args:
        levels: as the run's manifest and its model have them, see `decode`.

    Returns:
        uint8, (height, width, channels).

    Raises:
        ImageError: the file cannot be used.
    """
    at_least = data.image_size if data.decode == "fast" else None
    image = decode(source, at_least, levels)
    return to_array(image, data.image_size, data.channels, data.resize)


def _resized(image: Image.Image, width: int, height: int, resize: Resize) -> Image.Image:
    bilinear = Image.Resampling.BILINEAR
    if resize == "stretch":
        return image.resize((width, height), bilinear)
    if resize == "crop":
        scale = min(image.width / width, image.height / height)
        left = max(0.0, (image.width - width * scale) / 2)  # rounding can make it -1e-14
        top = max(0.0, (image.height - height * scale) / 2)
        box = (left, top, image.width - left, image.height - top)
        return image.resize((width, height), bilinear, box=box)
    scale = max(image.width / width, image.height / height)
    inner = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    canvas = Image.new(image.mode, (width, height))
    canvas.paste(image.resize(inner, bilinear), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


def _opened(file: BinaryIO) -> ImageFile.ImageFile:
    """Read the header of an image, whatever the size it announces."""
    beginning = file.read(len(_JPEG_BEGINS))
    file.seek(0)
    if beginning != _JPEG_BEGINS:
        return _identified(file)
    try:  # not by way of `Image.open`, which refuses what can be decoded at a part of its size
        return jpeg_factory(file, "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:
        raise UnidentifiedImageError from error


def _identified(file: BinaryIO) -> ImageFile.ImageFile:
    try:
        return Image.open(file, formats=tuple(ENDINGS_OF_FORMAT))
    except UnidentifiedImageError:
        file.seek(0)
        if reason := unreadable_format(file.read(START)):
            raise ImageError(reason) from None
        raise


def _header(image: ImageFile.ImageFile) -> Header:
    orientation = _orientation(image)
    width, height = image.size
    if orientation >= _FIRST_SIDEWAYS and image.format != "TIFF":  # whose size is upright already
        width, height = height, width
    several = image.format != "MPO" and getattr(image, "is_animated", False)
    return Header(
        width=width,
        height=height,
        format="JPEG" if image.format in _JPEGS else image.format or "",
        mode=image.mode,
        orientation=orientation,
        animated=several,
        depth16=image.mode.startswith("I") or any(";16" in raw_mode(t) for t in image.tile),
        alpha=image.has_transparency_data,
        reduction=_reduction(image) if image.format in _JPEGS else 1,
    )


def _refuse_too_large(image: ImageFile.ImageFile) -> None:
    """The decoder's memory has to stay within what a thread may need."""
    size = image.width * image.height
    if image.format not in _JPEGS:
        if size > MAX_PIXELS:
            raise ImageError(TOO_LARGE)
    elif size > MAX_PROGRESSIVE and image.info.get("progressive"):
        raise ImageError(_TOO_PROGRESSIVE)


def _reduction(image: ImageFile.ImageFile) -> int:
    """The smallest of 1, 2, 4 and 8 with which a JPEG has few enough pixels; at 8 all have."""
    wanted = math.sqrt(image.width * image.height / MAX_PIXELS)
    return next((scale for scale in (1, 2, 4) if scale >= wanted), 8)


def _draft(image: ImageFile.ImageFile, header: Header, at_least: tuple[int, int] | None) -> None:
    """Have a JPEG decoded at a part of its size, where that is wanted or has to be."""
    # Pillow takes the largest reduction that leaves no side smaller than what it is given.
    width, height = image.width // header.reduction, image.height // header.reduction
    if at_least is not None:
        least = at_least if header.orientation >= _FIRST_SIDEWAYS else at_least[::-1]
        width, height = min(width, least[0]), min(height, least[1])
    image.draft(None, (width, height))


def _deep_pixels(image: ImageFile.ImageFile) -> Image.Image | Deep | None:
    """All 16 bits, or the 8 that there are; None where Pillow reads no more than 8."""
    try:
        found = read_deep(image)
    except ValueError:
        raise ImageError(
            "its pixels are numbers beyond 16 bits; save it with 8 or 16 bits"
        ) from None
    return found and (found.plain() or found)


def _orientation(image: Image.Image, loaded: bool = False) -> int:
    try:
        if image.format != "PNG":
            exif = image.getexif()
        elif loaded and "exif" in image.info:  # it may stand behind the pixels
            exif = Image.Exif()
            exif.load(image.info["exif"])
        else:  # not by the PNG's own method, which would decode the whole in search of it
            exif = Image.Image.getexif(image)
        value = exif.get(_ORIENTATION, 1)
    except Exception:  # Pillow raises many kinds; a broken EXIF block says nothing of orientation
        return 1
    return value if value in _TRANSPOSE else 1


def _sums_agree(image: ImageFile.ImageFile) -> bool:
    """Pillow decodes a PNG without a look at its check sums: a flipped bit goes unseen."""
    file = image.fp
    assert file is not None  # not loaded yet
    place = file.tell()
    file.seek(0)
    try:
        with Image.open(file, formats=("PNG",)) as again:
            again.verify()
    except (SyntaxError, OSError, ValueError):
        return False
    finally:
        file.seek(place)
    return True


def _to_8_bits(image: Image.Image) -> Image.Image:
    """The pixels as L or RGB; nothing is clipped."""
    if image.mode == "F":
        raise ImageError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)  # it would copy


@contextmanager
def _binary(source: Path | bytes) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        with io.BytesIO(source) as memory:
            yield _not_empty(memory, len(source))
        return
    with open(source, "rb", opener=without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("it is no regular file")
        yield _not_empty(file, status.st_size)


def _not_empty(file: BinaryIO, size: int) -> BinaryIO:
    if not size:
        raise ImageError("the file is empty")
    return file


@contextmanager
def _plain_reasons() -> Iterator[None]:
    """Turns everything that opening and decoding can raise into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError("there is no such file") from error
    except UnidentifiedImageError as error:
        raise ImageError("its content is no image of a known format") from error
    except Image.DecompressionBombError as error:
        raise ImageError(TOO_LARGE) from error
    except MemoryError as error:
        raise ImageError("it needs more memory than there is") from error
    except OSError as error:
        raise ImageError(_os_reason(error)) from error
    except Exception as error:  # a dozen decoders over bytes from outside raise a dozen kinds
        raise ImageError(_DAMAGED) from error


def _os_reason(error: OSError) -> str:
    if error.errno:
        return f"it cannot be read: {safe_text(error.strerror)}"
    if "truncated" in str(error).lower():
        return "the file is truncated: it ends early"
    return _DAMAGED
