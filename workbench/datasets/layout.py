"""Recognises how a person has laid out images and labels, without being told."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from workbench.datasets.csv_source import has_known_columns, read_csv_source
from workbench.datasets.inner_folders import (
    LAYOUT,
    class_first,
    common_splits,
    doubt_same_inside,
    note_merged,
    splits_in_names,
)
from workbench.datasets.listing import (
    NOT_READ,
    Folder,
    Passed,
    holds_images,
    images_below,
    is_image,
    kind_of,
    kinds_of,
    list_folder,
    other_images,
    others_below,
)
from workbench.datasets.names import (
    examples,
    flat_label,
    look,
    look_alikes,
    plain_label,
    split_name,
)
from workbench.datasets.npz_source import read_npz_source
from workbench.datasets.refusals import (
    ACCEPTED,
    ALONE,
    no_labels,
    nothing_fits,
    one_class,
    refuse_foreign_parts,
    similar,
    single_folder,
)
from workbench.datasets.source import Doubt, Item, Source
from workbench.errors import UserError
from workbench.paths import given_path
from workbench.progress import Progress, silent
from workbench.text import plural, safe_text

__all__ = ["Item", "Source", "recognise"]

LABELS = "labels"  # the code of a doubt


def recognise(source: str | Path, progress: Progress = silent) -> Source:
    """Finds the images, their labels and the splits that a person made.

    Args:
        source: a folder, a CSV file or an npz file.
        progress: told "look through the folder" with the number of files seen.

    Raises:
        UserError: nothing is there, nothing fits, there is only one class, or a table of labels
            has a fault.
    """
    path = Path(os.path.normpath(given_path(source).absolute()))
    passed = Passed(progress)
    try:
        there = path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be entered
        reason = safe_text(error.strerror or error)
        raise UserError(f"{safe_text(path)} cannot be read: {reason}.") from error
    if not there:
        raise UserError(f"There is no file or folder {safe_text(path)}.")
    found = _folder(path, passed) if path.is_dir() else _file(path, passed)
    items = _without_half_a_split(found.items, passed)
    found = replace(found, path=path, items=tuple(sorted(items)), notes=passed.as_notes())
    if groups := look_alikes(found.labels):
        passed.doubts.append(Doubt(LABELS, similar(groups)))
    found = replace(found, doubts=passed.as_doubts())
    if len(found.labels) < 2:
        raise one_class(found)
    return found


def _file(path: Path, passed: Passed) -> Source:
    if not path.is_file():
        raise UserError(f"{safe_text(path)} is no regular file and no folder.", ACCEPTED)
    ending = path.suffix.lower()
    if ending == ".csv":
        return read_csv_source(path, passed)
    if ending == ".npz":
        return read_npz_source(path, passed)
    what = "is a single image" if is_image(path.name) else "is no CSV and no npz file"
    raise UserError(f"{safe_text(path)} {what}, so it gives no images with labels.", ACCEPTED)


def _folder(path: Path, passed: Passed) -> Source:
    here = list_folder(path)
    filled = [name for name in here.folders if holds_images(path / name)]
    table = _only_table(here)
    parts = _split_parts(here, filled)
    if parts and not (table and not _training_labels(here, parts)):
        return _split_folders(here, parts, filled, passed)
    if len(filled) >= 2 and not parts:
        return _class_folders(here, filled, passed)
    if table:
        return read_csv_source(table, passed)
    if labels := _flat_labels(here.images):
        return _flat_names(here, labels, passed)
    if here.images:
        raise no_labels(here)
    archives = [name for name in here.others if name.lower().endswith(".npz")]
    if len(archives) == 1 and not filled:
        return _file(path / archives[0], passed)
    real = [name for name in here.folders if not (path / name).is_symlink()]
    inner = filled or ([] if here.others else real)
    if len(inner) == 1:
        if filled:
            _pass_over(here, set(inner), passed)
        return _inside(path / inner[0], bool(filled), passed)
    raise nothing_fits(here)


def _inside(folder: Path, filled: bool, passed: Passed) -> Source:
    """What a folder is that holds nothing but one other."""
    inner = list_folder(folder)
    if filled and inner.images and not _flat_labels(inner.images) and not _only_table(inner):
        raise single_folder(folder, len(inner.images), passed)
    return _folder(folder, passed)


def _without_half_a_split(items: tuple[Item, ...], passed: Passed) -> tuple[Item, ...]:
    """A training part alone is no split: Kaggle's test images, for one, have no labels."""
    if {item.split for item in items} != {"train"}:
        return items
    passed.notes.append("Only the training part has labels; it is split like any other images.")
    return tuple(replace(item, split=None) for item in items)


# Folders of classes and of splits


def _class_folders(here: Folder, filled: list[str], passed: Passed) -> Source:
    items = _in_classes(here, filled, passed)
    _pass_over(here, set(filled), passed)
    if here.images:
        passed.notes.append(
            f"{plural(len(here.images), 'image')} beside the class folders passed over: "
            f"{examples(here.images)}."
        )
    if named := splits_in_names(filled):  # cat_train, cat_test, dog_train, ...
        split_of = {plain_label(name): part for name, part in named.items()}
        items = [Item(i.path, split_of[i.label][1], split_of[i.label][0]) for i in items]
        return Source(here.path, "split folders", tuple(items))
    if parts := class_first(items, passed):
        known = {item.label for item in parts if item.split == "train"}
        return Source(here.path, "split folders", tuple(_known_labels(parts, known, passed)))
    doubt_same_inside(items, passed)
    return Source(here.path, "class folders", tuple(items))


def _in_classes(folder: Folder, filled: list[str], passed: Passed) -> list[Item]:
    """The images of class folders, each with the name of its folder as the label."""
    note_merged(filled, passed)
    return [
        Item(image, plain_label(name))
        for name in filled
        for image in images_below(folder.path / name, f"{folder.below(name)}/", passed)
    ]


def _split_parts(here: Folder, filled: list[str]) -> dict[str, str]:
    """From folder to split where the folders are splits; empty where they are not.

    A class may be called "train" too, beside "bus": then it holds no labels of its own.
    """
    parts = {name: split for name in filled if (split := split_name(name))}
    sure = "train" in parts.values()
    if not sure:
        parts = common_splits(filled)
    clear = sure and len(parts) == len(filled)
    return parts if parts and (clear or len(_training_labels(here, parts)) > 1) else {}


def _training_labels(here: Folder, parts: dict[str, str]) -> set[str]:
    training = [name for name, split in parts.items() if split == "train"]
    found = [_labelled_part(list_folder(here.path / name), Passed()) for name in training]
    return {item.label for part in found if part for item in part[1]}


def _split_folders(
    here: Folder, parts: dict[str, str], filled: list[str], passed: Passed
) -> Source:
    items: list[Item] = []
    named: dict[str, list[Item]] = {}
    for name, split in parts.items():
        found = _labelled_part(list_folder(here.path / name, f"{name}/"), passed)
        if found is None:
            count = sum(1 for _ in images_below(here.path / name, f"{name}/", Passed()))
            passed.notes.append(
                f"{safe_text(name)} holds {plural(count, 'image')} without labels; left out."
            )
            continue
        by_folder, part = found
        labelled = [replace(item, split=split) for item in part]
        items += labelled
        if by_folder and split != "train":
            named[name] = labelled
    _pass_over(here, set(parts), passed)
    for name in sorted(set(filled) - set(parts)):
        count = sum(1 for _ in images_below(here.path / name, f"{name}/", passed))
        passed.notes.append(
            f"The folder {safe_text(name)} is none of the splits; "
            f"{plural(count, 'image')} left out."
        )
    if here.images:
        passed.notes.append(
            f"{plural(len(here.images), 'image')} beside the splits passed over: "
            f"{examples(here.images)}."
        )
    known = {item.label for item in items if item.split == "train"}
    if not known:
        raise UserError(
            f"The training part of {safe_text(here.path)} has no labels.",
            f"Inside a split, images lie in class folders or are named cat.0.jpg.\n{ACCEPTED}",
        )
    refuse_foreign_parts(named, known)
    return Source(here.path, "split folders", tuple(_known_labels(items, known, passed)))


def _labelled_part(folder: Folder, passed: Passed) -> tuple[bool, list[Item]] | None:
    """The images of one split, without the split; None where they have no labels.

    Returns:
        Whether folders gave the labels, and the images.
    """
    filled = [name for name in folder.folders if holds_images(folder.path / name)]
    _pass_over(folder, set(filled), passed)
    if len(filled) == 1 and not folder.images:
        inner = list_folder(folder.path / filled[0], f"{folder.below(filled[0])}/")
        wrapped = [name for name in inner.folders if holds_images(inner.path / name)]
        flat = len(set(_flat_labels(inner.images).values())) > 1
        if (wrapped and not inner.images) or flat or split_name(filled[0]):
            return _labelled_part(inner, passed)
    if filled:
        if folder.images:
            passed.notes.append(
                f"{plural(len(folder.images), 'image')} beside the class folders of "
                f"{safe_text(folder.prefix.rstrip('/'))} passed over: {examples(folder.images)}."
            )
        items = _in_classes(folder, filled, passed)
        doubt_same_inside(items, passed, above=folder.prefix.count("/"))
        return True, items
    labels = _flat_labels(folder.images)
    if not labels:
        return None
    _note_unnamed(folder, labels, passed)
    return False, [Item(folder.below(image), label) for image, label in labels.items()]


def _known_labels(items: list[Item], known: set[str], passed: Passed) -> Iterator[Item]:
    """Leaves out what a network cannot learn: labels that training images never have."""
    foreign: dict[tuple[str, str], int] = {}
    for item in items:
        if item.label in known:
            yield item
        else:
            key = (item.split or "", item.label)
            foreign[key] = foreign.get(key, 0) + 1
    looks = {look(label): label for label in known}
    for (split, label), count in sorted(foreign.items()):
        told = (
            f"{plural(count, f'{split} image')} of {safe_text(label)} left out: "
            "no training image has this label."
        )
        if other := looks.get(look(label)):
            told += f" {safe_text(other)} differs from it in {ALONE}; give both one name."
            passed.doubts.append(Doubt(LABELS, told))
        else:
            passed.notes.append(told)


# Labels in file names


def _flat_labels(images: tuple[str, ...]) -> dict[str, str]:
    """From image to label for names such as cat.0.jpg; empty where names are not of this kind.

    They are where most names fit and labels recur: holiday-1.jpg, birthday-7.jpg are no classes.
    """
    labels = {image: label for image in images if (label := flat_label(Path(image).stem))}
    count = len(set(labels.values()))
    fits = len(labels) * 2 > len(images) and count <= max(2, len(labels) // 2)
    return labels if fits else {}


def _flat_names(here: Folder, labels: dict[str, str], passed: Passed) -> Source:
    _note_unnamed(here, labels, passed)
    _pass_over(here, set(), passed)
    if all(split_name(label) for label in labels.values()):  # train_1.jpg, test_1.jpg
        told = f"The labels, {examples(sorted(set(labels.values())))}, are names of splits; if so, "
        passed.doubts.append(Doubt(LAYOUT, f"{told}nothing tells the classes of the images."))
    if named := splits_in_names(set(labels.values())):  # train_cat.0.jpg, test_cat.7.jpg, ...
        items = [Item(image, named[label][1], named[label][0]) for image, label in labels.items()]
        return Source(here.path, "flat names", tuple(items))
    return Source(here.path, "flat names", tuple(Item(*pair) for pair in labels.items()))


def _note_unnamed(folder: Folder, labels: dict[str, str], passed: Passed) -> None:
    unnamed = [folder.below(image) for image in folder.images if image not in labels]
    if unnamed:
        passed.notes.append(
            f"{plural(len(unnamed), 'image')} without a label in the name passed over: "
            f"{examples(unnamed)}."
        )


# Tables, and what is left


def _only_table(here: Folder) -> Path | None:
    """The CSV of a folder, if it has exactly one, with the columns that are needed."""
    tables = [here.path / name for name in here.others if name.lower().endswith(".csv")]
    return tables[0] if len(tables) == 1 and has_known_columns(tables[0]) else None


def _pass_over(here: Folder, used: set[str], passed: Passed) -> None:
    """Tells of files beside the images, and of folders without any that can be read."""
    passed.others += [here.below(name) for name in here.others]
    empty = []
    for name in here.folders:
        if name in used or holds_images(here.path / name):
            continue
        others = others_below(here.path / name, f"{here.below(name)}/")
        passed.others += others
        if other_images(others) or any(not kind_of(path) for path in others):
            told = f"{safe_text(here.below(name))} holds no image that can be read, so it is no "
            told += f"class: {kinds_of(others)}."
            passed.doubts.append(Doubt(NOT_READ, told, tuple(others)))
        else:
            empty.append(here.below(name))
    if empty:
        passed.notes.append(f"Without images, so passed over: {examples(empty)}.")
