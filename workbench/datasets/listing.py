"""Looks through folders: what is an image, what is passed over. Follows links without looping."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.datasets.heif import how_to_read
from workbench.datasets.images import IMAGE_ENDINGS
from workbench.datasets.names import examples, ignored
from workbench.datasets.source import Doubt
from workbench.errors import UserError
from workbench.progress import Progress, silent
from workbench.text import plural, safe_text

NOT_READ = "not-read"  # the code of a doubt
_ENDINGS = tuple(IMAGE_ENDINGS)
# Of images that are not read here, or not everywhere.
_OTHER_IMAGES = frozenset(
    [
        ".heic",
        ".heif",
        ".hif",
        ".avif",
        ".jxl",
        ".jp2",
        ".j2k",
        ".jpx",
        ".svg",
        ".psd",
        ".xcf",
        ".tga",
        ".ico",
        ".exr",
        ".hdr",
        ".eps",
        ".raw",
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".orf",
        ".rw2",
        ".raf",
        ".dcm",
        ".nii",
    ]
)
_LONGEST_ENDING = 12  # characters, its dot among them; "v1.final version" has none
_KINDS_TOLD = 5
_TELL_EVERY = 1000  # files between two words of progress


@dataclass
class Passed:
    """What was passed over, and how much was seen; told as notes at the end."""

    progress: Progress = silent
    seen: int = 0
    others: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    def tell(self) -> None:
        """Counts a file."""
        self.seen += 1
        if self.seen % _TELL_EVERY == 0:
            self.progress("look through the folder", self.seen, 0)

    def as_notes(self) -> tuple[str, ...]:
        """Sentences about everything that is no image of the data set."""
        notes = list(self.notes)
        if self.others and not other_images(self.others):
            notes.append(f"Not read: {kinds_of(self.others)}.")
        if self.unreadable:
            count = plural(len(self.unreadable), "folder")
            notes.append(f"{count} could not be read: {examples(sorted(self.unreadable))}.")
        return tuple(notes)

    def as_doubts(self) -> tuple[Doubt, ...]:
        """What a person should look at; files that are images of another kind among them."""
        if not other_images(self.others):
            return tuple(self.doubts)
        unread = Doubt(NOT_READ, f"Not read: {kinds_of(self.others)}.", tuple(sorted(self.others)))
        return (*self.doubts, unread)


def kind_of(path: str) -> str:
    """The ending of a file's name in small letters, with its dot; "" where it has none."""
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122 - of many files
    usual = 1 < len(ending) <= _LONGEST_ENDING and not any(c.isspace() for c in ending)
    return ending if usual else ""


def kinds_of(paths: Sequence[str]) -> str:
    """How many files of each kind there are, with examples, and what makes them readable.

    5 .heic files, 2 files without an ending (a.heic, b.heic, c.heic and 4 more). To read ...
    """
    kinds: dict[str, int] = defaultdict(int)
    for path in paths:
        kinds[kind_of(path)] += 1
    often = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
    parts = [
        plural(kinds[kind], f"{safe_text(kind)} file")
        if kind
        else plural(kinds[kind], "file without an ending", "files without an ending")
        for kind in often[:_KINDS_TOLD]
    ]
    if rest := sum(kinds[kind] for kind in often[_KINDS_TOLD:]):
        parts.append(plural(rest, "file of other kinds", "files of other kinds"))
    hints = dict.fromkeys(hint for kind in often if (hint := how_to_read(kind)))
    return ". ".join([f"{', '.join(parts)} ({examples(sorted(paths))})", *hints])


def other_images(paths: Iterable[str]) -> list[str]:
    """Those of a kind of image that is not read here."""
    return [path for path in paths if kind_of(path) in _OTHER_IMAGES]


@dataclass(frozen=True)
class Folder:
    """The visible entries of a folder, names sorted. `prefix` leads here from the root."""

    path: Path
    prefix: str
    folders: tuple[str, ...]
    images: tuple[str, ...]
    others: tuple[str, ...]

    def below(self, name: str) -> str:
        """The path of an entry from the root, with /."""
        return f"{self.prefix}{name}"


def list_folder(path: Path, prefix: str = "") -> Folder:
    """What lies in one folder.

    Args:
        prefix: "" for the root, else the way from there to `path`, ending with /.

    Raises:
        UserError: it cannot be read.
    """
    folders, images, others = [], [], []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if ignored(entry.name):
                    continue
                if _is_folder(entry):
                    folders.append(entry.name)
                elif is_image(entry.name):
                    images.append(entry.name)
                else:
                    others.append(entry.name)
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(f"The folder {safe_text(path)} cannot be read: {reason}.") from error
    return Folder(path, prefix, *(tuple(sorted(names)) for names in (folders, images, others)))


def is_image(name: str) -> bool:
    """True where the ending of a file's name is one of an image."""
    return name.lower().endswith(_ENDINGS)


def images_below(folder: Path, prefix: str, passed: Passed) -> Iterator[str]:
    """The paths of all images in a folder and below it, in the same order everywhere.

    A folder that is reached twice by links counts once, and one that lies above not at all.

    Args:
        prefix: what comes before each path: the way from the root to `folder`, ending with /.
        passed: told what is no image.
    """
    visited = {_identity(parent) for parent in folder.absolute().parents}
    ahead = [(str(folder), prefix)]
    while ahead:
        path, prefix = ahead.pop()
        try:
            identity = _identity(path)
            if identity in visited:
                continue
            visited.add(identity)
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError:
            passed.unreadable.append(prefix.rstrip("/"))
            continue
        folders = []
        for entry in entries:
            if ignored(entry.name):
                continue
            if _is_folder(entry):
                folders.append((entry.path, f"{prefix}{entry.name}/"))
                continue
            passed.tell()
            if is_image(entry.name):
                yield f"{prefix}{entry.name}"
            else:
                passed.others.append(f"{prefix}{entry.name}")
        ahead += reversed(folders)


def holds_images(folder: Path) -> bool:
    """True where an image lies in the folder or below it; stops at the first."""
    return next(images_below(folder, "", Passed()), None) is not None


def others_below(folder: Path, prefix: str = "") -> list[str]:
    """The paths of all files in a folder and below it that are no images, hidden ones aside."""
    passed = Passed()
    for _ in images_below(folder, prefix, passed):
        pass
    return passed.others


def _identity(path: str | Path) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a folder that may not be entered, or one that leads in circles
        return False
