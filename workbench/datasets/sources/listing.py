"""List folders: images, the files that are skipped, and why a folder is refused.

Links are followed without looping.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.datasets.image_files import IMAGE_EXTENSIONS, how_to_read
from workbench.datasets.names import format_examples, is_ignored
from workbench.datasets.sources.source import NOT_READ, Item, SourceWarning
from workbench.datasets.sources.walk import Walk
from workbench.errors import UserError
from workbench.messages import tr
from workbench.progress import Progress, silent
from workbench.text import plural, safe_text
from workbench.words import reason_of

ACCEPTED = tr(
    "The workbench reads\n"
    "  class folders     DIR/cats/*.jpg, DIR/dogs/*.jpg\n"
    "  split folders     DIR/train/cats/*.jpg, DIR/test/...; also "
    "DIR/cats/train/*.jpg, ...\n"
    "  flat names        DIR/cat.0.jpg, DIR/dog.0.jpg, also inside "
    "train/validation/test folders\n"
    "  a CSV file        with the columns path, label and, if wanted, "
    "split and group\n"
    "  a .npz file       with x_train, y_train, x_test, y_test, as "
    "mnist.npz has"
)
ONLY_SPELLING = tr("only in case, blanks, hyphens or the encoding of its characters")
_EXTENSIONS = tuple(IMAGE_EXTENSIONS)
# Of images that are not read here, or not everywhere.
_OTHER_IMAGES = re.compile(
    r"\.(heic|heif|hif|avif|jxl|jp2|j2k|jpx|svg|psd|xcf|tga|ico|exr|hdr|eps"
    r"|raw|dng|cr2|cr3|nef|arw|orf|rw2|raf|dcm|nii)"
)
_MAX_EXTENSION = 12  # characters with the dot; "v1.final version" has none
_MAX_KINDS = 5  # listed one by one
_PROGRESS_EVERY = 1000  # files


@dataclass
class SkippedFiles:
    """Files that were skipped, and how many were seen; becomes notes and warnings.

    Attributes:
        progress: Called from time to time with the number of files seen.
        walk: Through the source's folders.
        seen: That number.
        others: Paths of files that are not images.
        unreadable: Paths of folders that could not be read.
        notes: Sentences about skipped files.
        warnings: What should be checked before training.
    """

    progress: Progress = silent
    walk: Walk = field(default_factory=Walk)
    seen: int = 0
    others: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[SourceWarning] = field(default_factory=list)

    def count(self) -> None:
        """Count a file."""
        self.seen += 1
        if self.seen % _PROGRESS_EVERY == 0:
            self.progress(tr("look through the folder"), self.seen, 0)

    def all_notes(self) -> tuple[str, ...]:
        """Return sentences about everything that is not an image of the data set."""
        notes = list(self.notes)
        if self.others and not other_images(self.others):
            notes.append(tr("Not read: {kinds}.", kinds=format_kinds(self.others)))
        if self.unreadable:
            count = plural(len(self.unreadable), "folder")
            notes.append(
                tr(
                    "{count} could not be read: {examples}.",
                    count=count,
                    examples=format_examples(sorted(self.unreadable)),
                )
            )
        return tuple(notes)

    def all_warnings(self) -> tuple[SourceWarning, ...]:
        """Return the warnings, with one about files that are images of unreadable kinds."""
        if not other_images(self.others):
            return tuple(self.warnings)
        unread = SourceWarning(
            NOT_READ,
            tr("Not read: {kinds}.", kinds=format_kinds(self.others)),
            tuple(sorted(self.others)),
        )
        return (*self.warnings, unread)


def file_kind(path: str) -> str:
    """Return the extension of a file's name in lower case, with its dot; "" for none."""
    extension = os.path.splitext(path)[1].lower()  # noqa: PTH122 - of many files
    usual = 1 < len(extension) <= _MAX_EXTENSION and not any(c.isspace() for c in extension)
    return extension if usual else ""


def format_kinds(paths: Sequence[str]) -> str:
    """Return how many files of each kind there are, with examples and how to read them.

    5 .heic files, 2 files without an extension (a.heic, b.heic, c.heic and 4 more). `pip ...
    """
    kinds: dict[str, int] = defaultdict(int)
    for path in paths:
        kinds[file_kind(path)] += 1
    often = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
    parts = [
        _count_kind(kinds[kind], kind)
        if kind
        else plural(kinds[kind], "file without an extension", "files without an extension")
        for kind in often[:_MAX_KINDS]
    ]
    if rest := sum(kinds[kind] for kind in often[_MAX_KINDS:]):
        parts.append(plural(rest, "file of other kinds", "files of other kinds"))
    hints = dict.fromkeys(hint for kind in often if (hint := how_to_read(kind)))
    return ". ".join([f"{', '.join(parts)} ({format_examples(sorted(paths))})", *hints])


def _count_kind(count: int, kind: str) -> str:
    """Return 1 .heic file, 5 .heic files."""
    kind = safe_text(kind)
    if count == 1:
        return tr("1 {kind} file", kind=kind)
    return tr("{count:,} {kind} files", count=count, kind=kind)


def other_images(paths: Iterable[str]) -> list[str]:
    """Return those of a kind of image that is not read here."""
    return [path for path in paths if _OTHER_IMAGES.fullmatch(file_kind(path))]


@dataclass(frozen=True)
class Folder:
    """The visible entries of a folder, names sorted.

    Attributes:
        path: The folder.
        prefix: The way here from the root, "" or ending with /.
        folders: Names of folders.
        images: Names of images.
        others: Names of other files.
    """

    path: Path
    prefix: str
    folders: tuple[str, ...]
    images: tuple[str, ...]
    others: tuple[str, ...]

    def below(self, name: str) -> str:
        """Return the path of an entry from the root, with /."""
        return f"{self.prefix}{name}"


def list_folder(path: Path, walk: Walk, prefix: str = "") -> Folder:
    """List one folder.

    Args:
        path: The folder.
        walk: That it is part of.
        prefix: "" for the root, else the way from there to `path`, ending with /.

    Raises:
        UserError: It cannot be read.
    """
    folders: list[str] = []
    images: list[str] = []
    others: list[str] = []
    try:
        entries = walk.entries(path)
    except OSError as error:
        reason = safe_text(reason_of(error))
        raise UserError(
            tr("The folder {path} cannot be read: {reason}.", path=safe_text(path), reason=reason)
        ) from error
    for name, is_folder in entries:
        if not is_ignored(name):
            (folders if is_folder else images if is_image(name) else others).append(name)
    return Folder(path, prefix, tuple(folders), tuple(images), tuple(others))


def is_image(name: str) -> bool:
    """Return whether a file's name has the extension of an image."""
    return name.lower().endswith(_EXTENSIONS)


def images_below(folder: Path, prefix: str, skipped: SkippedFiles) -> Iterator[str]:
    """Yield the paths of all images in a folder and below it, in a deterministic order.

    A folder that is reached twice by links counts once, and one above `folder` not at all.

    Args:
        folder: Where to start.
        prefix: Comes before each path: the way from the root to `folder`, ending with /.
        skipped: Collects what is not an image.
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
            entries = skipped.walk.entries(path)
        except OSError:
            skipped.walk.whole = False
            skipped.unreadable.append(prefix.rstrip("/"))
            continue
        folders = []
        for name, is_folder in entries:
            if is_ignored(name):
                continue
            if is_folder:
                folders.append((f"{path}/{name}", f"{prefix}{name}/"))
                continue
            skipped.count()
            if is_image(name):
                yield f"{prefix}{name}"
            else:
                skipped.others.append(f"{prefix}{name}")
        ahead += reversed(folders)


def holds_images(folder: Path, walk: Walk) -> bool:
    """Return whether there is an image in the folder or below it; stops at the first."""
    return next(images_below(folder, "", SkippedFiles(walk=walk)), None) is not None


def others_below(folder: Path, walk: Walk, prefix: str = "") -> list[str]:
    """Return the paths of all visible files in a folder and below it that are not images."""
    skipped = SkippedFiles(walk=walk)
    for _ in images_below(folder, prefix, skipped):
        pass
    return skipped.others


def _identity(path: str | Path) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_dev, status.st_ino


def not_regular(path: Path) -> UserError:
    """Return the error for a pipe, a device or a socket."""
    return UserError(
        tr("{path} is neither a regular file nor a folder.", path=safe_text(path)), ACCEPTED
    )


def single_folder(folder: Path, images: int, skipped: SkippedFiles) -> UserError:
    """Return the error for a single class folder with readable images."""
    return UserError(
        tr(
            "Only one class was found in {parent}: {folder_name}, with "
            "{images}. A classifier needs at least two.{on_lines}",
            parent=safe_text(folder.parent),
            folder_name=safe_text(folder.name),
            images=plural(images, "image"),
            on_lines=on_lines(skipped.all_warnings()),
        ),
        ACCEPTED,
    )


def no_labels(here: Folder) -> UserError:
    """Return the error for images without labels in folders or names."""
    return UserError(
        tr(
            "{here_path} holds {images} ({examples}), but their labels are unknown.",
            here_path=safe_text(here.path),
            images=plural(len(here.images), "image"),
            examples=format_examples(here.images),
        ),
        ACCEPTED,
    )


def nothing_fits(here: Folder, walk: Walk) -> UserError:
    """Return the error for a folder without images."""
    found = [
        plural(len(here.folders), "folder") + f" ({format_examples(here.folders)})"
        if here.folders
        else "",
        plural(len(here.others), "other file") + f" ({format_examples(here.others)})"
        if here.others
        else "",
    ]
    contents = tr(" and ").join(part for part in found if part)
    what = tr("holds {contents}, but no images", contents=contents) if contents else tr("is empty")
    if others := other_images(others_below(here.path, walk)):
        what += " " + tr("that can be read: {others}", others=format_kinds(others))
    return UserError(
        tr("The folder {here_path} {what}.", here_path=safe_text(here.path), what=what), ACCEPTED
    )


def refuse_foreign_parts(named: dict[str, list[Item]], known: set[str]) -> None:
    """Refuse a part that has no label of the training part.

    Args:
        named: Images by the name of their part's folder.
        known: The training labels.

    Raises:
        UserError: A part has none.
    """
    for name, items in named.items():
        labels = {item.label for item in items}
        if not labels & known:
            raise UserError(
                tr(
                    "No class folder in {name} ({examples}) has the name of one in the "
                    "training part ({other_examples}).",
                    name=safe_text(name),
                    examples=format_examples(sorted(labels)),
                    other_examples=format_examples(sorted(known)),
                ),
                tr("Give the class folders the same names in all parts."),
            )


def on_lines(warnings: Iterable[SourceWarning]) -> str:
    """Return the messages, each on a line of its own."""
    return "".join(f"\n{warning.message}" for warning in warnings)
