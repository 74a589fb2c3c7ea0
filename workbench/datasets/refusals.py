"""Sentences about folders that were not understood, or are likely to be misunderstood."""

from collections.abc import Iterable
from pathlib import Path

from workbench.datasets.listing import Folder, Passed, kinds_of, other_images, others_below
from workbench.datasets.names import examples
from workbench.datasets.source import Doubt, Item, Source
from workbench.errors import UserError
from workbench.text import plural, safe_text

ACCEPTED = """\
The workbench reads
  class folders     DIR/cats/*.jpg, DIR/dogs/*.jpg
  split folders     DIR/train/cats/*.jpg, DIR/test/...; also DIR/cats/train/*.jpg, ...
  flat names        DIR/cat.0.jpg, DIR/dog.0.jpg, also inside train/validation/test folders
  a CSV file        with the columns path, label and, if wanted, split
  a .npz file       with x_train, y_train, x_test, y_test, as mnist.npz has"""
ALONE = "case, blanks, hyphens or the form of its characters alone"


def similar(groups: list[tuple[str, ...]]) -> str:
    """What is told of labels that look the same."""
    first = "; ".join(" and ".join(safe_text(label, 60) for label in g) for g in groups[:3])
    more = f"; and {len(groups) - 3:,} more" if len(groups) > 3 else ""
    return (
        f"Labels that differ in {ALONE} are trained as different classes: {first}{more}. "
        "If they mean the same, give them one name."
    )


def single_folder(folder: Path, images: int, passed: Passed) -> UserError:
    """Only one class folder holds images that can be read."""
    return UserError(
        f"Only one class was found in {safe_text(folder.parent)}: {safe_text(folder.name)}, with "
        f"{plural(images, 'image')}. A classifier needs at least "
        f"two.{_on_lines(passed.as_doubts())}",
        ACCEPTED,
    )


def one_class(found: Source) -> UserError:
    """All images have the same label."""
    names = ", ".join(safe_text(label) for label in found.labels) or "none"
    return UserError(
        f"{safe_text(found.path)} was read as {found.kind} and has only one class: {names} "
        f"({plural(len(found.items), 'image')}). A classifier needs at least "
        f"two.{_on_lines(found.doubts)}",
        ACCEPTED,
    )


def no_labels(here: Folder) -> UserError:
    """Neither folders nor names tell labels."""
    return UserError(
        f"{safe_text(here.path)} holds {plural(len(here.images), 'image')} "
        f"({examples(here.images)}), but nothing tells their labels.",
        ACCEPTED,
    )


def nothing_fits(here: Folder) -> UserError:
    """A folder without images."""
    found = [
        plural(len(here.folders), "folder") + f" ({examples(here.folders)})"
        if here.folders
        else "",
        plural(len(here.others), "other file") + f" ({examples(here.others)})"
        if here.others
        else "",
    ]
    contents = " and ".join(part for part in found if part)
    what = f"holds {contents}, but no images" if contents else "is empty"
    if others := other_images(others_below(here.path)):
        what += f" that can be read: {kinds_of(others)}"
    return UserError(f"The folder {safe_text(here.path)} {what}.", ACCEPTED)


def refuse_foreign_parts(named: dict[str, list[Item]], known: set[str]) -> None:
    """Raises UserError where a part has no label of the training part.

    Args:
        named: images by the name of their part's folder.
        known: the training labels.
    """
    for name, items in named.items():
        labels = {item.label for item in items}
        if not labels & known:
            raise UserError(
                f"No class folder in {safe_text(name)} ({examples(sorted(labels))}) has the name "
                f"of one in the training part ({examples(sorted(known))}).",
                "Give the class folders the same names in all parts.",
            )


def _on_lines(doubts: Iterable[Doubt]) -> str:
    """What may be the reason why there is nothing to tell apart."""
    return "".join(f"\n{doubt.message}" for doubt in doubts)
