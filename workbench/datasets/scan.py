"""Looks at every image once: can it be used, what is odd, what identifies its content.

Results are appended to `scan.jsonl` as they come, so that an interrupted scan goes on where it
was, and a later one reads changed files only.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.images import (
    ENDINGS_OF_FORMAT,
    IMAGE_ENDINGS,
    Header,
    ImageError,
    open_image,
    pixels,
)
from workbench.datasets.npz_source import NpzImages
from workbench.datasets.source import Item, Source
from workbench.datasets.threads import in_threads, told
from workbench.files import write_atomic
from workbench.progress import Progress, silent

CACHE_NAME = "scan.jsonl"
_FORMAT = 1  # of scan.jsonl; another one is not read

TINY = 16  # pixels of the shorter side below which an image is called tiny
# Perceptual hashes of small drawings are alike by chance: on MNIST they make 240,000 pairs.
NEAR_SMALLEST = 64  # pixels that both sides need for the near-duplicate check
THUMBNAIL = 16  # pixels of its side
Grey = bytes  # a pixel each; `Record` has a field of the name bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What the scan found of one image.

    Attributes:
        path, label, split: as in the Item.
        bytes: size of the file; in an npz file, of the array.
        modified_ns: the file's time of change.
        width: pixels, upright; 0 where the file cannot be used. So is height.
        format: JPEG, PNG, ...; npz for arrays.
        mode: Pillow's name of the stored pixels.
        problem: why the file cannot be used, else None.
        notes: oddities: cmyk, 16-bit, palette, alpha, animated, exif-rotated, wrong-ending, tiny.
        pixel_hash: 32 hex digits over the size and the decoded RGB pixels.
        dhash: 64 bits that similar pictures share, where both sides have 64 pixels or more.
        thumbnail: 16 x 16 grey bytes, where there is a dhash.
    """

    path: str
    label: str
    split: str | None
    bytes: int = 0
    modified_ns: int = 0
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    problem: str | None = None
    notes: tuple[str, ...] = ()
    pixel_hash: str = ""
    dhash: int | None = None
    thumbnail: Grey = b""

    @property
    def usable(self) -> bool:
        """True where the image can be decoded."""
        return self.problem is None


def scan(source: Source, folder: Path, progress: Progress = silent) -> list[Record]:
    """Records of all items, in their order.

    Args:
        source: what was recognised.
        folder: the data folder, where scan.jsonl is kept (not for npz files, which are quick).
        progress: told "scan" with the number of images; before that "look for changes" where
            there was a scan before.

    Raises:
        UserError: an npz file is damaged.
        OSError: scan.jsonl cannot be written.
    """
    if source.kind == "npz":
        return list(told(_scan_arrays(source), "scan", len(source.items), progress))
    cache = folder / CACHE_NAME
    known = _read_cache(cache)
    total = len(source.items)
    # A thread for each of many unchanged files would cost more than the look at its size and time.
    earlier = (_standing(source.root, item, known.get(item.path)) for item in source.items)
    standing = list(told(earlier, "look for changes", total, progress) if known else earlier)
    unread = [item for item, found in zip(source.items, standing, strict=True) if not found]
    read = in_threads(partial(scan_file, source.root), unread)
    records: list[Record] = []
    with cache.open("a", encoding="ascii", buffering=1) as file, closing(read):
        results = (found or next(read) for found in standing)
        everything = told(results, "scan", total, progress)
        for found, record in zip(standing, everything, strict=True):
            if not found and _unlabelled(record) != known.get(record.path):
                file.write(_to_line(record))
            records.append(record)
    return records


def scan_file(root: Path, item: Item) -> Record:
    """The record of one file."""
    path = root / item.path
    blank = Record(item.path, item.label, item.split, *_size_and_time(path))
    try:
        with open_image(path) as (opened, header):
            return _described(blank, pixels(opened, header), header)
    except ImageError as error:
        return replace(blank, problem=error.reason)


def pixel_hash(image: Image.Image) -> str:
    """32 hex digits that two images share only if size and RGB pixels are the same."""
    digest = blake2b(f"{image.width}x{image.height}:".encode(), digest_size=16)
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    digest.update(rgb.tobytes())
    return digest.hexdigest()


def difference_hash(grey: Image.Image) -> int:
    """64 bits, each telling whether a ninth of a row is darker than its right neighbour.

    dHash, after N. Krawetz, "Kind of Like That" (2013): the image shrunk to 9 x 8 pixels.
    """
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BOX))
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def _standing(root: Path, item: Item, before: Record | None) -> Record | None:
    """The record of an earlier scan, if size and time of the file are the same.

    What could not be used is tried again: permissions or memory may have changed.
    """
    if before is None or not before.usable:
        return None
    if (before.bytes, before.modified_ns) != _size_and_time(root / item.path):
        return None
    return replace(before, label=item.label, split=item.split)


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0  # opening the file tells why
    return status.st_size, status.st_mtime_ns


def _unlabelled(record: Record) -> Record:
    """As scan.jsonl has it: label and split are the source's to tell."""
    return replace(record, label="", split=None)


def _described(blank: Record, image: Image.Image, header: Header) -> Record:
    dhash: int | None = None
    thumbnail = b""
    if min(image.size) >= NEAR_SMALLEST:
        grey = image.convert("L")
        dhash = difference_hash(grey)
        shrunk = grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        thumbnail = shrunk.tobytes()
    return replace(
        blank,
        width=image.width,
        height=image.height,
        format=header.format,
        mode=header.mode,
        notes=tuple(_oddities(blank.path, header)),
        pixel_hash=pixel_hash(image),
        dhash=dhash,
        thumbnail=thumbnail,
    )


def _oddities(path: str, header: Header) -> Iterator[str]:
    ending = Path(path).suffix.lower()
    odd = {
        "cmyk": header.mode == "CMYK",
        "16-bit": header.depth16,
        "palette": header.mode in ("P", "PA"),
        "alpha": header.alpha,
        "animated": header.animated,
        "exif-rotated": header.orientation != 1,
        "wrong-ending": ending in IMAGE_ENDINGS and ending not in ENDINGS_OF_FORMAT[header.format],
        "tiny": min(header.width, header.height) < TINY,
    }
    return (name for name, applies in odd.items() if applies)


def _scan_arrays(source: Source) -> Iterator[Record]:
    """An npz file needs no decoding; 70,000 images of MNIST take about two seconds."""
    images = NpzImages(source.root)
    modified = source.root.stat().st_mtime_ns
    for item in source.items:
        array = images.array(item.path)
        image = Image.fromarray(np.ascontiguousarray(array))
        header = Header(image.width, image.height, "npz", image.mode, 1, False, False, False)
        blank = Record(item.path, item.label, item.split, array.nbytes, modified)
        yield _described(blank, image, header)


# scan.jsonl: a line that names the format, then a record a line; the last one of a path counts


def _read_cache(path: Path) -> dict[str, Record]:
    """The records of earlier scans. Torn or foreign lines are dropped, the file then rewritten."""
    known: dict[str, Record] = {}
    count = 0
    sound = path.exists()
    if sound:
        with path.open(encoding="ascii", errors="replace") as file:
            sound = file.readline() == _first_line()
            for line in file if sound else ():
                record = _from_line(line)
                if record is None:
                    sound = False
                else:
                    known[record.path] = record
                    count += 1
    if not sound or count > 2 * len(known):
        write_atomic(path, _first_line() + "".join(map(_to_line, known.values())))
    return known


def _first_line() -> str:
    return json.dumps({"scan": _FORMAT}) + "\n"


def _to_line(record: Record) -> str:
    values = {name: getattr(record, name) for name in _KINDS} | {
        "thumbnail": record.thumbnail.hex()
    }
    # What is empty needs no room.
    kept = {name: value for name, value in values.items() if value not in ("", None, ())}
    return json.dumps(kept, separators=(",", ":")) + "\n"


_KINDS = {
    "path": str,
    "bytes": int,
    "modified_ns": int,
    "width": int,
    "height": int,
    "format": str,
    "mode": str,
    "problem": str,
    "notes": list,
    "pixel_hash": str,
    "dhash": int,
    "thumbnail": str,
}
assert set(_KINDS) == {field.name for field in fields(Record)} - {"label", "split"}


def _from_line(line: str) -> Record | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(values, dict) and "path" in values and line.endswith("\n")):
        return None
    if not all(name in _KINDS and type(v) is _KINDS[name] for name, v in values.items()):
        return None
    for name in ("format", "mode"):  # one string for all images
        values[name] = sys.intern(values.get(name, ""))
    try:
        values["thumbnail"] = bytes.fromhex(values.get("thumbnail", ""))
    except ValueError:
        return None
    values["notes"] = tuple(values.get("notes", ()))
    record = Record(label="", split=None, **values)
    return record if _is_possible(record) else None


def _is_possible(record: Record) -> bool:
    """What others compute with: the words of a hash, and the pixels of a thumbnail."""
    if record.dhash is None:
        return not record.thumbnail
    return 0 <= record.dhash < 1 << 64 and len(record.thumbnail) == THUMBNAIL**2
