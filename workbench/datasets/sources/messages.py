"""Messages about sources that are refused, or likely to be misread."""

from collections.abc import Iterable
from pathlib import Path

from workbench.datasets.names import format_examples
from workbench.datasets.sources.listing import (
    Folder,
    SkippedFiles,
    format_kinds,
    other_images,
    others_below,
)
from workbench.datasets.sources.source import Item, Source, SourceWarning
from workbench.errors import UserError
from workbench.text import plural, safe_text

ACCEPTED = """\
The workbench reads
  class folders     DIR/cats/*.jpg, DIR/dogs/*.jpg
  split folders     DIR/train/cats/*.jpg, DIR/test/...; also DIR/cats/train/*.jpg, ...
  flat names        DIR/cat.0.jpg, DIR/dog.0.jpg, also inside train/validation/test folders
  a CSV file        with the columns path, label and, if wanted, split
  a .npz file       with x_train, y_train, x_test, y_test, as mnist.npz has"""
ONLY_SPELLING = "only in case, blanks, hyphens or the encoding of its characters"


def similar(groups: list[tuple[str, ...]]) -> str:
    """Return the warning about labels that look the same."""
    first = "; ".join(" and ".join(safe_text(label, 60) for label in g) for g in groups[:3])
    more = f"; and {len(groups) - 3:,} more" if len(groups) > 3 else ""
    return (
        f"Labels that differ {ONLY_SPELLING} are trained as different classes: {first}{more}. "
        "If they mean the same, give them one name."
    )


def not_regular(path: Path) -> UserError:
    """Return the error for a pipe, a device or a socket."""
    return UserError(f"{safe_text(path)} is no regular file and no folder.", ACCEPTED)


def single_folder(folder: Path, images: int, skipped: SkippedFiles) -> UserError:
    """Return the error for a single class folder with readable images."""
    return UserError(
        f"Only one class was found in {safe_text(folder.parent)}: {safe_text(folder.name)}, with "
        f"{plural(images, 'image')}. A classifier needs at least "
        f"two.{_on_lines(skipped.all_warnings())}",
        ACCEPTED,
    )


def one_class(found: Source) -> UserError:
    """Return the error for images that all have the same label."""
    names = ", ".join(safe_text(label) for label in found.labels) or "none"
    return UserError(
        f"{safe_text(found.path)} was read as {found.kind} and has only one class: {names} "
        f"({plural(len(found.items), 'image')}). A classifier needs at least "
        f"two.{_on_lines(found.warnings)}",
        ACCEPTED,
    )


def no_labels(here: Folder) -> UserError:
    """Return the error for images without labels in folders or names."""
    return UserError(
        f"{safe_text(here.path)} holds {plural(len(here.images), 'image')} "
        f"({format_examples(here.images)}), but their labels are unknown.",
        ACCEPTED,
    )


def nothing_fits(here: Folder) -> UserError:
    """Return the error for a folder without images."""
    found = [
        plural(len(here.folders), "folder") + f" ({format_examples(here.folders)})"
        if here.folders
        else "",
        plural(len(here.others), "other file") + f" ({format_examples(here.others)})"
        if here.others
        else "",
    ]
    contents = " and ".join(part for part in found if part)
    what = f"holds {contents}, but no images" if contents else "is empty"
    if others := other_images(others_below(here.path)):
        what += f" that can be read: {format_kinds(others)}"
    return UserError(f"The folder {safe_text(here.path)} {what}.", ACCEPTED)


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
                f"No class folder in {safe_text(name)} ({format_examples(sorted(labels))}) has the "
                f"name of one in the training part ({format_examples(sorted(known))}).",
                "Give the class folders the same names in all parts.",
            )


def _on_lines(warnings: Iterable[SourceWarning]) -> str:
    """Return the messages, each on a line of its own."""
    return "".join(f"\n{warning.message}" for warning in warnings)
