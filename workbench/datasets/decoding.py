"""Decode image files to arrays: the one way from a file to a network's input.

Every file becomes 8-bit grey or RGB. EXIF orientation is applied, the first frame of an animation
is taken, 16 bits are scaled to 8 (see `sixteen_bit`), and transparency is laid over white, as a
viewer shows it.
"""

import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from PIL import Image, ImageFile

from workbench.datasets.image_files import (
    DAMAGED,
    FIRST_SIDEWAYS,
    ImageError,
    ImageHeader,
    exif_orientation,
    open_image,
)
from workbench.datasets.sixteen_bit import (
    Levels,
    SixteenBitImage,
    read_sixteen_bit,
    scale_to_8_bits,
)
from workbench.experiment.sections import DataSpec
from workbench.messages import tr
from workbench.progress import Progress

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Resize = Literal["stretch", "crop", "pad"]
Work = TypeVar("Work")
Result = TypeVar("Result")

_PROGRESS_STEPS = 1000
_processes = 1  # that share the cores, see `share_cores`
_AHEAD = 4  # results a thread that may wait to be taken: bounds memory, and the end of a Ctrl-C


def decode(
    source: Path | bytes,
    at_least: tuple[int, int] | None = None,
    levels: Levels | None = None,
) -> Image.Image:
    """Return the upright image as 8-bit grey (mode L) or RGB, as a network receives it.

    Args:
        source: A file, or the content of one.
        at_least: (height, width) that suffice: a JPEG is then decoded at 1/2, 1/4 or 1/8 of its
            size where that is still as large. Its pixels differ slightly from a full decoding.
        levels: What becomes 0 and 255 of an image with 16 bits a channel; None for a division by
            257, whatever its values are.

    Raises:
        ImageError: The file cannot be used.
    """
    return scale_to_8_bits(decode_full(source, at_least)[0], levels)


def decode_for_display(
    source: Path | bytes, at_least: tuple[int, int] | None = None
) -> Image.Image:
    """Like `decode`, for a person: 16 bits are scaled by the image's own range."""
    found = decode_full(source, at_least)[0]
    return found.for_display() if isinstance(found, SixteenBitImage) else found


def decode_full(
    source: Path | bytes, at_least: tuple[int, int] | None = None
) -> tuple[Image.Image | SixteenBitImage, ImageHeader]:
    """Return the image with all its bits, and its header. See `decode`."""
    with open_image(source) as (image, header):
        return decode_opened(image, header, at_least), header


def decode_opened(
    image: ImageFile.ImageFile, header: ImageHeader, at_least: tuple[int, int] | None = None
) -> Image.Image | SixteenBitImage:
    """Decode what `open_image` opened, upright; use it inside its block. See `decode`.

    Returns:
        An image of mode L or RGB, or all 16 bits of one that needs them.
    """
    if header.format == "JPEG" and (at_least or header.reduction > 1):
        _draft(image, header, at_least)
    intact = header.format != "PNG" or _checksums_match(image)
    found = _read_deep(image) if header.depth16 else None
    if found is None:
        image.load()  # first, since it can detect a truncated file
    if not intact:
        raise ImageError(DAMAGED)
    # Read again: Pillow turns a TIFF while it loads it, and then reports no orientation.
    method = _TRANSPOSE.get(exif_orientation(image, loaded=True))
    found = found or _to_8_bits(image)
    return found if method is None else found.transpose(method)


def has_other_pixels(header: ImageHeader, at_least: tuple[int, int]) -> bool:
    """Return whether an image decoded for a size differs from one decoded in full.

    Args:
        header: Of the image.
        at_least: (height, width) that suffice, see `decode`.
    """
    scale = min(header.height // at_least[0], header.width // at_least[1])
    return header.format == "JPEG" and scale >= 2 * header.reduction


def to_array(
    image: Image.Image, image_size: tuple[int, int], channels: int, resize: Resize = "stretch"
) -> np.ndarray:
    """Convert a decoded image to a network's input.

    Resizing is bilinear and averages over all pixels that shrink into one.

    Args:
        image: Of mode L or RGB.
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
    """Decode a file as the data section of a spec requires.

    Args:
        source: A file, or the content of one.
        data: Size, channels, resizing and decoding.
        levels: As the run's manifest and its model have them, see `decode`.

    Returns:
        uint8, (height, width, channels).

    Raises:
        ImageError: The file cannot be used.
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


def _draft(
    image: ImageFile.ImageFile, header: ImageHeader, at_least: tuple[int, int] | None
) -> None:
    """Have a JPEG decoded at reduced size, where that is wanted or necessary."""
    # Pillow takes the largest reduction that leaves no side smaller than the given size.
    width, height = image.width // header.reduction, image.height // header.reduction
    if at_least is not None:
        least = at_least if header.orientation >= FIRST_SIDEWAYS else at_least[::-1]
        width, height = min(width, least[0]), min(height, least[1])
    image.draft(None, (width, height))


def _read_deep(image: ImageFile.ImageFile) -> Image.Image | SixteenBitImage | None:
    """Return all 16 bits, or the 8 that are used; None where Pillow reads no more than 8."""
    try:
        found = read_sixteen_bit(image)
    except ValueError:
        raise ImageError(
            tr("its pixels are numbers beyond 16 bits; save it with 8 or 16 bits")
        ) from None
    return found and (found.as_8_bits() or found)


def _checksums_match(image: ImageFile.ImageFile) -> bool:
    """Verify a PNG: Pillow decodes one without its check sums, so a flipped bit goes unseen."""
    file = image.fp
    assert file is not None  # not loaded yet
    position = file.tell()
    file.seek(0)
    try:
        with Image.open(file, formats=("PNG",)) as again:
            again.verify()
    except (SyntaxError, OSError, ValueError):
        return False
    finally:
        file.seek(position)
    return True


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Return the pixels as L or RGB; nothing is clipped."""
    if image.mode == "F":
        raise ImageError(tr("its pixels are floating-point numbers; save it with 8 or 16 bits"))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)  # it would copy


def share_cores(processes: int) -> None:
    """Let this process use its share of the cores for images, while others train beside it."""
    global _processes
    _processes = processes


def image_threads() -> int:
    """Return the threads for reading and changing images: one for each core of this process."""
    return max(len(os.sched_getaffinity(0)) // _processes, 1)


def map_in_threads(
    function: Callable[[Work], Result], work: Iterable[Work]
) -> Generator[Result, None, None]:
    """Yield `map(function, work)`, in as many threads as `image_threads` returns.

    It pays where Pillow decodes, which releases the interpreter lock. Results come in the order
    of the work. Exceptions of `function` are raised here; work that has not started is then
    dropped, as it is when the caller takes no more results.
    """
    threads = image_threads()
    waiting: deque[Future[Result]] = deque()
    # Pillow warns of odd metadata on stderr, over any progress bar; what matters is in the audit.
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            for one in work:
                waiting.append(pool.submit(function, one))
                if len(waiting) >= threads * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def with_progress(
    results: Iterable[Result], phase: str, total: int, progress: Progress
) -> Iterator[Result]:
    """Yield the results and report them to `progress`, a thousand times at most."""
    step = max(1, total // _PROGRESS_STEPS)
    for done, result in enumerate(results, start=1):
        yield result
        if done % step == 0 or done == total:
            progress(phase, done, total)
