"""The files of a base's weights: locations, downloads and verification.

A file is searched where Keras itself keeps it, so that both share one copy. Existing files are
never changed or removed.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.downloads.download import download
from workbench.errors import UserError
from workbench.files import nonblocking_opener
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.progress import Progress, silent
from workbench.text import format_shape, safe_text

IMAGENET = "imagenet"
RANDOM = "random"

_SERVER = "https://storage.googleapis.com/tensorflow/keras-applications"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_OTHER_HOME = tr("set KERAS_HOME to a folder elsewhere")
_OWN_FILE = tr(
    "Or give another file: --weights FILE; in the app the option "
    "base.weights, under Experiments the key w."
)


@dataclass(frozen=True)
class WeightsFile:
    """A published file.

    Attributes:
        base: Name of the base.
        name: File name.
        url: Where it is published.
        size: Bytes, or None where none were published.
        digest: "md5:<hex>" as published, or None.
        source: Of size and digest.
        image_size: Side in pixels of the images it was trained with.
    """

    base: str
    name: str
    url: str
    size: int | None
    digest: str | None
    source: str
    image_size: int = 224


@dataclass(frozen=True)
class FoundWeights:
    """An existing file.

    Attributes:
        path: Of the file.
        notes: Sentences about it for people.
    """

    path: Path
    notes: tuple[str, ...] = ()


def _vgg(name: str, size: int, md5: str) -> WeightsFile:
    file = f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    source = f"md5: keras.applications.{name}; size: what Keras prints when it downloads the file"
    return WeightsFile(name, file, f"{_SERVER}/{name}/{file}", size, f"md5:{md5}", source)


_VGG = {
    "vgg16": _vgg("vgg16", 58_889_256, "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": _vgg("vgg19", 80_134_624, "253f8cb515780f3b799900260a226db6"),
}

_MOBILENET_ALPHAS = {"mobilenetv2-0.35": "0.35", "mobilenetv2-1.0": "1.0"}
_MOBILENET_SIDES = (96, 128, 160, 192, 224)
# What Keras prints when it downloads them; it publishes no hash. Other sizes are not known.
_MOBILENET_BYTES = {("1.0", side): 9_406_464 for side in (128, 160, 224)}


def weights_file(base: str, image_size: tuple[int, int]) -> WeightsFile:
    """Return the file that Keras uses for a base: MobileNetV2 has one for five square sizes.

    Args:
        base: A key of `BASES`.
        image_size: (height, width); all other sizes use the file for 224 x 224.
    """
    if base in _VGG:
        return _VGG[base]
    alpha = _MOBILENET_ALPHAS[base]
    height, width = image_size
    side = height if height == width and height in _MOBILENET_SIDES else 224
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{side}_no_top.h5"
    size = _MOBILENET_BYTES.get((alpha, side))
    source = "size: what Keras prints when it downloads the file" if size else "nothing published"
    return WeightsFile(base, name, f"{_SERVER}/mobilenet_v2/{name}", size, None, source, side)


def find_weights(
    base: str,
    image_size: tuple[int, int],
    given: str | Path = IMAGENET,
    progress: Progress = silent,
    *,
    base_url: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> FoundWeights | None:
    """Find or download the weights of a base; never fall back to random ones.

    "imagenet" is searched in $KERAS_HOME/models, then in ~/.keras/models. Where the file for this
    image size is in neither, an existing one for 224 x 224 is used, with a note, since these
    weights fit any size. Else the file is downloaded to the first writable one of the two folders.

    Args:
        base: A key of `BASES`.
        image_size: (height, width).
        given: "imagenet", "random", or the path of a file.
        progress: Reports "download NAME" and "check NAME", in bytes.
        base_url: A mirror: the address of a folder with the file.
        environment: For KERAS_HOME and HOME.

    Returns:
        The file, or None for "random".

    Raises:
        UserError: The given file is missing or not a weights file; the published one cannot be
            downloaded (the message shows its location and how to get it there); or an existing
            file has another size or hash, and is left as it is.
    """
    if given == RANDOM:
        return None
    if given != IMAGENET:
        return FoundWeights(check_weights_file(parse_path(given)))
    exact = weights_file(base, image_size)
    folders = weights_folders(environment)
    for file in dict.fromkeys((exact, weights_file(base, (224, 224)))):
        for folder in folders:
            path = folder / file.name
            if os.path.exists(path):  # noqa: PTH110 - never raises
                _check_present(file, path, progress)
                return FoundWeights(
                    path, (*_replacement_notes(exact, file), *_unverified_notes(file))
                )
    path = _writable(folders, exact) / exact.name
    _fetch(exact, path, base_url, progress)
    return FoundWeights(
        path, (f"Downloaded to {safe_text(path, 2000)}.", *_unverified_notes(exact))
    )


def check_weights_file(path: Path) -> Path:
    """Return `path` if it is a readable HDF5 file; its content is checked when it is loaded.

    Raises:
        UserError: It does not exist, cannot be read, or is another kind of file.
    """
    shown = safe_text(path, 2000)
    try:
        with open(path, "rb", opener=nonblocking_opener) as file:
            start = file.read(len(_HDF5))
    except OSError as error:
        raise UserError(
            tr(
                "The weights file {shown} cannot be read: {error_strerror}.",
                shown=shown,
                error_strerror=safe_text(error.strerror),
            ),
            tr("What can be given: imagenet, random, or the path of a file."),
        ) from None
    if start != _HDF5:
        raise UserError(
            tr("{shown} is not a weights file: Keras writes them in HDF5.", shown=shown),
            tr("Give a file that ends in .h5, as Keras publishes and saves them."),
        )
    return path


def parse_weights(given: str) -> str:
    """Return a user's choice in the form of a spec: a file by its absolute path.

    Raises:
        UserError: It is not a file of weights.
    """
    if given in (IMAGENET, RANDOM):
        return given
    return str(check_weights_file(parse_path(given).absolute()))


def fingerprint(path: Path) -> str:
    """Return 32 hexadecimal digits of the content (BLAKE2b), whatever the file's name.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def weights_folders(environment: Mapping[str, str]) -> list[Path]:
    """Return the folders where Keras keeps weights, most specific first."""
    homes = []
    if given := environment.get("KERAS_HOME"):
        homes.append(parse_path(given))
    if home := environment.get("HOME"):
        homes.append(Path(home) / ".keras")
    return list(dict.fromkeys(home / "models" for home in homes))


def _writable(folders: list[Path], file: WeightsFile) -> Path:
    for folder in folders:
        existing = folder
        while not os.path.exists(existing):  # noqa: PTH110 - never raises
            existing = existing.parent
        if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
            return folder
    tried = " nor ".join(safe_text(folder, 2000) for folder in folders)
    raise UserError(
        tr("{file_name} is to be downloaded, but ", file_name=file.name)
        + (
            tr("{tried} cannot be written.", tried=tried)
            if tried
            else tr("neither HOME nor KERAS_HOME is set.")
        ),
        tr("To continue, {other_home}. {own_file}", other_home=_OTHER_HOME, own_file=_OWN_FILE),
    )


def _check_present(file: WeightsFile, path: Path, progress: Progress) -> None:
    check_weights_file(path)
    download(file.url, path, size=file.size, digest=file.digest, progress=progress)


def _fetch(file: WeightsFile, path: Path, base_url: str | None, progress: Progress) -> None:
    url = f"{base_url.rstrip('/')}/{file.name}" if base_url else file.url
    try:
        download(
            url, path, size=file.size, digest=file.digest, progress=progress, elsewhere=_OTHER_HOME
        )
    except UserError as error:
        error.hint = f"{error.hint}\n{_OWN_FILE}".strip()
        raise
    try:
        check_weights_file(path)
    except UserError:
        path.unlink()  # just downloaded, perhaps from a login page; nothing else verifies it
        raise


def _replacement_notes(exact: WeightsFile, used: WeightsFile) -> tuple[str, ...]:
    if used == exact:
        return ()
    wanted, have = (format_shape((file.image_size,) * 2) for file in (exact, used))
    return (
        f"The weights trained on {wanted} images are not here, so those trained on {have} images "
        "are used; they fit any size.",
    )


def _unverified_notes(file: WeightsFile) -> tuple[str, ...]:
    if file.digest:
        return ()
    checked = "only its size was checked" if file.size else "nor a size, so it is unverified"
    return (f"No hash is published for {file.name}, {checked}.",)
