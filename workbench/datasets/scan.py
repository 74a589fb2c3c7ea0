"""Scan every image once: can it be used, what is odd, what identifies its content.

Results are appended to `scan.jsonl` as they come, so that an interrupted scan resumes where it
stopped, and a later one reads only changed files. A file counts as changed by its size, times,
inode and a hash of its ends: exports give all files one time, and `mv` swaps them without a trace
in size and time. In doubt it is read again.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.images.files import (
    FORMAT_EXTENSIONS,
    IMAGE_EXTENSIONS,
    ImageError,
    ImageHeader,
)
from workbench.datasets.images.sixteen_bit import SixteenBitImage, scale_to_8_bits
from workbench.datasets.records import ScanRecord
from workbench.datasets.scan_cache import append_records, read_cache
from workbench.datasets.sources.images import SourceImages
from workbench.datasets.sources.opening import open_images
from workbench.datasets.sources.source import Item, Source
from workbench.datasets.threads import map_in_threads, with_progress
from workbench.progress import Progress, silent

CACHE_NAME = "scan.jsonl"

TINY = 16  # pixels of the shorter side below which an image is called tiny
# Perceptual hashes of small drawings are alike by chance: on MNIST they make 240,000 pairs.
NEAR_MIN_SIDE = 64  # pixels that both sides need for the near-duplicate check
THUMBNAIL_SIDE = 16  # pixels


def scan(source: Source, folder: Path, progress: Progress = silent) -> list[ScanRecord]:
    """Return records of all items, in their order.

    Args:
        source: The images.
        folder: The data folder, where scan.jsonl is kept (not for npz files, which are quick:
            70,000 images of MNIST take about two seconds).
        progress: Reports "scan" with the number of images; before that "look for changes" where
            there was a scan before.

    Raises:
        UserError: An npz file is damaged.
        OSError: scan.jsonl cannot be written.
    """
    images = open_images(source.root)
    total = len(source.items)
    if not images.encoded:
        found = (scan_image(images, item) for item in source.items)
        return list(with_progress(found, "scan", total, progress))
    cache = folder / CACHE_NAME
    known = read_cache(cache)
    # Checking size and time of an unchanged file costs less than handing it to a thread.
    earlier = (_unchanged(images, item, known.get(item.path)) for item in source.items)
    kept = list(with_progress(earlier, "look for changes", total, progress) if known else earlier)
    unread = [item for item, record in zip(source.items, kept, strict=True) if not record]
    read = map_in_threads(partial(scan_image, images), unread)
    records: list[ScanRecord] = []
    with append_records(cache, known) as append, closing(read):
        all_records = (record or next(read) for record in kept)
        reported = with_progress(all_records, "scan", total, progress)
        for before, record in zip(kept, reported, strict=True):
            if not before:
                append(record)
            records.append(record)
    return records


def scan_image(images: SourceImages, item: Item) -> ScanRecord:
    """Return the record of one image."""
    size, modified, changed, inode = images.stamp(item.path)
    blank = ScanRecord(
        item.path,
        item.label,
        item.split,
        bytes=size,
        modified_ns=modified,
        changed_ns=changed,
        inode=inode,
        ends=images.ends(item.path),
    )
    try:
        return _described(blank, *images.read(item.path))
    except ImageError as error:
        return replace(blank, problem=error.reason)


def pixel_hash(image: Image.Image | SixteenBitImage) -> str:
    """Return 32 hex digits that two images share only if size and RGB pixels are the same."""
    halves = (image.upper, image.lower) if isinstance(image, SixteenBitImage) else (image,)
    width, height = halves[0].size
    digest = blake2b(f"{width}x{height}:".encode(), digest_size=16)
    for half in halves:
        rgb = half if half.mode == "RGB" else half.convert("RGB")
        digest.update(rgb.tobytes())
    return digest.hexdigest()


def difference_hash(grey: Image.Image) -> int:
    """Return 64 bits: whether a ninth of a row is darker than its right neighbour.

    dHash, after N. Krawetz, "Kind of Like That" (2013): the image shrunk to 9 x 8 pixels.
    """
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BOX))
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def thumbnail(grey: Image.Image) -> bytes:
    """Return the pixels of a grey image shrunk to 16 x 16."""
    side = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return grey.resize(side, Image.Resampling.BOX).tobytes()


def _unchanged(images: SourceImages, item: Item, before: ScanRecord | None) -> ScanRecord | None:
    """Return the record of an earlier scan, if nothing about the file changed.

    What could not be used is tried again: permissions or memory may have changed.
    """
    if before is None or not before.usable:
        return None
    if before.stamp != images.stamp(item.path) or before.ends != images.ends(item.path):
        return None
    return replace(before, label=item.label, split=item.split)


def _described(
    blank: ScanRecord, found: Image.Image | SixteenBitImage, header: ImageHeader
) -> ScanRecord:
    levels = found.levels() if isinstance(found, SixteenBitImage) else None
    # Scaled by its own range: similarity does not depend on how dark it is among others.
    image = scale_to_8_bits(found, levels)
    compared = min(image.size) >= NEAR_MIN_SIDE
    grey = image.convert("L") if compared else image
    return replace(
        blank,
        width=image.width if header.reduction == 1 else header.width,
        height=image.height if header.reduction == 1 else header.height,
        format=header.format,
        mode=header.mode,
        notes=tuple(_oddities(blank.path, header)),
        levels=levels,
        pixel_hash=pixel_hash(found),
        dhash=difference_hash(grey) if compared else None,
        thumbnail=thumbnail(grey) if compared else b"",
    )


def _oddities(path: str, header: ImageHeader) -> Iterator[str]:
    extension = Path(path).suffix.lower()
    wrong = extension in IMAGE_EXTENSIONS and extension not in FORMAT_EXTENSIONS[header.format]
    odd = {
        "cmyk": header.mode == "CMYK",
        "16-bit": header.depth16,
        "palette": header.mode in ("P", "PA"),
        "alpha": header.alpha,
        "animated": header.animated,
        "exif-rotated": header.orientation != 1,
        "wrong-ending": wrong,
        "reduced": header.reduction > 1,
        "tiny": min(header.width, header.height) < TINY,
    }
    return (name for name, applies in odd.items() if applies)
