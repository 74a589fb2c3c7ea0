"""How what was downloaded becomes images that the workbench reads.

Each builder is given the downloaded files in the order of the catalogue, an empty folder to fill,
and a Progress. The npz files hold x_train, y_train, x_test, y_test, as Keras's own mnist.npz does,
and `label_names`: the class that each label stands for.
"""

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import numpy as np

from workbench.datasets import archives
from workbench.datasets.idx import read_idx
from workbench.errors import UserError
from workbench.files import atomic_file
from workbench.progress import Progress

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
_AGAIN = "Remove the folder download/ of this data set and fetch it again."
_CIFAR_SHAPE = (3, 32, 32)
_CIFAR_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then red, green and blue rows
_CIFAR_MOST = 10_000 * _CIFAR_RECORD  # bytes of a batch


def copy_file(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """The one file is what the workbench reads."""
    (file,) = files
    with atomic_file(into / file.name) as temporary:
        shutil.copyfile(file, temporary)


def unpack_archive(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """The one file is an archive of class folders."""
    (file,) = files
    archives.unpack(file, into, progress)


def convert_fashion(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """Four gzipped idx files become fashion-mnist.npz.

    Their order: training images, their labels, test images, their labels.
    """
    arrays = {}
    for done, (key, file) in enumerate(
        zip(("x_train", "y_train", "x_test", "y_test"), files, strict=True)
    ):
        progress("convert fashion-mnist", done, len(files))
        with archives.readable(file), gzip.open(file) as stream:
            arrays[key] = read_idx(cast(BinaryIO, stream), file.name)
    _save(into / "fashion-mnist.npz", arrays, FASHION_CLASSES)
    progress("convert fashion-mnist", len(files), len(files))


def convert_cifar(files: Sequence[Path], into: Path, progress: Progress) -> None:
    """The binary batches of CIFAR-10 become cifar-10.npz; nothing is unpacked or unpickled."""
    batches = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    (archive,) = files
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    with archives.readable(archive), archive.open("rb") as raw, archives.opened_tar(raw) as opened:
        for member in opened:
            name = PurePosixPath(member.name).name
            if name in batches and name not in found and member.isreg():
                if member.size > _CIFAR_MOST:
                    raise UserError(f"{name} announces {member.size:,} bytes.", _AGAIN)
                stream = opened.extractfile(member)
                found[name] = _cifar_batch(stream.read() if stream else b"", name)
                progress("convert cifar-10", len(found), len(batches))
    if missing := [name for name in batches if name not in found]:
        raise UserError(f"{archive.name} lacks {', '.join(missing)}.", _AGAIN)
    images, labels = zip(*(found[name] for name in batches), strict=True)
    arrays = {
        "x_train": np.concatenate(images[:5]),
        "y_train": np.concatenate(labels[:5]),
        "x_test": images[5],
        "y_test": labels[5],
    }
    _save(into / "cifar-10.npz", arrays, CIFAR_CLASSES)


def _cifar_batch(data: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (n, 32, 32, 3) and labels uint8 (n,) of one batch.

    The format: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
    """
    if not data or len(data) % _CIFAR_RECORD:
        raise UserError(
            f"{name} holds {len(data):,} bytes, which is no multiple of {_CIFAR_RECORD:,}.", _AGAIN
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _CIFAR_RECORD)
    return records[:, 1:].reshape(-1, *_CIFAR_SHAPE).transpose(0, 2, 3, 1), records[:, 0]


def _save(path: Path, arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> None:
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if len(images) != len(labels):
            raise UserError(
                f"{path.stem}: {len(images):,} images, but {len(labels):,} labels.", _AGAIN
            )
        if labels.size and labels.max() >= len(names):
            raise UserError(
                f"{path.stem}: a label is {labels.max()}, and there are {len(names)} classes.",
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
