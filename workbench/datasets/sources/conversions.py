"""Convert downloaded files to images that the workbench reads.

Each builder receives the downloaded files in the order of the catalogue, an empty folder to fill,
and a Progress. The npz files hold x_train, y_train, x_test, y_test, as Keras's own mnist.npz does,
and `label_names`: the class of each label.
"""

import gzip
import math
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import numpy as np
from PIL import Image

from workbench.datasets.sources import archives
from workbench.errors import UserError
from workbench.files import atomic_file
from workbench.messages import tr
from workbench.progress import Progress
from workbench.text import safe_text

CIFAR_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_AGAIN = tr("Remove the folder download/ of this data set and fetch it again.")
_CIFAR_SHAPE = (3, 32, 32)
_CIFAR_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then red, green and blue rows
_CIFAR_BATCH = 10_000 * _CIFAR_RECORD  # bytes at most
_UNSIGNED_BYTES = 0x08  # the type of values in an idx file
_MAX_DIMENSIONS = 4
_MAX_IDX_BYTES = 1 << 30  # MNIST's training images have 47 million

DIGITS = 1797  # images that come with scikit-learn
_MAX_INK = 16
_DIGIT, _IMAGE = 20, 28
_MARGIN = (_IMAGE - _DIGIT) // 2
_LOAD_SECONDS = 180  # the import takes 3 to 4, from a cold network disk far more

# In a separate process: the import is slow, and this one may serve a terminal.
_LOAD = """
import sys, numpy
from sklearn.datasets import load_digits
digits = load_digits()
numpy.savez(sys.argv[1], images=digits.images.astype("uint8"), labels=digits.target)
"""


def copy_file(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """Copy the only file, which the workbench reads as it is."""
    (file,) = files
    with atomic_file(into / file.name) as temporary:
        shutil.copyfile(file, temporary)


def unpack_archive(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """Unpack the only file, an archive of class folders."""
    (file,) = files
    archives.unpack(file, into, progress)


def convert_fashion(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """Convert four gzipped idx files to fashion-mnist.npz.

    Their order: training images, their labels, test images, their labels.
    """
    arrays = {}
    for done, (key, file) in enumerate(
        zip(("x_train", "y_train", "x_test", "y_test"), files, strict=True)
    ):
        progress(tr("convert fashion-mnist"), done, len(files))
        with archives.damage_errors(file), gzip.open(file) as stream:
            arrays[key] = read_idx(cast(BinaryIO, stream), file.name)
    _save(into / "fashion-mnist.npz", arrays, FASHION_CLASSES)
    progress(tr("convert fashion-mnist"), len(files), len(files))


def convert_cifar(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """Convert the binary batches of CIFAR-10 to cifar-10.npz, without unpacking or unpickling."""
    batches = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    (archive,) = files
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    with (
        archives.damage_errors(archive),
        archive.open("rb") as raw,
        archives.open_tar(raw) as opened,
    ):
        for member in opened:
            name = PurePosixPath(member.name).name
            if name in batches and name not in found and member.isreg():
                if member.size > _CIFAR_BATCH:
                    raise UserError(
                        tr("{name} announces {size:,} bytes.", name=name, size=member.size), _AGAIN
                    )
                stream = opened.extractfile(member)
                found[name] = _cifar_batch(stream.read() if stream else b"", name)
                progress(tr("convert cifar-10"), len(found), len(batches))
    if missing := [name for name in batches if name not in found]:
        raise UserError(
            tr("{archive} lacks {missing}.", archive=archive.name, missing=", ".join(missing)),
            _AGAIN,
        )
    images, labels = zip(*(found[name] for name in batches), strict=True)
    arrays = {
        "x_train": np.concatenate(images[:5]),
        "y_train": np.concatenate(labels[:5]),
        "x_test": images[5],
        "y_test": labels[5],
    }
    _save(into / "cifar-10.npz", arrays, CIFAR_CLASSES)


def read_idx(stream: BinaryIO, name: str) -> np.ndarray:
    """Read an idx file of unsigned bytes; images and labels use nothing else.

    The format (Yann LeCun's MNIST page): two zero bytes, a byte for the type, a byte for the
    number of dimensions, each dimension as a big-endian 32-bit number, then the values.

    Args:
        stream: An open binary file, already uncompressed.
        name: The file's name, for messages.

    Returns:
        uint8, in the shape of the header: (images, height, width) or (labels,).

    Raises:
        UserError: The file is not idx, holds other values than bytes, or has more or fewer
            values than its header announces.
    """
    zeros, kind, dimensions = struct.unpack(">HBB", _exactly(stream, 4, name))
    if zeros or not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise _bad_idx(name, tr("it does not start like an idx file"))
    if kind != _UNSIGNED_BYTES:
        raise _bad_idx(
            name, tr("its values are of type 0x{kind:02x}, not unsigned bytes (0x08)", kind=kind)
        )
    shape = struct.unpack(f">{dimensions}I", _exactly(stream, 4 * dimensions, name))
    size = math.prod(shape)
    if size > _MAX_IDX_BYTES:
        raise _bad_idx(
            name,
            tr(
                "its header announces {size:,} values, the limit is {max_idx_bytes:,}",
                size=size,
                max_idx_bytes=_MAX_IDX_BYTES,
            ),
        )
    values = _exactly(stream, size, name)
    if stream.read(1):
        raise _bad_idx(name, tr("it continues after the {size:,} values of its header", size=size))
    return np.frombuffer(values, np.uint8).reshape(shape)


def _cifar_batch(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (n, 32, 32, 3) and labels uint8 (n,) of one batch.

    The format: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """
    if not data or len(data) % _CIFAR_RECORD:
        raise UserError(
            tr(
                "{name} holds {data_count:,} bytes, which is not a multiple of {cifar_record:,}.",
                name=name,
                data_count=len(data),
                cifar_record=_CIFAR_RECORD,
            ),
            _AGAIN,
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _CIFAR_RECORD)
    return records[:, 1:].reshape(-1, *_CIFAR_SHAPE).transpose(0, 2, 3, 1), records[:, 0]


def _save(path: Path, arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> None:
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if len(images) != len(labels):
            raise UserError(
                tr(
                    "{stem}: {images_count:,} images, but {labels_count:,} labels.",
                    stem=path.stem,
                    images_count=len(images),
                    labels_count=len(labels),
                ),
                _AGAIN,
            )
        if labels.size and labels.max() >= len(names):
            raise UserError(
                tr(
                    "{stem}: a label is {value}, and there are {names_count} classes.",
                    stem=path.stem,
                    value=labels.max(),
                    names_count=len(names),
                ),
                _AGAIN,
            )
    with atomic_file(path) as temporary:
        np.savez(
            temporary,
            x_train=arrays["x_train"],
            y_train=arrays["y_train"],
            x_test=arrays["x_test"],
            y_test=arrays["y_test"],
            label_names=np.array(names),
        )


def _exactly(stream: BinaryIO, count: int, name: str) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise _bad_idx(
            name,
            tr(
                "it ends early ({data_count:,} bytes of {count:,})",
                data_count=len(data),
                count=count,
            ),
        )
    return data


def _bad_idx(name: str, reason: str) -> UserError:
    return UserError(
        tr("{name} cannot be read: {reason}.", name=safe_text(name), reason=reason),
        tr("Remove it and fetch it again."),
    )


def write_digits(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """Write scikit-learn's digits as `<folder>/<class>/<number>.png`, classes 0 to 9.

    They are 8x8 counts of ink (E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten
    Digits", UCI Machine Learning Repository, 1998; the test part), converted to MNIST's form. MNIST
    centres by mass; these are centred as they were framed.

    Args:
        files: None.
        into: An empty folder.
        progress: Reports "load the digits" (unknown length) and "write the digits" (images).

    Raises:
        UserError: Scikit-learn is missing or broken.
        OSError: The disk is full or cannot be written.
    """
    progress(tr("load the digits"), 0, 0)
    images, labels = _load_digits()
    for label in range(10):
        (into / str(label)).mkdir()
    for number, (ink, label) in enumerate(zip(images, labels, strict=True)):
        enlarge_digit(ink).save(into / str(label) / f"digit-{number:04d}.png")
        progress(tr("write the digits"), number + 1, len(labels))


def enlarge_digit(ink: np.ndarray) -> Image.Image:
    """Return an 8x8 digit in MNIST's form.

    Args:
        ink: uint8, (8, 8), from 0 (paper) to 16 (ink).

    Returns:
        A 28x28 grey image: bicubic to 20x20, a black margin of 4 pixels around it.
    """
    grey = np.rint(ink * (255 / _MAX_INK)).astype(np.uint8)
    digit = Image.fromarray(grey).resize((_DIGIT, _DIGIT), Image.Resampling.BICUBIC)
    image = Image.new("L", (_IMAGE, _IMAGE))
    image.paste(digit, (_MARGIN, _MARGIN))
    return image


def _load_digits() -> tuple[np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as scratch:
        arrays = Path(scratch) / "digits.npz"
        # -P: a file sklearn.py in the current folder is not scikit-learn.
        command = [sys.executable, "-P", "-c", _LOAD, str(arrays)]
        try:
            process = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_LOAD_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise _unavailable(
                tr("it did not load within {load_seconds} seconds", load_seconds=_LOAD_SECONDS)
            ) from error
        if process.returncode != 0:
            lines = process.stderr.strip().splitlines()
            raise _unavailable(
                lines[-1]
                if lines
                else tr("it ended with code {returncode}", returncode=process.returncode)
            )
        with np.load(arrays, allow_pickle=False) as loaded:
            return loaded["images"], loaded["labels"]


def _unavailable(reason: str) -> UserError:
    return UserError(
        tr(
            "Scikit-learn, the source of the handwritten digits, does not work: {reason}.",
            reason=safe_text(reason),
        ),
        tr(
            "Install it again: {executable} -m pip install --force-reinstall scikit-learn",
            executable=sys.executable,
        ),
    )
