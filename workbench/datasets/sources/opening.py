"""Open a data source: find out how images and labels are laid out."""

import os
from dataclasses import replace
from pathlib import Path

from workbench.datasets.image_files import IMAGE_EXTENSIONS
from workbench.datasets.names import similar_labels
from workbench.datasets.sources.csv_table import read_csv_table
from workbench.datasets.sources.folders import read_folder
from workbench.datasets.sources.listing import (
    ACCEPTED,
    ONLY_SPELLING,
    SkippedFiles,
    images_below,
    is_image,
    not_regular,
    on_lines,
)
from workbench.datasets.sources.npz import NpzImages, read_npz
from workbench.datasets.sources.source import (
    LABELS,
    UNLABELLED,
    FileImages,
    Item,
    Source,
    SourceImages,
    SourceWarning,
)
from workbench.datasets.sources.walk import is_unchanged
from workbench.errors import UserError
from workbench.files import cannot_read
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.progress import Progress, silent
from workbench.text import plural, safe_text

_last: dict[Path, Source] = {}  # the source that was opened last, by its path


def open_source(source: str | Path, progress: Progress = silent) -> Source:
    """Find the images, their labels and their split, whatever the layout.

    What was opened last is not listed again, unless it has changed.

    Args:
        source: A folder, a CSV file or an npz file.
        progress: Reports "look through the folder" with the number of files seen.

    Raises:
        UserError: The path does not exist, no layout fits, there is only one class, or a table of
            labels has a fault.
    """
    path = source_path(source)
    last = _last.get(path)
    if last and is_unchanged(last.evidence):
        return last
    _last.clear()
    found = _read_source(path, SkippedFiles(progress))
    if found.evidence:
        _last[path] = found
    return found


def open_unlabelled(folder: str | Path, progress: Progress = silent) -> Source:
    """Find the images in a folder and below it, whatever they show.

    Each is an item of the test part, with the label UNLABELLED.

    Args:
        folder: As given by the user.
        progress: As `open_source`.

    Raises:
        UserError: There is no such folder, or no image in it.
    """
    path = folder_path(folder)
    skipped = SkippedFiles(progress)
    items = [Item(image, UNLABELLED, "test") for image in images_below(path, "", skipped)]
    notes = (*skipped.all_notes(), *(warning.message for warning in skipped.all_warnings()))
    if not items:
        message = tr("There is no image in {path}.", path=safe_text(path))
        extensions = ", ".join(sorted(IMAGE_EXTENSIONS))
        raise UserError(
            "\n".join((message, *notes)),
            tr("Image files end in {extensions}.", extensions=extensions),
        )
    return Source(path, UNLABELLED, tuple(sorted(items)), notes, path)


def folder_path(folder: str | Path) -> Path:
    """Return the absolute path of a folder.

    Raises:
        UserError: There is no such folder.
    """
    path = source_path(folder)
    if not os.path.isdir(path):  # noqa: PTH112 - never raises
        raise UserError(
            tr("There is no folder {path}.", path=safe_text(path)),
            tr("Name a folder of images without labels; folders in it are looked through too."),
        )
    return path


def source_path(source: str | Path) -> Path:
    """Return the absolute path of a source."""
    return Path(os.path.normpath(parse_path(source).absolute()))


def forget_source() -> None:
    """Let go of the source that was opened last: a large one needs much memory."""
    _last.clear()


def _read_source(path: Path, skipped: SkippedFiles) -> Source:
    try:
        exists = path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise cannot_read(path, error) from error
    if not exists:
        raise UserError(tr("There is no file or folder {path}.", path=safe_text(path)))
    found = read_folder(path, skipped) if path.is_dir() else _read_file(path, skipped)
    items = _drop_incomplete_split(found.items, skipped)
    found = replace(found, path=path, items=tuple(sorted(items)), notes=skipped.all_notes())
    if groups := similar_labels(found.labels):
        skipped.warnings.append(SourceWarning(LABELS, _similar(groups)))
    evidence = skipped.walk.evidence()
    found = replace(found, warnings=skipped.all_warnings(), evidence=evidence)
    if len(found.labels) < 2:
        raise _one_class(found)
    return found


def open_images(root: Path) -> SourceImages:
    """Return access to the images of a source.

    Args:
        root: Of the source: a folder, or an npz file.

    Raises:
        UserError: The npz file is damaged.
    """
    return NpzImages(root) if root.suffix.lower() == ".npz" and root.is_file() else FileImages(root)


def _read_file(path: Path, skipped: SkippedFiles) -> Source:
    if not path.is_file():
        raise not_regular(path)
    skipped.walk.note(path)
    if path.suffix.lower() == ".csv":
        return read_csv_table(path, skipped)
    if path.suffix.lower() == ".npz":
        return read_npz(path, skipped)
    what = (
        tr("is a single image") if is_image(path.name) else tr("is neither a CSV nor an npz file")
    )
    raise UserError(
        tr("{path} {what}, so it gives no images with labels.", path=safe_text(path), what=what),
        ACCEPTED,
    )


def _drop_incomplete_split(items: tuple[Item, ...], skipped: SkippedFiles) -> tuple[Item, ...]:
    """Remove a split that consists only of a training part, as many Kaggle sets have it."""
    if {item.split for item in items} != {"train"}:
        return items
    skipped.notes.append(
        tr("Only the training part has labels; it is split like any other images.")
    )
    return tuple(replace(item, split=None) for item in items)


def _similar(groups: list[tuple[str, ...]]) -> str:
    """Return the warning about labels that look the same."""
    first = "; ".join(tr(" and ").join(safe_text(label, 60) for label in g) for g in groups[:3])
    more = f"; and {len(groups) - 3:,} more" if len(groups) > 3 else ""
    return tr(
        "Labels that differ {only_spelling} are trained as different "
        "classes: {first}{more}. If they mean the same, give them one name.",
        only_spelling=ONLY_SPELLING,
        first=first,
        more=more,
    )


def _one_class(found: Source) -> UserError:
    """Return the error for images that all have the same label."""
    names = ", ".join(safe_text(label) for label in found.labels) or "none"
    return UserError(
        tr(
            "{found_path} was read as {kind} and has only one class: {names} "
            "({images}). A classifier needs at least two.{on_lines}",
            found_path=safe_text(found.path),
            kind=found.kind,
            names=names,
            images=plural(len(found.items), "image"),
            on_lines=on_lines(found.warnings),
        ),
        ACCEPTED,
    )
