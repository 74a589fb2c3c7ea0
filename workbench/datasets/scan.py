"""Scan every image once: can it be used, what is odd, what identifies its content.

Results are appended to `scan.jsonl` as they come, so that an interrupted scan resumes where it
stopped, and a later one reads only changed files. A file counts as changed by its size, times,
inode and a hash of its ends: exports give all files one time, and `mv` swaps them without a trace
in size and time. In doubt it is read again.

The file has a line that names the format, then a record a line; the last one of a path counts.
Label, split and group are not kept: they belong to the source.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import fields, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.decoding import map_in_threads, with_progress
from workbench.datasets.image_files import (
    FORMAT_EXTENSIONS,
    IMAGE_EXTENSIONS,
    ImageError,
    ImageHeader,
)
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.measures import MIN_MEASURED, measure, reduced
from workbench.datasets.scan_pack import ScanPack
from workbench.datasets.sixteen_bit import Levels, SixteenBitImage, scale_to_8_bits
from workbench.datasets.sources.opening import open_images
from workbench.datasets.sources.source import Item, Source, SourceImages, StoredImage
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.progress import Progress, silent

CACHE_NAME = "scan.jsonl"

MakeRow = Callable[
    [StoredImage, Image.Image | SixteenBitImage, ImageHeader], np.ndarray | None
]  # see `ScanPack.row`

TINY = 16  # pixels of the shorter side below which an image is called tiny
# Perceptual hashes of small drawings are alike by chance: on MNIST they make 240,000 pairs.
NEAR_MIN_SIDE = 64  # pixels that both sides need for the near-duplicate check
THUMBNAIL_SIDE = 16  # pixels

_FORMAT = 3  # another one is not read
_HEADER = json.dumps({"scan": _FORMAT}) + "\n"
_THUMBNAIL_BYTES = THUMBNAIL_SIDE**2

_TYPES = {
    "path": str,
    "bytes": int,
    "modified_ns": int,
    "changed_ns": int,
    "inode": int,
    "ends": str,
    "width": int,
    "height": int,
    "format": str,
    "mode": str,
    "problem": str,
    "notes": list,
    "levels": str,
    "pixel_hash": str,
    "dhash": int,
    "thumbnail": str,
    "camera": str,
    "taken": str,
    "compression": int,
    "histogram": str,
    "colour": list,
    "sharpness": float,
}
assert set(_TYPES) == {field.name for field in fields(ScanRecord)} - {"label", "split", "group"}


def scan(
    source: Source,
    folder: Path,
    progress: Progress = silent,
    packing: ScanPack | None = None,
) -> list[ScanRecord]:
    """Return records of all items, in their order.

    Args:
        source: The images.
        folder: The data folder, where scan.jsonl is kept (not for npz files, which are quick:
            70,000 images of MNIST take about two seconds).
        progress: Reports "scan" with the number of images; before that "look for changes" where
            there was a scan before.
        packing: Where given, takes the row in the pack of each image that is read.

    Raises:
        UserError: An npz file is damaged.
        OSError: scan.jsonl cannot be written.
    """
    with packing.writing() if packing else nullcontext():
        return _scan(source, folder, progress, packing)


def _scan(
    source: Source, folder: Path, progress: Progress, packing: ScanPack | None
) -> list[ScanRecord]:
    images = open_images(source.root)
    total = len(source.items)
    read_one = partial(scan_image, images, make_row=packing.row if packing else None)

    def packed(read: Iterable[tuple[ScanRecord, np.ndarray | None]]) -> Iterator[ScanRecord]:
        for record, row in read:
            if packing and row is not None:
                packing.append(record, row)
            yield record

    if not images.encoded:
        found = packed(map(read_one, source.items))
        return list(with_progress(found, "scan", total, progress))
    cache = folder / CACHE_NAME
    known = read_cache(cache)
    # Checking size and time of an unchanged file costs less than handing it to a thread.
    earlier = (_unchanged(images, item, known.get(item.path)) for item in source.items)
    kept = list(
        with_progress(earlier, tr("look for changes"), total, progress) if known else earlier
    )
    unread = [item for item, record in zip(source.items, kept, strict=True) if not record]
    read = map_in_threads(read_one, unread)
    records: list[ScanRecord] = []
    with append_records(cache, known) as append, closing(read):
        new = packed(read)
        all_records = (record or next(new) for record in kept)
        reported = with_progress(all_records, "scan", total, progress)
        for before, record in zip(kept, reported, strict=True):
            if not before:
                append(record)
            records.append(record)
    return records


def scan_image(
    images: SourceImages, item: Item, make_row: MakeRow | None = None
) -> tuple[ScanRecord, np.ndarray | None]:
    """Return the record of one image, and what `make_row` returns of its pixels."""
    stored = images.stored(item.path)
    size, modified, changed, inode = stored.stamp
    blank = ScanRecord(
        item.path,
        item.label,
        item.split,
        group=item.group,
        bytes=size,
        modified_ns=modified,
        changed_ns=changed,
        inode=inode,
        ends=stored.ends,
    )
    try:
        found, header = stored.read()
        record = _described(blank, found, header)
    except ImageError as error:
        return replace(blank, problem=error.reason), None
    return record, make_row(stored, found, header) if make_row else None


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
    return replace(before, label=item.label, split=item.split, group=item.group)


def _described(
    blank: ScanRecord, found: Image.Image | SixteenBitImage, header: ImageHeader
) -> ScanRecord:
    levels = found.levels() if isinstance(found, SixteenBitImage) else None
    # Scaled by its own range: similarity does not depend on how dark it is among others.
    image = scale_to_8_bits(found, levels)
    compared = min(image.size) >= NEAR_MIN_SIDE
    measured = min(image.size) >= MIN_MEASURED
    small = reduced(image.convert("L")) if measured else image
    measures = measure(image, small) if measured else None
    return replace(
        blank,
        width=image.width if header.reduction == 1 else header.width,
        height=image.height if header.reduction == 1 else header.height,
        format=header.format,
        mode=header.mode,
        notes=tuple(_oddities(blank.path, header)),
        levels=levels,
        pixel_hash=pixel_hash(found),
        dhash=difference_hash(small) if compared else None,
        thumbnail=thumbnail(small) if compared else b"",
        camera=header.camera,
        taken=header.taken,
        compression=header.compression,
        histogram=measures.histogram if measures else b"",
        colour=measures.colour if measures else None,
        sharpness=measures.sharpness if measures else None,
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


def read_cache(path: Path) -> dict[str, ScanRecord]:
    """Return the records of earlier scans by path, without label, split and group.

    Torn or foreign lines are dropped, and the file is then rewritten.
    """
    known: dict[str, ScanRecord] = {}
    count = 0
    intact = path.exists()
    if intact:
        with path.open(encoding="ascii", errors="replace") as file:
            intact = file.readline() == _HEADER
            for line in file if intact else ():
                record = _from_line(line)
                if record is None:
                    intact = False
                else:
                    known[record.path] = record
                    count += 1
    if not intact or count > 2 * len(known):
        write_atomic(path, _HEADER + "".join(map(_to_line, known.values())))
    return known


@contextmanager
def append_records(
    path: Path, known: Mapping[str, ScanRecord]
) -> Iterator[Callable[[ScanRecord], None]]:
    """Open the file for a function that adds a record, unless it is known already."""
    with path.open("a", encoding="ascii", buffering=1) as file:

        def append(record: ScanRecord) -> None:
            before = known.get(record.path)
            if before is None or before != replace(record, label="", split=None, group=""):
                file.write(_to_line(record))

        yield append


def _to_line(record: ScanRecord) -> str:
    values = {name: getattr(record, name) for name in _TYPES} | {
        "thumbnail": record.thumbnail.hex(),
        "histogram": record.histogram.hex(),
        "levels": record.levels and str(record.levels),
    }
    # Empty values are left out.
    kept = {name: value for name, value in values.items() if value not in ("", None, ())}
    return json.dumps(kept, separators=(",", ":")) + "\n"


def _from_line(line: str) -> ScanRecord | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(values, dict) and "path" in values and line.endswith("\n")):
        return None
    if not all(name in _TYPES and type(v) is _TYPES[name] for name, v in values.items()):
        return None
    for name in ("format", "mode", "camera"):  # one string for all images
        values[name] = sys.intern(values.get(name, ""))
    try:
        for name in ("thumbnail", "histogram"):
            values[name] = bytes.fromhex(values.get(name, ""))
        if "levels" in values:
            values["levels"] = Levels.parse(values["levels"])
    except ValueError:
        return None
    values["notes"] = tuple(values.get("notes", ()))
    if "colour" in values:
        values["colour"] = tuple(values["colour"])
    record = ScanRecord(label="", split=None, **values)
    return record if _is_possible(record) else None


def _is_possible(record: ScanRecord) -> bool:
    """Check the values that later steps compute with: hash, thumbnail and measures."""
    if record.histogram:
        level = all(type(mean) is int and 0 <= mean <= 255 for mean in record.colour or ())
        if not (level and len(record.colour or ()) == 3 and len(record.histogram) == 256):
            return False
        if record.sharpness is None or not 0 <= record.sharpness <= 255:
            return False
    if record.dhash is None:
        return not record.thumbnail
    return 0 <= record.dhash < 1 << 64 and len(record.thumbnail) == _THUMBNAIL_BYTES
