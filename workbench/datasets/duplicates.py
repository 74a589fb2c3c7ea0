"""Find images that are the same, or nearly so."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from workbench.datasets.manifest import ImageRecord, ScanRecord
from workbench.datasets.scan import THUMBNAIL_SIDE
from workbench.progress import Progress, silent

# A pair is near when its hashes differ in few bits and its thumbnails in few grey levels.
# (Measured: both hold for 96 % or more of 200 photographs and their copies at JPEG quality 30 or
# at half size; of 720,000 pairs of different photographs, for 3 that really look alike.)
MAX_BITS = 4
MAX_GREY_LEVELS = 8.0  # root mean square over the thumbnail
MIN_CONTRAST = 8.0  # standard deviation, grey levels; all plain surfaces are alike

# Of 64 bits in five bands, two hashes that differ in four share at least one band whole.
_BANDS = ((0, 13), (13, 13), (26, 13), (39, 13), (52, 12))
# Neighbours that an image is compared with in a bucket; larger buckets are not compared in full.
_BUCKET = 32
_MAX_PAIRS = 20_000  # frames of a film make millions; nobody reads more than the first
_BATCH = 4096  # candidate pairs verified at a time
# Images kept together because they look alike. Similarity is not transitive: the frames of a film
# would become one group, which no split could divide.
MAX_GROUP = 50


Record = TypeVar("Record", bound=ImageRecord)


@dataclass(frozen=True)
class NearPairs:
    """Pairs of near duplicates; similarity is not transitive, see `joined_groups`.

    Attributes:
        pairs: The nearest first.
        complete: False where buckets were too large to be compared in full, or pairs too many.
    """

    pairs: tuple[tuple[ScanRecord, ScanRecord], ...]
    complete: bool = True


def exact_groups(records: Iterable[ScanRecord]) -> list[tuple[ScanRecord, ...]]:
    """Return groups of two or more usable images with the same pixels, sorted by path."""
    by_pixels = defaultdict(list)
    for record in records:
        if record.usable:
            by_pixels[record.pixel_hash].append(record)
    groups = [tuple(sorted(g, key=_path)) for g in by_pixels.values() if len(g) > 1]
    return sorted(groups, key=lambda group: group[0].path)


def joined_groups(
    records: Sequence[Record], pairs: Iterable[tuple[Record, Record]]
) -> list[list[Record]]:
    """Return the images that belong on one side of a split or fold, each in one group.

    Images with the same pixels always stay together, and so do those with the same
    `ImageRecord.group`. Near pairs join their groups, the nearest first, as long as a group has at
    most `MAX_GROUP` images.

    Args:
        records: Usable ones; pairs of others are skipped.
        pairs: Near duplicates, the nearest first.
    """
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=_path):
        groups.setdefault(record.pixel_hash, []).append(record)
    pixels_of: dict[str, str] = {}  # of one image of each declared group
    for record in sorted(records, key=_path):
        if record.group:
            known = pixels_of.setdefault(record.group, record.pixel_hash)
            both = (groups[known], groups[record.pixel_hash])
            _join(groups, *sorted(both, key=len, reverse=True))
    for pair in pairs:
        first, second = (groups.get(record.pixel_hash) for record in pair)
        if first is None or second is None:
            continue
        if len(first) + len(second) <= MAX_GROUP:
            _join(groups, first, second)
    return list({id(group): group for group in groups.values()}.values())


def number_groups(rows: Sequence[ImageRecord], near: Iterable[tuple[str, str]] = ()) -> list[int]:
    """Return a number for each image, the same for those of one of the `joined_groups`.

    It is the place of the first image of the group.

    Args:
        rows: The images.
        near: Paths of pairs that look alike, the nearest first; others are skipped.
    """
    by_path = {row.path: row for row in rows}
    pairs = [(by_path[a], by_path[b]) for a, b in near if a in by_path and b in by_path]
    joined = enumerate(joined_groups(rows, pairs))
    group_of = {row.pixel_hash: number for number, group in joined for row in group}
    first: dict[int, int] = {}
    return [first.setdefault(group_of[row.pixel_hash], at) for at, row in enumerate(rows)]


def _join(groups: dict[str, list[Record]], first: list[Record], second: list[Record]) -> None:
    """Move the images of a second group to a first one, unless they are one already."""
    if first is not second:
        first += second
        groups.update((record.pixel_hash, first) for record in second)


def near_pairs(records: Sequence[ScanRecord], progress: Progress = silent) -> NearPairs:
    """Return pairs that look alike and are not the same, among images of 64 pixels or more.

    Buckets of images that share a band of their hashes are sorted by the whole hash, and each
    image is compared with the next few: the cost grows only with the number of images.

    Args:
        records: Of a scan.
        progress: Reports "compare" in steps.
    """
    chosen, thumbnails = _one_of_each(records)
    if len(chosen) < 2:
        return NearPairs(())
    hashes = np.array([record.dhash for record in chosen], np.uint64)
    near: dict[tuple[int, int], float] = {}
    complete = True
    for band, (shift, bits) in enumerate(_BANDS):
        keys = (hashes >> np.uint64(shift)) & np.uint64((1 << bits) - 1)
        order = np.lexsort((hashes, keys))
        for step in range(1, min(_BUCKET, len(order) - 1) + 1):
            first, second = order[:-step], order[step:]
            alike = keys[first] == keys[second]
            complete &= step < _BUCKET or not alike.any()
            alike &= np.bitwise_count(hashes[first] ^ hashes[second]) <= MAX_BITS
            if len(near) < _MAX_PAIRS:
                near.update(_verified(thumbnails, first[alike], second[alike]))
            progress("compare", band * _BUCKET + step, len(_BANDS) * _BUCKET)
    progress("compare", len(_BANDS) * _BUCKET, len(_BANDS) * _BUCKET)
    ordered = sorted(near, key=lambda pair: (near[pair], pair))[:_MAX_PAIRS]
    complete &= len(near) < _MAX_PAIRS
    return NearPairs(tuple((chosen[a], chosen[b]) for a, b in ordered), complete)


def _one_of_each(records: Sequence[ScanRecord]) -> tuple[list[ScanRecord], np.ndarray]:
    """Return one record for each content to compare, sorted by path, and thumbnails as rows."""
    by_pixels: dict[str, ScanRecord] = {}
    for record in sorted(records, key=_path):
        if record.dhash is not None:
            by_pixels.setdefault(record.pixel_hash, record)
    content = b"".join(record.thumbnail for record in by_pixels.values())
    thumbnails = np.frombuffer(content, np.uint8).reshape(len(by_pixels), THUMBNAIL_SIDE**2)
    # The variance times the square of the number of values: integers, so exact at the limit.
    squares = np.einsum("ij,ij->i", thumbnails, thumbnails, dtype=np.int64)
    spread = squares * THUMBNAIL_SIDE**2 - thumbnails.sum(axis=1, dtype=np.int64) ** 2
    compared = spread >= (MIN_CONTRAST * THUMBNAIL_SIDE**2) ** 2
    chosen = [r for r, chosen in zip(by_pixels.values(), compared, strict=True) if chosen]
    return chosen, thumbnails[compared]


def _verified(
    thumbnails: np.ndarray, first: np.ndarray, second: np.ndarray
) -> dict[tuple[int, int], float]:
    """Return the pairs whose thumbnails are near, with their distance in grey levels."""
    found = {}
    for start in range(0, len(first), _BATCH):
        a, b = first[start : start + _BATCH], second[start : start + _BATCH]
        difference = thumbnails[a].astype(np.float32) - thumbnails[b]
        distances = np.sqrt((difference**2).mean(axis=1))
        for i in np.flatnonzero(distances <= MAX_GREY_LEVELS).tolist():
            pair = (min(int(a[i]), int(b[i])), max(int(a[i]), int(b[i])))
            found[pair] = float(distances[i])
    return found


def _path(record: ImageRecord) -> str:
    return record.path
