"""Looks at every image once: can it be used, what is odd, what identifies its content.

Results are appended to `scan.jsonl` as they come, so that an interrupted scan goes on where it
was, and a later one reads changed files only. Whether a file changed is told by its size, times,
inode and a hash of its ends: exports give all files one time, and `mv` swaps them without a trace
in size and time. In doubt it is read again.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.deep import Deep, Levels
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
from workbench.files import without_waiting, write_atomic
from workbench.progress import Progress, silent

CACHE_NAME = "scan.jsonl"
_FORMAT = 2  # of scan.jsonl; another one is not read

TINY = 16  # pixels of the shorter side below which an image is called tiny
# Perceptual hashes of small drawings are alike by chance: on MNIST they make 240,000 pairs.
NEAR_SMALLEST = 64  # pixels that both sides need for the near-duplicate check
THUMBNAIL = 16  # pixels of its side
Stamp = tuple[int, int, int, int]  # size in bytes, times of change and of status, inode
Grey = bytes  # a pixel each; `Record` has a field of the name bytes
_END = 4096  # bytes at the beginning and at the end of a file that are hashed


@dataclass(frozen=True, slots=True)
class Record:
    """What the scan found of one image.

    Attributes:
        path, label, split: as in the Item.
        bytes: size of the file; in an npz file, of the array.
        modified_ns: when the content changed; changed_ns: when that, name, place or rights did.
        inode: of the file.
        ends: 16 hex digits over the first and the last 4,096 bytes; "" where it cannot be read.
        width: pixels, upright; 0 where the file cannot be used. So is height.
        format: JPEG, PNG, ...; npz for arrays.
        mode: Pillow's name of the stored pixels.
        problem: why the file cannot be used, else None.
        notes: oddities: cmyk, 16-bit, palette, alpha, animated, exif-rotated, wrong-ending, tiny,
            reduced.
        levels: smallest and largest value of an image with 16 bits a channel, else None.
        pixel_hash: 32 hex digits over the size and the decoded RGB pixels, all their bits.
        dhash: 64 bits that similar pictures share, where both sides have 64 pixels or more.
        thumbnail: 16 x 16 grey bytes, where there is a dhash.
    """

    path: str
    label: str
    split: str | None
    bytes: int = 0
    modified_ns: int = 0
    changed_ns: int = 0
    inode: int = 0
    ends: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    problem: str | None = None
    notes: tuple[str, ...] = ()
    levels: Levels | None = None
    pixel_hash: str = ""
    dhash: int | None = None
    thumbnail: Grey = b""

    @property
    def stamp(self) -> "Stamp":
        """What its file looked like from outside."""
        return self.bytes, self.modified_ns, self.changed_ns, self.inode

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
    blank = Record(item.path, item.label, item.split, *_outside(path), ends=_ends(path))
    try:
        with open_image(path) as (opened, header):
            return _described(blank, pixels(opened, header), header)
    except ImageError as error:
        return replace(blank, problem=error.reason)


def pixel_hash(image: Image.Image | Deep) -> str:
    """32 hex digits that two images share only if size and RGB pixels are the same."""
    if isinstance(image, Deep):
        return _digest(image.upper, image.lower)
    return _digest(image)


def stamp_of(status: os.stat_result) -> Stamp:
    """What a file looks like from outside; see `Record.stamp`."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _digest(*halves: Image.Image) -> str:
    width, height = halves[0].size
    digest = blake2b(f"{width}x{height}:".encode(), digest_size=16)
    for image in halves:
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
    """The record of an earlier scan, if nothing about the file changed.

    What could not be used is tried again: permissions or memory may have changed.
    """
    if before is None or not before.usable:
        return None
    path = root / item.path
    if before.stamp != _outside(path) or before.ends != _ends(path):
        return None
    return replace(before, label=item.label, split=item.split)


def _outside(path: Path) -> Stamp:
    try:
        return stamp_of(path.stat())
    except OSError:
        return 0, 0, 0, 0  # opening the file tells why


def _ends(path: Path) -> str:
    """A hash of a file's first and last bytes: of most changes one can be seen there."""
    try:
        with open(path, "rb", buffering=0, opener=without_waiting) as file:
            digest = blake2b(file.read(_END) or b"", digest_size=8)
            size = os.fstat(file.fileno()).st_size
            if size > _END:
                file.seek(max(_END, size - _END))
                digest.update(file.read(_END) or b"")
    except OSError:
        return ""
    return digest.hexdigest()


def _unlabelled(record: Record) -> Record:
    """As scan.jsonl has it: label and split are the source's to tell."""
    return replace(record, label="", split=None)


def _described(blank: Record, found: Image.Image | Deep, header: Header) -> Record:
    levels = found.levels() if isinstance(found, Deep) else None
    # Scaled by its own range: how dark it is among others says nothing of likeness.
    image = found.scaled(levels) if isinstance(found, Deep) else found
    dhash: int | None = None
    thumbnail = b""
    if min(image.size) >= NEAR_SMALLEST:
        grey = image.convert("L")
        dhash = difference_hash(grey)
        shrunk = grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        thumbnail = shrunk.tobytes()
    return replace(
        blank,
        width=image.width if header.reduction == 1 else header.width,
        height=image.height if header.reduction == 1 else header.height,
        format=header.format,
        mode=header.mode,
        notes=tuple(_oddities(blank.path, header)),
        levels=levels,
        pixel_hash=pixel_hash(found),
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
        "reduced": header.reduction > 1,
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
        "thumbnail": record.thumbnail.hex(),
        "levels": record.levels and str(record.levels),
    }
    # What is empty needs no room.
    kept = {name: value for name, value in values.items() if value not in ("", None, ())}
    return json.dumps(kept, separators=(",", ":")) + "\n"


_KINDS = {
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
        if "levels" in values:
            values["levels"] = Levels.parse(values["levels"])
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
