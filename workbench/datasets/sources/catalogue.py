"""The catalogue: well-known image data sets that the workbench can download."""

import difflib
import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workbench.datasets.sources import conversions
from workbench.downloads.disk import atomic_folder, disk_errors, locked
from workbench.downloads.download import download
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.text import format_choices, safe_text

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_MOST_NAMES, _SUGGESTIONS = 10_000, 3  # of a folder, to look for those that were meant


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web.

    Attributes:
        url: Its address.
        size: Bytes.
        digest: "sha256:<hex>" or "md5:<hex>"; None where none was published.
        source: The publisher of the digest, for people.
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
        """How the file is verified, as text."""
        if self.digest is None:
            return tr("size only: no hash was published, so the content is unverified")
        return tr(
            "{partition} as published by {source}",
            partition=self.digest.partition(":")[0],
            source=self.source,
        )


@dataclass(frozen=True)
class CatalogueEntry:
    """A data set of the catalogue.

    Attributes:
        title: Its name for people.
        about: A sentence about it.
        classes: The names of the classes.
        images: How many, all splits together.
        licence: Its licence or terms, as far as its publishers state them.
        files: To download; none for data that comes with an installed library.
        build: Fills an empty folder from the downloaded files.
        result: The data source in that folder; "." is the folder itself.
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


def _fashion(name: str, size: int, md5: str) -> RemoteFile:
    """Return a file of Fashion-MNIST: Keras's copies have the sizes of the authors' own files."""
    publisher = tr(
        "its authors ({place})", place="github.com/zalandoresearch/fashion-mnist, README"
    )
    return RemoteFile(f"{_KERAS}/{name}-ubyte.gz", size, f"md5:{md5}", publisher)


CATALOGUE: Mapping[str, CatalogueEntry] = {
    "digits": CatalogueEntry(
        title=tr("Handwritten digits (scikit-learn)"),
        about=tr("Small handwritten digits that come with scikit-learn, enlarged to 28x28 grey."),
        classes=_DIGIT_NAMES,
        images=conversions.DIGITS,
        licence=tr("CC BY 4.0: E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998."),
        files=(),
        build=conversions.write_digits,
        result=".",
    ),
    "mnist": CatalogueEntry(
        title="MNIST",
        about=tr("Handwritten digits, 28x28 grey: 60,000 to train on and 10,000 to test on."),
        classes=_DIGIT_NAMES,
        images=70_000,
        licence=tr("CC BY-SA 3.0, copyright Y. LeCun and C. Cortes (as Keras states)."),
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
    "fashion-mnist": CatalogueEntry(
        title="Fashion-MNIST",
        about=tr("Photographs of clothing, 28x28 grey, as many as MNIST has and harder."),
        classes=conversions.FASHION_CLASSES,
        images=70_000,
        licence=tr("MIT, copyright Zalando SE, 2017."),
        files=(
            _fashion("train-images-idx3", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            _fashion("train-labels-idx1", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            _fashion("t10k-images-idx3", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            _fashion("t10k-labels-idx1", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        build=conversions.convert_fashion,
        result="fashion-mnist.npz",
    ),
    "cifar-10": CatalogueEntry(
        title="CIFAR-10",
        about=tr("Tiny photographs, 32x32 in colour: 50,000 to train on and 10,000 to test on."),
        classes=conversions.CIFAR_CLASSES,
        images=60_000,
        licence=tr("None stated; its authors ask to cite A. Krizhevsky, 2009 (technical report)."),
        files=(
            RemoteFile(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                170_052_171,
                "md5:c32a1d4ab5d03f1284b67883e8d87530",
                tr("its authors ({place})", place="www.cs.toronto.edu/~kriz/cifar.html"),
            ),
        ),
        build=conversions.convert_cifar,
        result="cifar-10.npz",
    ),
    "cats-vs-dogs": CatalogueEntry(
        title=tr("Cats vs dogs"),
        about=tr("Photographs of cats and dogs in many sizes; a few of its files are damaged."),
        classes=("Cat", "Dog"),
        images=25_000,
        licence=tr("Microsoft Research's licence for Asirra (in the archive): research only."),
        files=(
            RemoteFile(
                "https://download.microsoft.com/download/3/E/1/"
                "3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
                824_887_076,
                "sha256:b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
                tr(
                    "the GoMLX project ({place}); Microsoft gives none",
                    place="gomlx/gomlx, examples/dogsvscats",
                ),
            ),
        ),
        build=conversions.unpack_archive,
        result="PetImages",
    ),
    "flowers": CatalogueEntry(
        title="Flowers",
        about=tr("Photographs of five kinds of flowers, about 320x240 in colour."),
        classes=("daisy", "dandelion", "roses", "sunflowers", "tulips"),
        images=3_670,
        licence=tr("CC BY 2.0; the photographers are named in LICENSE.txt in the archive."),
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


def bytes_to_fetch(name: str, workspace: Workspace) -> int:
    """Return how many bytes a data set's download has; 0 if it is on this disk."""
    if (workspace.data / name / "source").exists():
        return 0
    return CATALOGUE[name].download_size


def fetch(
    name: str,
    workspace: Workspace,
    progress: Progress = silent,
    *,
    base_url: str | None = None,
    catalogue: Mapping[str, CatalogueEntry] = CATALOGUE,
) -> Path:
    """Download a data set of the catalogue into the workspace, once.

    Files are collected in `data/<name>/download/` and resume after an interruption. The converted
    data appears whole as `data/<name>/source/`; then the downloads are removed.

    Args:
        name: A key of the catalogue.
        workspace: Where data/ is.
        progress: Reports each download, check, and the conversion.
        base_url: A mirror with the same file names; sizes and hashes are verified all the same.
        catalogue: The data sets to choose from.

    Returns:
        The npz file, or the folder of class folders.

    Raises:
        UserError: There is no such data set, or the download or conversion failed.
    """
    if name not in catalogue:
        raise UserError(
            tr("There is no data set '{name}' in the catalogue.", name=safe_text(name)),
            tr("Choose {catalogue}.", catalogue=format_choices(sorted(catalogue))),
        )
    entry = catalogue[name]
    home = workspace.data / name
    source = home / "source"
    result = source / entry.result
    if source.exists():
        return _finished(result, source)
    downloads = home / "download"
    with disk_errors(home, tr("Finished downloads are kept.")):
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / ".fetch.lock", tr("fetching {name}", name=name)):
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
            with atomic_folder(source) as folder:
                entry.build(files, folder, progress)
            if files:
                shutil.rmtree(downloads)
    return _finished(result, source)


def suggest_source(path: Path, given: str) -> str:
    """Return "Did you mean ...?" with what is beside a missing path, or is in the catalogue.

    Args:
        path: that is missing.
        given: the path as it was typed.
    """
    names = {name: name for name in CATALOGUE} if given == path.name else {}
    typed = given.rstrip("/")
    before = typed.removesuffix(path.name) if typed.endswith(path.name) else f"{path.parent}/"
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in itertools.islice(entries, _MOST_NAMES):
            is_file = entry.name.lower().endswith((".csv", ".npz"))
            if is_file or (entry.is_dir() and not entry.name.startswith(".")):
                names[entry.name] = f"{before}{entry.name}"
    close = difflib.get_close_matches(path.name, names, _SUGGESTIONS, cutoff=0.6)
    shown = ", ".join(safe_text(names[name], 200) for name in close)
    return tr("Did you mean {map}?", map=shown) if close else ""


def _finished(result: Path, source: Path) -> Path:
    if not result.exists():
        raise UserError(
            tr(
                "{source} exists, but {result_name} in it is missing.",
                source=safe_text(source, 2000),
                result_name=safe_text(result.name),
            ),
            tr(
                "Remove {source} and repeat the command to download it again.",
                source=safe_text(source, 2000),
            ),
        )
    return result
