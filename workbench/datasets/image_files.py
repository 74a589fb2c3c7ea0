"""Open image files: their formats, headers, size limits, and why one cannot be used."""

import io
import math
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError, features
from PIL.JpegImagePlugin import jpeg_factory

from workbench import pip_install
from workbench.datasets.sixteen_bit import raw_mode
from workbench.files import nonblocking_opener
from workbench.messages import tr
from workbench.text import safe_text
from workbench.words import reason_of

try:
    import pillow_heif
except ImportError:
    pillow_heif = None

# Formats of phones: HEIF is read with `pillow-heif`, AVIF by Pillow where it was built with it.
_HEIF, _AVIF = "HEIF", "AVIF"
_PHONE_EXTENSIONS = {_HEIF: (".heic", ".heif", ".hif"), _AVIF: (".avif",)}
_INSTALL = {_HEIF: pip_install("heif"), _AVIF: "pip install --upgrade pillow"}
_BRANDS = {
    _HEIF: (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    _AVIF: (b"avif", b"avis"),
}
_SIGNATURE_BYTES = 12  # at the start of a file; they show its format


def _phone_formats() -> dict[str, tuple[str, ...]]:
    """Return those that can be read here, with the extensions of their file names."""
    found = {}
    if pillow_heif is not None:
        pillow_heif.register_heif_opener()
        found[_HEIF] = _PHONE_EXTENSIONS[_HEIF]
    if _AVIF.lower() in features.modules and features.check(_AVIF.lower()):
        found[_AVIF] = _PHONE_EXTENSIONS[_AVIF]
    return found


# Pillow knows some formats that run other programs (EPS) or are not pictures; these are enough.
FORMAT_EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    **_phone_formats(),
}
IMAGE_EXTENSIONS = frozenset(name for names in FORMAT_EXTENSIONS.values() for name in names)

# Where Pillow starts to warn: a quarter of a GiB as RGB, which each thread may need at once.
MAX_PIXELS = 89_478_485
# A progressive JPEG needs 3 to 6 bytes a pixel for its coefficients, whatever it is reduced to.
MAX_PROGRESSIVE = 4 * MAX_PIXELS
TOO_LARGE = tr(
    "the header announces more than {max_pixels} million pixels, the limit for "
    "any format but JPEG; save it smaller, or as a JPEG",
    max_pixels=MAX_PIXELS // 10**6,
)
_TOO_PROGRESSIVE = tr(
    "the header announces more than {max_progressive} million pixels, the "
    "limit for a progressive JPEG; save it smaller, or not progressive",
    max_progressive=MAX_PROGRESSIVE // 10**6,
)
DAMAGED = tr("its image data is damaged")
GREY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "I;16N"})

FIRST_SIDEWAYS = 5  # orientations from here on swap width and height
# Tags as in the specifications of TIFF 6.0 and EXIF 2.32.
_ORIENTATION_TAG = 0x0112  # values 1 to 8
_MAKE_TAG, _MODEL_TAG, _CHANGED_TAG = 0x010F, 0x0110, 0x0132
_EXIF_FOLDER, _TAKEN_TAG = 0x8769, 0x9003
_EXIF_TIME = "%Y:%m:%d %H:%M:%S"
MAX_CAMERA = 60  # characters of a camera's name that are kept
_JPEG_FORMATS = ("JPEG", "MPO")  # a camera's JPEG may carry a second, smaller picture (Pillow: MPO)
_JPEG_SIGNATURE = b"\xff\xd8\xff"


class ImageError(Exception):
    """An image that cannot be used.

    Attributes:
        reason: Why, in a few plain words without the file's name.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ImageHeader:
    """What is known of an image before it is decoded.

    Attributes:
        width: Pixels of the whole image, upright (EXIF orientation applied).
        height: Likewise.
        format: Pillow's name: JPEG, PNG, ...; npz for arrays.
        mode: Pillow's name of the stored pixels: L, RGB, CMYK, ...
        orientation: EXIF's value, 1 to 8; 1 is upright.
        animated: True where the file holds more than one frame.
        depth16: True where a channel has 16 bits.
        alpha: True where something may be transparent.
        reduction: 1, or the divisor of a JPEG's sides for decoding: 2, 4 or 8.
        camera: EXIF's make and model, printable characters only; "" where unknown.
        taken: When, by the camera's clock, as 2021-05-03 14:22:09; "" where unknown.
        compression: The sum of a JPEG's first quantization table, the larger the coarser; 0 for
            other formats.
    """

    width: int
    height: int
    format: str
    mode: str
    orientation: int = 1
    animated: bool = False
    depth16: bool = False
    alpha: bool = False
    reduction: int = 1
    camera: str = ""
    taken: str = ""
    compression: int = 0

    @property
    def grey(self) -> bool:
        """Whether the file stores no colour."""
        return self.mode in GREY_MODES


@contextmanager
def open_image(source: Path | bytes) -> Iterator[tuple[ImageFile.ImageFile, ImageHeader]]:
    """Read the header of an image; nothing is decoded before `load`.

    Args:
        source: A file, or the content of one.

    Raises:
        ImageError: No such file, no image, or too many pixels; also for any error inside the
            block.
    """
    with _as_image_errors(), _binary(source) as file, _opened(file) as image:
        _refuse_too_large(image)
        if not image.width * image.height:
            raise ImageError(tr("the image has no pixels"))
        yield image, _header(image)


def exif_orientation(image: Image.Image, loaded: bool = False) -> int:
    """Return EXIF's orientation, 1 to 8; 1 where there is none.

    Args:
        image: An opened image.
        loaded: True once its pixels are decoded.
    """
    try:
        if image.format != "PNG":
            exif = image.getexif()
        elif loaded and "exif" in image.info:  # it may follow the pixels
            exif = Image.Exif()
            exif.load(image.info["exif"])
        else:  # not by the PNG's own method, which would decode the whole in search of it
            exif = Image.Image.getexif(image)
        value = exif.get(_ORIENTATION_TAG, 1)
    except Exception:  # Pillow raises many kinds; a broken EXIF block has no orientation
        return 1
    return value if value in range(1, 9) else 1


def _exif_origin(image: Image.Image) -> tuple[str, str]:
    """Return camera and time of an opened image, see `ImageHeader`."""
    try:
        exif = Image.Image.getexif(image)  # not by the PNG's own method, as above
        if not exif:
            return "", ""
        make, model = (_printable(exif.get(tag)) for tag in (_MAKE_TAG, _MODEL_TAG))
    except Exception:  # as above
        return "", ""
    camera = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    taken = exif.get(_CHANGED_TAG)  # often the only one; equal to the other in an untouched file
    with suppress(Exception):
        taken = exif.get_ifd(_EXIF_FOLDER).get(_TAKEN_TAG, taken)
    try:
        return camera[:MAX_CAMERA], str(datetime.strptime(_printable(taken), _EXIF_TIME))
    except ValueError:  # 0000:00:00 from a camera whose clock was never set
        return camera[:MAX_CAMERA], ""


def _printable(value: object) -> str:
    """Return a text of EXIF without control characters and repeated spaces; "" for no text."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value[:1000]).split())


def _opened(file: BinaryIO) -> ImageFile.ImageFile:
    """Read the header of an image, whatever size it announces."""
    signature = file.read(len(_JPEG_SIGNATURE))
    file.seek(0)
    if signature != _JPEG_SIGNATURE:
        return _identified(file)
    try:  # not by way of `Image.open`, which refuses what can be decoded at reduced size
        return jpeg_factory(file, "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:
        raise UnidentifiedImageError from error


def _identified(file: BinaryIO) -> ImageFile.ImageFile:
    try:
        return Image.open(file, formats=tuple(FORMAT_EXTENSIONS))
    except UnidentifiedImageError:
        file.seek(0)
        if reason := unreadable_format(file.read(_SIGNATURE_BYTES)):
            raise ImageError(reason) from None
        raise


def _header(image: ImageFile.ImageFile) -> ImageHeader:
    orientation = exif_orientation(image)
    width, height = image.size
    if orientation >= FIRST_SIDEWAYS and image.format != "TIFF":  # whose size is upright already
        width, height = height, width
    camera, taken = _exif_origin(image)
    return ImageHeader(
        width=width,
        height=height,
        format="JPEG" if image.format in _JPEG_FORMATS else image.format or "",
        mode=image.mode,
        orientation=orientation,
        animated=image.format != "MPO" and getattr(image, "is_animated", False),
        depth16=image.mode.startswith("I") or any(";16" in raw_mode(t) for t in image.tile),
        alpha=image.has_transparency_data,
        reduction=_reduction(image) if image.format in _JPEG_FORMATS else 1,
        camera=camera,
        taken=taken,
        compression=sum(getattr(image, "quantization", {}).get(0, ())),
    )


def _refuse_too_large(image: ImageFile.ImageFile) -> None:
    """Keep the decoder's memory within what a thread may need."""
    size = image.width * image.height
    if image.format not in _JPEG_FORMATS:
        if size > MAX_PIXELS:
            raise ImageError(TOO_LARGE)
    elif size > MAX_PROGRESSIVE and image.info.get("progressive"):
        raise ImageError(_TOO_PROGRESSIVE)


def _reduction(image: ImageFile.ImageFile) -> int:
    """Return the smallest of 1, 2, 4 and 8 that brings a JPEG below the limit; 8 always does."""
    wanted = math.sqrt(image.width * image.height / MAX_PIXELS)
    return next((scale for scale in (1, 2, 4) if scale >= wanted), 8)


@contextmanager
def _binary(source: Path | bytes) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        with io.BytesIO(source) as memory:
            yield _not_empty(memory, len(source))
        return
    with open(source, "rb", opener=nonblocking_opener) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(tr("it is not a regular file"))
        yield _not_empty(file, status.st_size)


def _not_empty(file: BinaryIO, size: int) -> BinaryIO:
    if not size:
        raise ImageError(tr("the file is empty"))
    return file


@contextmanager
def _as_image_errors() -> Iterator[None]:
    """Turn everything that opening and decoding can raise into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(tr("there is no such file")) from error
    except UnidentifiedImageError as error:
        raise ImageError(tr("its content is not an image of a known format")) from error
    except Image.DecompressionBombError as error:
        raise ImageError(TOO_LARGE) from error
    except MemoryError as error:
        raise ImageError(tr("it needs more memory than there is")) from error
    except OSError as error:
        raise ImageError(_os_reason(error)) from error
    except Exception as error:  # a dozen decoders raise a dozen kinds over damaged bytes
        raise ImageError(DAMAGED) from error


def _os_reason(error: OSError) -> str:
    if error.errno:
        return tr("it cannot be read: {error_strerror}", error_strerror=safe_text(reason_of(error)))
    if "truncated" in str(error).lower():
        return tr("the file is truncated: it ends early")
    return DAMAGED


def how_to_read(extension: str) -> str:
    """Return a sentence on how to make such files readable; "" where none is known.

    Args:
        extension: In lower case, with its dot.
    """
    for name, extensions in _PHONE_EXTENSIONS.items():
        if extension in extensions:
            return tr(
                "`{install}` makes {upper} images readable",
                install=_INSTALL[name],
                upper=extensions[0][1:].upper(),
            )
    return ""


def unreadable_format(start: bytes) -> str | None:
    """Return why a file that starts with these bytes cannot be read; None for other formats."""
    for name, brands in _BRANDS.items():
        if start[4:8] == b"ftyp" and start[8:12] in brands and name not in FORMAT_EXTENSIONS:
            extension = _PHONE_EXTENSIONS[name][0]
            return tr(
                "it is {upper}, which is not read here; {how_to_read}",
                upper=extension[1:].upper(),
                how_to_read=how_to_read(extension),
            )
    return None
