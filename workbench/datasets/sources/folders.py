"""Find the layout of a folder of images: class folders, split folders, labels in file names."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from workbench.datasets.names import (
    format_examples,
    label_from_name,
    label_key,
    normalize_label,
    split_name,
)
from workbench.datasets.sources.csv_table import has_known_columns, read_csv_table
from workbench.datasets.sources.listing import (
    ACCEPTED,
    ONLY_SPELLING,
    Folder,
    SkippedFiles,
    file_kind,
    format_kinds,
    holds_images,
    images_below,
    list_folder,
    no_labels,
    not_regular,
    nothing_fits,
    other_images,
    others_below,
    refuse_foreign_parts,
    single_folder,
)
from workbench.datasets.sources.nested_folders import (
    common_splits,
    note_merged,
    splits_in_classes,
    splits_in_names,
    warn_same_subfolders,
)
from workbench.datasets.sources.npz import read_npz
from workbench.datasets.sources.source import (
    LABELS,
    LAYOUT,
    NOT_READ,
    Item,
    Source,
    SourceWarning,
)
from workbench.datasets.sources.walk import Walk
from workbench.errors import UserError
from workbench.experiment.facts import count_images
from workbench.messages import tr
from workbench.text import plural, safe_text


def read_folder(path: Path, skipped: SkippedFiles) -> Source:
    """Return the images of a folder in any of the known layouts.

    Raises:
        UserError: No layout fits, or a table of labels has a fault.
    """
    here = list_folder(path, skipped.walk)
    filled = [name for name in here.folders if holds_images(path / name, skipped.walk)]
    table = _only_table(here, skipped.walk)
    parts = _split_parts(here, filled, skipped.walk)
    if parts and not (table and not _training_labels(here, parts, skipped.walk)):
        return _split_folders(here, parts, filled, skipped)
    if len(filled) >= 2 and not parts:
        return _class_folders(here, filled, skipped)
    if table:
        return read_csv_table(table, skipped)
    if labels := _labels_in_names(here.images):
        return _flat_names(here, labels, skipped)
    if here.images:
        raise no_labels(here)
    archives = [path / name for name in here.others if name.lower().endswith(".npz")]
    if len(archives) == 1 and not filled:
        if not archives[0].is_file():
            raise not_regular(archives[0])
        skipped.walk.note(archives[0])
        return read_npz(archives[0], skipped)
    real = [name for name in here.folders if not (path / name).is_symlink()]
    inner = filled or ([] if here.others else real)
    if len(inner) != 1:
        raise nothing_fits(here, skipped.walk)
    if filled:
        _skip_others(here, set(inner), skipped)
    return _read_only_folder(path / inner[0], bool(filled), skipped)


def _read_only_folder(folder: Path, filled: bool, skipped: SkippedFiles) -> Source:
    """Return the images of a folder that is the only one in its parent."""
    inner = list_folder(folder, skipped.walk)
    labelled = _labels_in_names(inner.images) or _only_table(inner, skipped.walk)
    if filled and inner.images and not labelled:
        raise single_folder(folder, len(inner.images), skipped)
    return read_folder(folder, skipped)


# Folders of classes and of splits


def _class_folders(here: Folder, filled: list[str], skipped: SkippedFiles) -> Source:
    items = _in_classes(here, filled, skipped)
    _skip_others(here, set(filled), skipped)
    if here.images:
        skipped.notes.append(
            tr(
                "{images} beside the class folders skipped: {examples}.",
                images=plural(len(here.images), "image"),
                examples=format_examples(here.images),
            )
        )
    if named := splits_in_names(filled):  # cat_train, cat_test, dog_train, ...
        split_of = {normalize_label(name): part for name, part in named.items()}
        items = [Item(i.path, split_of[i.label][1], split_of[i.label][0]) for i in items]
        return Source(here.path, "split folders", tuple(items))
    if parts := splits_in_classes(items, skipped):
        known = {item.label for item in parts if item.split == "train"}
        return Source(here.path, "split folders", tuple(_known_labels(parts, known, skipped)))
    warn_same_subfolders(items, skipped)
    return Source(here.path, "class folders", tuple(items))


def _in_classes(folder: Folder, filled: list[str], skipped: SkippedFiles) -> list[Item]:
    """Return the images of class folders, labelled with the name of their folder."""
    note_merged(filled, skipped)
    return [
        Item(image, normalize_label(name))
        for name in filled
        for image in images_below(folder.path / name, f"{folder.below(name)}/", skipped)
    ]


def _split_parts(here: Folder, filled: list[str], walk: Walk) -> dict[str, str]:
    """Return the split of each folder where the folders are splits, else {}.

    A class may be called "train" too, beside "bus": then it holds no labels of its own.
    """
    parts = {name: split for name in filled if (split := split_name(name))}
    certain = "train" in parts.values()
    if not certain:
        parts = common_splits(filled)
    clear = certain and len(parts) == len(filled)
    return parts if parts and (clear or len(_training_labels(here, parts, walk)) > 1) else {}


def _training_labels(here: Folder, parts: dict[str, str], walk: Walk) -> set[str]:
    training = [name for name, split in parts.items() if split == "train"]
    uncounted = SkippedFiles(walk=walk)
    found = [_labelled_part(list_folder(here.path / name, walk), uncounted) for name in training]
    return {item.label for part in found if part for item in part[1]}


def _split_folders(
    here: Folder, parts: dict[str, str], filled: list[str], skipped: SkippedFiles
) -> Source:
    items: list[Item] = []
    named: dict[str, list[Item]] = {}
    for name, split in parts.items():
        found = _labelled_part(list_folder(here.path / name, skipped.walk, f"{name}/"), skipped)
        if found is None:
            uncounted = SkippedFiles(walk=skipped.walk)
            count = sum(1 for _ in images_below(here.path / name, f"{name}/", uncounted))
            skipped.notes.append(
                tr(
                    "{name} holds {images} without labels; left out.",
                    name=safe_text(name),
                    images=plural(count, "image"),
                )
            )
            continue
        by_folder, part = found
        labelled = [replace(item, split=split) for item in part]
        items += labelled
        if by_folder and split != "train":
            named[name] = labelled
    _skip_others(here, set(parts), skipped)
    for name in sorted(set(filled) - set(parts)):
        count = sum(1 for _ in images_below(here.path / name, f"{name}/", skipped))
        skipped.notes.append(
            tr(
                "The folder {name} is none of the splits; {images} left out.",
                name=safe_text(name),
                images=plural(count, "image"),
            )
        )
    if here.images:
        skipped.notes.append(
            tr(
                "{images} beside the splits skipped: {examples}.",
                images=plural(len(here.images), "image"),
                examples=format_examples(here.images),
            )
        )
    known = {item.label for item in items if item.split == "train"}
    if not known:
        raise UserError(
            tr("The training part of {here_path} has no labels.", here_path=safe_text(here.path)),
            tr(
                "Inside a split, images lie in class folders or are named cat.0.jpg.\n{accepted}",
                accepted=ACCEPTED,
            ),
        )
    refuse_foreign_parts(named, known)
    return Source(here.path, "split folders", tuple(_known_labels(items, known, skipped)))


def _labelled_part(folder: Folder, skipped: SkippedFiles) -> tuple[bool, list[Item]] | None:
    """Return the images of one split, without the split; None where they have no labels.

    Returns:
        Whether the labels are names of folders, and the images.
    """
    filled = [name for name in folder.folders if holds_images(folder.path / name, skipped.walk)]
    _skip_others(folder, set(filled), skipped)
    if len(filled) == 1 and not folder.images:
        walk = skipped.walk
        inner = list_folder(folder.path / filled[0], walk, f"{folder.below(filled[0])}/")
        wrapped = [name for name in inner.folders if holds_images(inner.path / name, walk)]
        flat = len(set(_labels_in_names(inner.images).values())) > 1
        if (wrapped and not inner.images) or flat or split_name(filled[0]):
            return _labelled_part(inner, skipped)
    if filled:
        if folder.images:
            skipped.notes.append(
                tr(
                    "{images} beside the class folders of {prefix} skipped: {examples}.",
                    images=plural(len(folder.images), "image"),
                    prefix=safe_text(folder.prefix.rstrip("/")),
                    examples=format_examples(folder.images),
                )
            )
        items = _in_classes(folder, filled, skipped)
        warn_same_subfolders(items, skipped, above=folder.prefix.count("/"))
        return True, items
    labels = _labels_in_names(folder.images)
    if not labels:
        return None
    _note_unnamed(folder, labels, skipped)
    return False, [Item(folder.below(image), label) for image, label in labels.items()]


def _known_labels(items: list[Item], known: set[str], skipped: SkippedFiles) -> Iterator[Item]:
    """Leave out labels that training images never have: a network cannot learn them."""
    foreign: dict[tuple[str, str], int] = {}
    for item in items:
        if item.label in known:
            yield item
        else:
            key = (item.split or "", item.label)
            foreign[key] = foreign.get(key, 0) + 1
    by_key = {label_key(label): label for label in known}
    for (split, label), count in sorted(foreign.items()):
        message = tr(
            "{images} of {label} left out: no training image has this label.",
            images=count_images(count, split) if split else plural(count, "image"),
            label=safe_text(label),
        )
        if other := by_key.get(label_key(label)):
            message += " " + tr(
                "{other} differs from it {only_spelling}; give both one name.",
                other=safe_text(other),
                only_spelling=ONLY_SPELLING,
            )
            skipped.warnings.append(SourceWarning(LABELS, message))
        else:
            skipped.notes.append(message)


# Labels in file names


def _labels_in_names(images: tuple[str, ...]) -> dict[str, str]:
    """Return the label of each image for names such as cat.0.jpg; {} for other names.

    Most names have to fit and labels to recur: holiday-1.jpg, birthday-7.jpg are not classes.
    """
    labels = {image: label for image in images if (label := label_from_name(Path(image).stem))}
    count = len(set(labels.values()))
    fits = len(labels) * 2 > len(images) and count <= max(2, len(labels) // 2)
    return labels if fits else {}


def _flat_names(here: Folder, labels: dict[str, str], skipped: SkippedFiles) -> Source:
    _note_unnamed(here, labels, skipped)
    _skip_others(here, set(), skipped)
    if all(split_name(label) for label in labels.values()):  # train_1.jpg, test_1.jpg
        found = format_examples(sorted(set(labels.values())))
        message = tr(
            "The labels, {found}, are names of splits; if so, the classes are unknown.", found=found
        )
        skipped.warnings.append(SourceWarning(LAYOUT, message))
    if named := splits_in_names(set(labels.values())):  # train_cat.0.jpg, test_cat.7.jpg, ...
        items = [Item(image, named[label][1], named[label][0]) for image, label in labels.items()]
        return Source(here.path, "flat names", tuple(items))
    return Source(here.path, "flat names", tuple(Item(*pair) for pair in labels.items()))


def _note_unnamed(folder: Folder, labels: dict[str, str], skipped: SkippedFiles) -> None:
    unnamed = [folder.below(image) for image in folder.images if image not in labels]
    if unnamed:
        skipped.notes.append(
            tr(
                "{images} without a label in the name skipped: {examples}.",
                images=plural(len(unnamed), "image"),
                examples=format_examples(unnamed),
            )
        )


# Tables, and what is left


def _only_table(here: Folder, walk: Walk) -> Path | None:
    """Return the CSV of a folder, if it has exactly one, with the necessary columns."""
    tables = [here.path / name for name in here.others if name.lower().endswith(".csv")]
    if len(tables) != 1:
        return None
    walk.note(tables[0])
    return tables[0] if has_known_columns(tables[0]) else None


def _skip_others(here: Folder, used: set[str], skipped: SkippedFiles) -> None:
    """Record files beside the images, and folders without readable images."""
    skipped.others += [here.below(name) for name in here.others]
    empty = []
    for name in here.folders:
        if name in used or holds_images(here.path / name, skipped.walk):
            continue
        others = others_below(here.path / name, skipped.walk, f"{here.below(name)}/")
        skipped.others += others
        if other_images(others) or any(not file_kind(path) for path in others):
            message = tr(
                "{below} holds no image that can be read, so it is not a class: {others}.",
                below=safe_text(here.below(name)),
                others=format_kinds(others),
            )
            skipped.warnings.append(SourceWarning(NOT_READ, message, tuple(others)))
        else:
            empty.append(here.below(name))
    if empty:
        skipped.notes.append(
            tr("Skipped, without images: {examples}.", examples=format_examples(empty))
        )
