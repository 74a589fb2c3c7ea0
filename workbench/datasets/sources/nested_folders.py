"""Interpret folders inside class folders: splits, or an ambiguous layout.

Only the paths of the images are used. `above` is the number of path parts before the name of the
class folder.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from workbench.datasets.names import format_examples, normalize_label, split_affix, split_name
from workbench.datasets.sources.listing import SkippedFiles
from workbench.datasets.sources.source import LAYOUT, Item, SourceWarning
from workbench.messages import tr
from workbench.text import plural, safe_text

_BESIDE = ""  # in place of a sub-folder's name: images in no sub-folder

Inside = dict[str, dict[str, list[Item]]]  # class folder -> sub-folder -> its images


def splits_in_classes(items: Sequence[Item], skipped: SkippedFiles) -> list[Item] | None:
    """Return the images of cat/train, cat/test, dog/train, ... with their splits.

    None where most class folders do not hold a training part and another one. Images in none of
    the parts are left out, with a note.
    """
    if not _deep(items):
        return None
    inside = _inside(items)
    splits = {name: {sub: split_name(sub) for sub in subs} for name, subs in inside.items()}
    whole = [
        name
        for name, found in splits.items()
        if "train" in found.values() and {*found.values()} & {"validation", "test"}
    ]
    if len(whole) < 2 or 2 * len(whole) <= len(inside):
        return None
    kept = []
    for name, subs in inside.items():
        outside = sum(len(images) for sub, images in subs.items() if not splits[name][sub])
        if not any(splits[name].values()):
            skipped.warnings.append(
                SourceWarning(
                    LAYOUT,
                    tr(
                        "{name} has no train, validation or test folder as the other "
                        "classes have; {images} left out.",
                        name=safe_text(name),
                        images=plural(outside, "image"),
                    ),
                )
            )
        elif outside:
            skipped.notes.append(
                tr(
                    "{images} of {name} outside its train, validation and test folders left out.",
                    images=plural(outside, "image"),
                    name=safe_text(name),
                )
            )
        for sub, images in subs.items():
            if split := splits[name][sub]:
                kept += [replace(item, split=split) for item in images]
    return kept


def warn_same_subfolders(items: Sequence[Item], skipped: SkippedFiles, above: int = 0) -> None:
    """Warn where class folders hold sub-folders of the same names: these may be the classes.

    A single folder around all images of a class does not count.
    """
    if not _deep(items, above):
        return
    shared = _shared(_inside(items, above, through=False)) or _shared(_inside(items, above))
    if not shared:
        return
    upper = sorted({name for names in shared.values() for name in names})
    skipped.warnings.append(
        SourceWarning(
            LAYOUT,
            tr(
                "{class_folders} ({examples}) hold folders of the same names "
                "({other_examples}), and all images in them get the class of the upper "
                "folder. If the upper ones are parts of a split, call them train, "
                "validation and test; if the lower ones are, give each class folder "
                "those three.",
                class_folders=plural(len(upper), "class folder"),
                examples=format_examples(upper),
                other_examples=format_examples(sorted(shared)),
            ),
        )
    )


def _shared(inside: Inside) -> dict[str, list[str]]:
    """Return the class folders by the name of a sub-folder that several hold."""
    folders: dict[str, list[str]] = defaultdict(list)
    for name, subs in inside.items():
        for sub in {normalize_label(sub).casefold() for sub in subs if sub != _BESIDE}:
            folders[sub].append(name)
    several = {name for name, subs in inside.items() if len(subs) > 1}
    return {sub: names for sub, names in folders.items() if len(names) > 1 and {*names} & several}


def splits_in_names(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return split and label by name for cat_train, cat_test, dog_train, ...; {} for other names.

    All names have to be of this kind, each label needs a training part, and one another part.
    """
    found = {name: split_affix(name) for name in names}
    parts = {name: part for name, part in found.items() if part}
    splits: dict[str, set[str]] = defaultdict(set)
    for split, label in parts.values():
        splits[normalize_label(label)].add(split)
    clear = (
        len(parts) == len(found)
        and len(splits) > 1
        and all("train" in some for some in splits.values())
        and any(len(some) > 1 for some in splits.values())
    )
    return (
        {n: (split, normalize_label(label)) for n, (split, label) in parts.items()} if clear else {}
    )


def common_splits(names: Iterable[str]) -> dict[str, str]:
    """Return the split by name for seg_train, seg_test, ..., where all parts share a word."""
    by_rest: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        if part := split_affix(name):
            by_rest[normalize_label(part[1]).casefold()][name] = part[0]
    whole = [p for p in by_rest.values() if "train" in p.values() and len({*p.values()}) > 1]
    return whole[0] if len(whole) == 1 else {}


def note_merged(names: Iterable[str], skipped: SkippedFiles) -> None:
    """Note folders that are one class, as their names differ only in blanks or composition."""
    labels = [*map(normalize_label, names)]
    merged = [label for label, count in Counter(labels).items() if count > 1]
    if merged:
        skipped.notes.append(
            tr(
                "Folders whose names differ only in blanks at the ends or in how "
                "accents are stored are one class: {examples}.",
                examples=format_examples(merged),
            )
        )


def _deep(items: Sequence[Item], above: int = 0) -> bool:
    """Return whether a class folder holds folders; most often it does not."""
    return any(item.path.count("/") > above + 1 for item in items)


def _inside(items: Iterable[Item], above: int = 0, through: bool = True) -> Inside:
    """Return the images of class folders by sub-folder.

    Args:
        items: The images.
        above: See the module.
        through: True to descend once into a single sub-folder without images beside it, unless
            it is a split.
    """
    by_folder: dict[str, list[tuple[tuple[str, ...], Item]]] = defaultdict(list)
    for item in items:
        name, *between = item.path.split("/")[above:-1]
        by_folder[name].append((tuple(between), item))
    found: Inside = {}
    for name, images in by_folder.items():
        first = {between[:1] for between, _ in images}
        only = next(iter(first))
        skip = through and len(first) == 1 and bool(only) and not split_name(only[0])
        subs: dict[str, list[Item]] = defaultdict(list)
        for inner, item in images:
            subs["".join(inner[skip : skip + 1]) or _BESIDE].append(item)
        found[name] = subs
    return found
