"""The row type of an image, from the scan to the manifest."""

import os
import re
from dataclasses import dataclass

from workbench.datasets.images.sixteen_bit import Levels

_PIXEL_HASH = re.compile("[0-9a-f]{32}")
Stamp = tuple[int, int, int, int]  # size in bytes, times of change and of status, inode


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image of a data set, as the manifest lists it.

    Attributes:
        path: From the source's root, with /; in an npz file the part and the number, train/00012.
        label: The name of the class.
        split: train, validation or test; None in a scan where the data has no split.
        width: Pixels, upright; 0 where the file cannot be used.
        height: Likewise.
        bytes: Size of the file; in an npz file, of the array.
        pixel_hash: 32 hex digits over the size and the decoded RGB pixels, all their bits.
        levels: Of an image with 16 bits a channel, else None. In a scan its own smallest and
            largest value; in a manifest the values that become 0 and 255, the same for all images
            of a data set, and None in manifests of older versions.
    """

    path: str
    label: str
    split: str | None
    width: int = 0
    height: int = 0
    bytes: int = 0
    pixel_hash: str = ""
    levels: Levels | None = None


@dataclass(frozen=True, slots=True)
class ScanRecord(ImageRecord):
    """An image with everything that the scan found.

    Attributes:
        modified_ns: When the content changed.
        changed_ns: When the content, name, place or rights changed.
        inode: Of the file.
        ends: 16 hex digits over the first and the last 4,096 bytes; "" where unreadable.
        format: JPEG, PNG, ...; npz for arrays.
        mode: Pillow's name of the stored pixels.
        problem: Why the file cannot be used, else None.
        notes: Oddities: cmyk, 16-bit, palette, alpha, animated, exif-rotated, wrong-ending, tiny,
            reduced.
        dhash: 64 bits that similar pictures share, where both sides have 64 pixels or more.
        thumbnail: 16 x 16 grey bytes, where there is a dhash.
    """

    modified_ns: int = 0
    changed_ns: int = 0
    inode: int = 0
    ends: str = ""
    format: str = ""
    mode: str = ""
    problem: str | None = None
    notes: tuple[str, ...] = ()
    dhash: int | None = None
    thumbnail: bytes = b""

    @property
    def stamp(self) -> Stamp:
        """The file's size, times and inode."""
        return self.bytes, self.modified_ns, self.changed_ns, self.inode

    @property
    def usable(self) -> bool:
        """Whether the image can be decoded."""
        return self.problem is None


def check_pixel_hash(text: str) -> str:
    """Return a pixel hash read from a file.

    Raises:
        ValueError: It is none.
    """
    if not _PIXEL_HASH.fullmatch(text):
        raise ValueError(f"the hash is {text!r}")
    return text


def file_stamp(status: os.stat_result) -> Stamp:
    """Return a file's size, times and inode; see `ScanRecord.stamp`."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
