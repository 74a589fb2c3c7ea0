"""An opened data source: images, labels, splits, and access to the images by their paths."""

import io
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from workbench.datasets.decoding import decode_full
from workbench.datasets.image_files import ImageHeader, open_image
from workbench.datasets.manifest import Stamp, file_stamp
from workbench.datasets.names import natural_sorted
from workbench.datasets.sixteen_bit import Levels, SixteenBitImage, scale_to_8_bits
from workbench.datasets.sources.walk import PathStamp
from workbench.files import nonblocking_opener
from workbench.messages import tr
from workbench.text import safe_text

# Codes of warnings about a source.
LAYOUT = "layout"
LABELS = "labels"
GROUPS = "groups"
NOT_READ = "not-read"
_KIND_TITLES = {
    "class folders": tr("class folders"),
    "split folders": tr("split folders"),
    "flat names": tr("flat names"),
    "unlabelled": tr("unlabelled"),
}
UNLABELLED = "unlabelled"  # kind of a source without labels, and what stands for them
_END_BYTES = 4096  # at the start and at the end of a file that are hashed
_HELD_BYTES = 1 << 24  # of a file that a scan holds in memory; larger ones are read piece by piece


def kind_title(kind: str) -> str:
    """Return the layout of a source in the language of the reader; csv and npz stay as they are."""
    return _KIND_TITLES.get(kind, safe_text(kind))


@dataclass(frozen=True, order=True, slots=True)
class Item:
    """An image with its label.

    Attributes:
        path: From the source's root, with /; in an npz file the part and the number, train/00012.
        label: The name of the class.
        split: train, validation or test where the data has a split, else None.
        group: Of the images that have to stay on one side of a split; "" where none is given.
    """

    path: str
    label: str
    split: str | None = field(default=None, compare=False)
    group: str = field(default="", compare=False)


@dataclass(frozen=True)
class SourceWarning:
    """Something that was probably not meant as it was read; shown with the audit.

    Attributes:
        code: LAYOUT, LABELS, GROUPS or NOT_READ.
        message: A plain sentence or two, safe for a terminal.
        files: The paths concerned, from the source's root.
    """

    code: str
    message: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A data source whose layout is known.

    Attributes:
        root: Where the paths of the items start: a folder, or the npz file itself. Absolute.
        kind: "class folders", "split folders", "flat names", "csv", "npz" or UNLABELLED. For
            display only: `open_images` gives access to the images of any kind.
        items: Sorted by path.
        notes: Sentences about skipped files.
        path: The path given by the user, absolute.
        warnings: What should be checked before training.
        evidence: Stamps of what was listed, which show later changes, see `walk`; {} where they
            would not.
        kept: Whether it was listed by an earlier process, see `kept_listing`.
    """

    root: Path
    kind: str
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    path: Path = Path()
    warnings: tuple[SourceWarning, ...] = ()
    evidence: dict[str, PathStamp] = field(default_factory=dict, compare=False, repr=False)
    kept: bool = field(default=False, compare=False)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, 2 before 10."""
        return tuple(natural_sorted({item.label for item in self.items}))

    @property
    def user_split(self) -> bool:
        """Whether the data comes with a split."""
        return any(item.split is not None for item in self.items)


@dataclass(frozen=True)
class StoredImage:
    """An image as it is stored, for a scan: its file is read once, whatever is asked of it.

    Attributes:
        stamp: As `SourceImages.stamp`.
        ends: As `SourceImages.ends`.
        read: As `SourceImages.read`, of this image.
    """

    stamp: Stamp
    ends: str
    read: Callable[..., tuple[Image.Image | SixteenBitImage, ImageHeader]]


class SourceImages(ABC):
    """The images of a source; several threads may read at once.

    Attributes:
        encoded: True where reading an image means decoding it: threads pay, and the results of a
            scan are worth keeping.
    """

    encoded: bool

    @abstractmethod
    def read(
        self, path: str, at_least: tuple[int, int] | None = None
    ) -> tuple[Image.Image | SixteenBitImage, ImageHeader]:
        """Return an image with all its bits, upright, and its header.

        Args:
            path: Of an item.
            at_least: (height, width) that suffice, see `decoding.decode`.

        Raises:
            ImageError: The image cannot be used or does not exist.
            UserError: The file that holds all images is damaged.
        """

    @abstractmethod
    def header(self, path: str) -> ImageHeader:
        """Return the header of an image.

        Raises:
            ImageError, UserError: As `read`.
        """

    @abstractmethod
    def file(self, path: str, target: Path) -> Path:
        """Return an image as a file: its own, or else `target`, where it is written as PNG.

        Raises:
            ImageError, UserError: As `read`, where it has to be written.
        """

    @abstractmethod
    def stamp(self, path: str) -> Stamp:
        """Return size, times and inode of the image's file; zeros where it cannot be found."""

    @abstractmethod
    def ends(self, path: str) -> str:
        """Return a hash of a file's first and last bytes, which shows most changes; "" for none."""

    def stored(self, path: str) -> StoredImage:
        """Return an image as it is stored; whether it can be used shows when it is read."""
        return StoredImage(self.stamp(path), self.ends(path), partial(self.read, path))

    @abstractmethod
    def describe(self, path: str) -> str:
        """Return where an image is, safe for a terminal."""

    def decode(
        self,
        path: str,
        at_least: tuple[int, int] | None = None,
        levels: Levels | None = None,
    ) -> Image.Image:
        """Return an image of mode L or RGB, as a network receives it; see `decoding.decode`.

        Raises:
            ImageError, UserError: As `read`.
        """
        return scale_to_8_bits(self.read(path, at_least)[0], levels)

    def decode_for_display(self, path: str, at_least: tuple[int, int] | None = None) -> Image.Image:
        """Like `decode`, for a person: 16 bits are scaled by the image's own range."""
        found = self.read(path, at_least)[0]
        return found.for_display() if isinstance(found, SixteenBitImage) else found


class FileImages(SourceImages):
    """Image files below a folder, or anywhere by absolute paths.

    Args:
        root: Where the paths start.
    """

    encoded = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(
        self, path: str, at_least: tuple[int, int] | None = None
    ) -> tuple[Image.Image | SixteenBitImage, ImageHeader]:
        """See `SourceImages.read`."""
        return decode_full(self.root / path, at_least)

    def header(self, path: str) -> ImageHeader:
        """See `SourceImages.header`; nothing is decoded."""
        with open_image(self.root / path) as (_, header):
            return header

    def file(self, path: str, target: Path) -> Path:
        """See `SourceImages.file`."""
        return self.root / path

    def stamp(self, path: str) -> Stamp:
        """See `SourceImages.stamp`."""
        try:
            return file_stamp((self.root / path).stat())
        except OSError:
            return 0, 0, 0, 0  # opening the file shows why

    def ends(self, path: str) -> str:
        """See `SourceImages.ends`."""
        try:
            with self._open(path) as file:
                start = file.read(_END_BYTES) or b""
                size = os.fstat(file.fileno()).st_size
                if size <= _END_BYTES:
                    return _hash_ends(start, b"")
                file.seek(max(_END_BYTES, size - _END_BYTES))
                return _hash_ends(start, file.read(_END_BYTES) or b"")
        except OSError:
            return ""

    def stored(self, path: str) -> StoredImage:
        """See `SourceImages.stored`."""
        try:
            with self._open(path) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > _HELD_BYTES:
                    return super().stored(path)
                content = file.readall()
        except OSError:
            return super().stored(path)
        ends = _hash_ends(
            content[:_END_BYTES], content[max(_END_BYTES, len(content) - _END_BYTES) :]
        )
        return StoredImage(file_stamp(status), ends, partial(decode_full, content))

    def _open(self, path: str) -> io.FileIO:
        return open(self.root / path, "rb", buffering=0, opener=nonblocking_opener)

    def describe(self, path: str) -> str:
        """See `SourceImages.describe`."""
        return safe_text(self.root / path)


def _hash_ends(start: bytes, end: bytes) -> str:
    return blake2b(start + end, digest_size=8).hexdigest()
