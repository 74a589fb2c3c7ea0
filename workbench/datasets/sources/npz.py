"""An .npz file of images and labels, such as Keras's mnist.npz."""

import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
from PIL import Image

from workbench.datasets.image_files import MAX_PIXELS, ImageError, ImageHeader
from workbench.datasets.manifest import Stamp
from workbench.datasets.names import format_examples, normalize_label
from workbench.datasets.sources.listing import SkippedFiles
from workbench.datasets.sources.source import Item, Source, SourceImages
from workbench.errors import UserError
from workbench.messages import tr
from workbench.text import safe_text
from workbench.words import reason_of

_PARTS = ("train", "test")
_KEYS = tuple(f"{axis}_{part}" for part in _PARTS for axis in "xy")
_EXPECTED = tr(
    "Expected: x_train and x_test, uint8, (images, height, width) or "
    "(..., 1 or 3), and y_train and y_test, integers or text, one for "
    "each image; label_names may name the numbers."
)
_NUMBER = re.compile("[0-9]{1,18}")
_MAX_LABEL = 1000  # characters
# Photographs shrink to a half, drawings to a fiftieth; what grows 200-fold is a zip bomb.
_MAX_RATIO = 200
_ALWAYS_ALLOWED = 1 << 24  # bytes, whatever the ratio: labels in order shrink a thousandfold


def read_npz(path: Path, skipped: SkippedFiles) -> Source:
    """Return the items train/00000, ... and test/00000, ... of a file; images are not read yet.

    Raises:
        UserError: The file is damaged, lacks an array, or an array has another type or shape.
    """
    with _readable(path), np.load(path, allow_pickle=False) as arrays:
        missing = [key for key in _KEYS if key not in arrays.files]
        if missing:
            found = format_examples(sorted(arrays.files)) or "nothing"
            raise _wrong(
                path,
                tr("it lacks {missing}; it holds {found}", missing=", ".join(missing), found=found),
            )
        if others := [k for k in arrays.files if k not in (*_KEYS, "label_names")]:
            skipped.notes.append(
                tr(
                    "Skipped arrays of {path_name}: {examples}.",
                    path_name=safe_text(path.name),
                    examples=format_examples(others),
                )
            )
        counts = {key: _count(path, key) for key in (*_KEYS, "label_names") if key in arrays.files}
        names = arrays["label_names"] if "label_names" in arrays.files else None
        items: list[Item] = []
        for part in _PARTS:
            count, labelled = counts[f"x_{part}"], counts[f"y_{part}"]
            if count != labelled:
                raise _wrong(
                    path,
                    tr(
                        "x_{part} has {count:,} images, y_{part} {labelled:,} labels",
                        part=part,
                        count=count,
                        labelled=labelled,
                    ),
                )
            labels = _labels(path, f"y_{part}", arrays[f"y_{part}"], names)
            keys = image_keys(part, count)
            items += [Item(key, label, part) for key, label in zip(keys, labels, strict=True)]
    return Source(path, "npz", tuple(items))


def image_keys(part: str, count: int) -> list[str]:
    """Return the paths of a part's images: train/00000, train/00001, ..."""
    digits = max(5, len(str(count - 1)))
    return [f"{part}/{number:0{digits}d}" for number in range(count)]


class NpzImages(SourceImages):
    """The images of an npz file, by the paths of their items.

    Each is read from the open file on demand, so that a large file needs no memory. In their
    order all of them cost one reading of the file; going back restarts it.

    Args:
        path: The file.

    Raises:
        UserError: The file is damaged.
    """

    encoded = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._modified = 0
        with _readable(path):
            self._modified = path.stat().st_mtime_ns
            self._archive = zipfile.ZipFile(path)  # closed with the last use of this object
            self._parts = {part: _Part(path, self._archive, f"x_{part}") for part in _PARTS}

    def array(self, key: str) -> np.ndarray:
        """Return uint8, (height, width) or (height, width, 3); not to be written to.

        Raises:
            KeyError: No such image.
            UserError: The file is damaged there.
        """
        part, _, number = key.partition("/")
        images = self._parts[part]
        if not _NUMBER.fullmatch(number) or int(number) >= images.shape[0]:
            raise KeyError(key)
        with self._lock, _readable(self.path):
            image = images.read(int(number))
        return image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image

    def image(self, key: str) -> Image.Image:
        """Return the same as a Pillow image of mode L or RGB."""
        return Image.fromarray(np.ascontiguousarray(self.array(key)))

    def read(
        self, path: str, at_least: tuple[int, int] | None = None
    ) -> tuple[Image.Image, ImageHeader]:
        """See `SourceImages.read`."""
        try:
            image = self.image(path)
        except KeyError:
            raise ImageError(tr("it is not in the npz file")) from None
        return image, ImageHeader(image.width, image.height, "npz", image.mode)

    def header(self, path: str) -> ImageHeader:
        """See `SourceImages.header`."""
        return self.read(path)[1]

    def file(self, path: str, target: Path) -> Path:
        """See `SourceImages.file`."""
        image = self.read(path)[0]
        target.parent.mkdir(parents=True, exist_ok=True)
        image.save(target)
        return target

    def stamp(self, path: str) -> Stamp:
        """Return the bytes of the array and the time of the npz file."""
        part = path.partition("/")[0]
        return math.prod(self._parts[part].shape[1:]), self._modified, 0, 0

    def ends(self, path: str) -> str:
        """Return "": an npz file has check sums of its own."""
        return ""

    def describe(self, path: str) -> str:
        """See `SourceImages.describe`."""
        return tr("{path} of {path_2}", path=safe_text(path), path_2=safe_text(self.path))


class _Part:
    """An array of images in an open npz file, read one image at a time."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, key: str) -> None:
        self._member = archive.open(f"{key}.npy")
        self.shape, by_column = _image_header(path, key, archive, self._member)
        self._start = self._member.tell()
        self._whole: np.ndarray | None = None
        if by_column:  # parts of an image lie far apart then
            values = np.frombuffer(self._member.read(), np.uint8)
            self._whole = values.reshape(self.shape, order="F")

    def read(self, number: int) -> np.ndarray:
        """Read an image; raises EOFError, or anything that zipfile and zlib raise over damage."""
        if self._whole is not None:
            return self._whole[number]
        size = math.prod(self.shape[1:])
        self._member.seek(self._start + number * size)
        content = self._member.read(size)
        if len(content) < size:
            raise EOFError
        return np.frombuffer(content, np.uint8).reshape(self.shape[1:])


def _labels(path: Path, key: str, values: np.ndarray, names: np.ndarray | None) -> list[str]:
    if values.ndim == 2 and values.shape[1] == 1:  # as Keras's CIFAR-10 has them
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iuU":
        raise _wrong(
            path,
            tr(
                "{key} is {dtype}, {values_shape}",
                key=key,
                dtype=values.dtype,
                values_shape=values.shape,
            ),
        )
    if names is None or values.dtype.kind == "U":
        return _texts(path, key, values)
    if names.ndim != 1 or (values.size and not 0 <= values.min() <= values.max() < len(names)):
        raise _wrong(path, tr("label_names does not name all labels of {key}", key=key))
    known = _texts(path, "label_names", names)
    return [known[value] for value in values.tolist()]


def _texts(path: Path, key: str, values: np.ndarray) -> list[str]:
    """Return the values as labels that every file of ours can hold."""
    texts = [str(value) for value in values.tolist()]
    for text in set(texts):
        if not text.strip() or len(text) > _MAX_LABEL or not _is_text(text):
            raise _wrong(
                path, tr("{key} holds the label '{value}'", key=key, value=safe_text(text, 60))
            )
    return [normalize_label(text) for text in texts]


def _is_text(label: str) -> bool:
    """Return False for halves of characters, which no file can hold."""
    try:
        label.encode()
    except UnicodeEncodeError:
        return False
    return True


def _count(path: Path, key: str) -> int:
    """Return the number of images or labels in an array, from its header."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as member:
        if key.startswith("x_"):
            return _image_header(path, key, archive, member)[0][0]
        shape, _, _ = _header(path, key, archive, member)
        return shape[0] if shape else 0


def _image_header(
    path: Path, key: str, archive: zipfile.ZipFile, member: IO[bytes]
) -> tuple[tuple[int, ...], bool]:
    """Return the shape of an array of images, and whether it is stored column by column."""
    shape, by_column, dtype = _header(path, key, archive, member)
    if dtype != np.uint8:
        raise _wrong(path, tr("{key} is {dtype}, not uint8", key=key, dtype=dtype))
    good = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))
    if not good or 0 in shape[1:] or shape[1] * shape[2] > MAX_PIXELS:
        raise _wrong(path, tr("{key} has the shape {shape}", key=key, shape=shape))
    return shape, by_column


def _header(
    path: Path, key: str, archive: zipfile.ZipFile, member: IO[bytes]
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type of an array, once its size is checked."""
    version = np.lib.format.read_magic(member)
    read: Any = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise _wrong(path, tr("{key} is stored in an unknown version of the npy format", key=key))
    shape, by_column, dtype = read(member)
    if dtype.hasobject:
        raise _wrong(path, tr("{key} holds Python objects, which are not loaded", key=key))
    stored = archive.getinfo(f"{key}.npy")
    announced, actual = math.prod(shape) * dtype.itemsize, stored.file_size - member.tell()
    if min(shape, default=0) < 0 or announced != actual:
        raise _wrong(
            path,
            tr(
                "{key} announces {announced:,} bytes of values and has {actual:,}",
                key=key,
                announced=announced,
                actual=actual,
            ),
        )
    if stored.file_size > max(_ALWAYS_ALLOWED, _MAX_RATIO * stored.compress_size):
        raise _wrong(
            path,
            tr(
                "{key} grows from {compress_size:,} to {announced:,} bytes",
                key=key,
                compress_size=stored.compress_size,
                announced=announced,
            ),
        )
    return shape, by_column, dtype


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn anything that numpy and zipfile raise over damaged files into a UserError."""
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(
            tr("{path} needs more memory than there is.", path=safe_text(path))
        ) from error
    except OSError as error:
        raise _wrong(path, safe_text(reason_of(error))) from error
    except Exception as error:  # readers of zip, numbers and headers raise a dozen kinds
        raise _wrong(path, tr("it is damaged")) from error


def _wrong(path: Path, reason: str) -> UserError:
    return UserError(
        tr("{path} cannot be used: {reason}.", path=safe_text(path), reason=reason), _EXPECTED
    )
