"""Well-known image data sets that the workbench brings by itself."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.datasets import conversions, digits
from workbench.downloads.download import download
from workbench.downloads.folders import disk_faults, locked, new_folder
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.text import one_of, safe_text

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web and what is known about it.

    Attributes:
        url: where it lies.
        size: bytes.
        digest: "sha256:<hex>" or "md5:<hex>"; None where none was published.
        source: who published the digest; for people and for this table's next reader.
    """

    url: str
    size: int
    digest: str | None = None
    source: str = ""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rpartition("/")[2]

    @property
    def verification(self) -> str:
        """How the file is checked, in words."""
        if self.digest is None:
            return "size only: no hash was published, so the content is unverified"
        return f"{self.digest.partition(':')[0]} as published by {self.source}"


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes:
        title: its name for people.
        about: what it is, in a sentence.
        classes: the names of the classes.
        images: how many, all splits together.
        licence: its licence or terms, as far as its publishers state them.
        files: what is downloaded; none for what comes with an installed library.
        build: fills an empty folder from the downloaded files.
        result: what in that folder the workbench reads; "." is the folder itself.
    """

    title: str
    about: str
    classes: tuple[str, ...]
    images: int
    licence: str
    files: tuple[RemoteFile, ...]
    build: Callable[[Sequence[Path], Path, Progress], None]
    result: str

    @property
    def download_size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)


_DIGIT_NAMES = tuple("0123456789")
_ZALANDO = "its authors (github.com/zalandoresearch/fashion-mnist, README)"

CATALOGUE: Mapping[str, Entry] = {
    "digits": Entry(
        title="Handwritten digits (scikit-learn)",
        about="Small handwritten digits that come with scikit-learn, enlarged to 28x28 grey.",
        classes=_DIGIT_NAMES,
        images=digits.IMAGES,
        licence="CC BY 4.0: E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998.",
        files=(),
        build=lambda files, into, progress: digits.write_digits(into, progress),
        result=".",
    ),
    "mnist": Entry(
        title="MNIST",
        about="Handwritten digits, 28x28 grey: 60,000 to train on and 10,000 to test on.",
        classes=_DIGIT_NAMES,
        images=70_000,
        licence="CC BY-SA 3.0, copyright Y. LeCun and C. Cortes (as Keras states).",
        files=(
            RemoteFile(
                f"{_KERAS}/mnist.npz",
                11_490_434,
                "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
                "Keras (keras/src/datasets/mnist.py)",
            ),
        ),
        build=conversions.copy_file,
        result="mnist.npz",
    ),
    "fashion-mnist": Entry(
        title="Fashion-MNIST",
        about="Photographs of clothing, 28x28 grey, as many as MNIST has and harder.",
        classes=conversions.FASHION_CLASSES,
        images=70_000,
        licence="MIT, copyright Zalando SE, 2017.",
        # The copies that Keras serves have the sizes of the authors' own files.
        files=(
            RemoteFile(
                f"{_KERAS}/train-images-idx3-ubyte.gz",
                26_421_880,
                "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                _ZALANDO,
            ),
            RemoteFile(
                f"{_KERAS}/train-labels-idx1-ubyte.gz",
                29_515,
                "md5:25c81989df183df01b3e8a0aad5dffbe",
                _ZALANDO,
            ),
            RemoteFile(
                f"{_KERAS}/t10k-images-idx3-ubyte.gz",
                4_422_102,
                "md5:bef4ecab320f06d8554ea6380940ec79",
                _ZALANDO,
            ),
            RemoteFile(
                f"{_KERAS}/t10k-labels-idx1-ubyte.gz",
                5_148,
                "md5:bb300cfdad3c16e7a12a480ee83cd310",
                _ZALANDO,
            ),
        ),
        build=conversions.convert_fashion,
        result="fashion-mnist.npz",
    ),
    "cifar-10": Entry(
        title="CIFAR-10",
        about="Tiny photographs, 32x32 in colour: 50,000 to train on and 10,000 to test on.",
        classes=conversions.CIFAR_CLASSES,
        images=60_000,
        licence="None stated; its authors ask to cite A. Krizhevsky, 2009 (technical report).",
        files=(
            RemoteFile(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                170_052_171,
                "md5:c32a1d4ab5d03f1284b67883e8d87530",
                "its authors (www.cs.toronto.edu/~kriz/cifar.html)",
            ),
        ),
        build=conversions.convert_cifar,
        result="cifar-10.npz",
    ),
    "cats-vs-dogs": Entry(
        title="Cats vs dogs",
        about="Photographs of cats and dogs in many sizes; a few of its files are damaged.",
        classes=("Cat", "Dog"),
        images=25_000,
        licence="Microsoft Research's licence for Asirra (in the archive): research only.",
        files=(
            RemoteFile(
                "https://download.microsoft.com/download/3/E/1/"
                "3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
                824_887_076,
                "sha256:b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
                "the GoMLX project (gomlx/gomlx, examples/dogsvscats); Microsoft gives none",
            ),
        ),
        build=conversions.unpack_archive,
        result="PetImages",
    ),
    "flowers": Entry(
        title="Flowers",
        about="Photographs of five kinds of flowers, about 320x240 in colour.",
        classes=("daisy", "dandelion", "roses", "sunflowers", "tulips"),
        images=3_670,
        licence="CC BY 2.0; the photographers are named in LICENSE.txt in the archive.",
        files=(
            RemoteFile(
                "https://storage.googleapis.com/download.tensorflow.org/example_images/"
                "flower_photos.tgz",
                228_813_984,
                "sha256:4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
                "TensorFlow Datasets (tf_flowers/checksums.tsv)",
            ),
        ),
        build=conversions.unpack_archive,
        result="flower_photos",
    ),
}


def fetch(
    name: str,
    workspace: Workspace,
    progress: Progress = silent,
    *,
    base_url: str | None = None,
    catalogue: Mapping[str, Entry] = CATALOGUE,
) -> Path:
    """Brings a data set of the catalogue into the workspace, once.

    Files gather in `data/<name>/download/` and continue after an interruption. What is built from
    them appears whole as `data/<name>/source/`; then the downloads are removed.

    Args:
        name: a key of the catalogue.
        workspace: where data/ lies.
        progress: told of each download, check, and of the conversion.
        base_url: a mirror to take the files from, by their own names; sizes and hashes are
            checked just the same.
        catalogue: the data sets to choose from.

    Returns:
        The npz file, or the folder of class folders.

    Raises:
        UserError: no such data set, or whatever kept it from arriving.
    """
    if name not in catalogue:
        raise UserError(
            f"There is no data set '{safe_text(name)}' in the catalogue.",
            f"Choose {one_of(sorted(catalogue))}.",
        )
    entry = catalogue[name]
    home = workspace.data / name
    source = home / "source"
    result = source / entry.result
    if source.exists():
        return _finished(result, source)
    downloads = home / "download"
    with disk_faults(home, "Finished downloads are kept."):
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / ".fetch.lock", f"fetching {name}"):
            if source.exists():  # finished by another process just before
                return _finished(result, source)
            files = [
                download(
                    f"{base_url.rstrip('/')}/{file.name}" if base_url else file.url,
                    downloads / file.name,
                    size=file.size,
                    digest=file.digest,
                    progress=progress,
                )
                for file in entry.files
            ]
            with new_folder(source) as folder:
                entry.build(files, folder, progress)
            if files:
                shutil.rmtree(downloads)
    return _finished(result, source)


def _finished(result: Path, source: Path) -> Path:
    if not result.exists():
        raise UserError(
            f"{safe_text(source, 2000)} is there, but {safe_text(result.name)} in it is missing.",
            f"Remove {safe_text(source, 2000)} and give the command again: it is fetched anew.",
        )
    return result
