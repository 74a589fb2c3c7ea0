"""Interpret the names of files, folders and labels."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from workbench.messages import tr
from workbench.text import safe_text

# Each word by itself, beside the words below, or joined to one of them: trainset.
_SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "validate", "validating", "valid", "val", "dev", "development"),
    "test": ("test", "tests", "testing", "tst", "evaluation", "eval", "holdout"),
}
_SPLIT_OF = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
_SIDE_WORD = re.compile(
    "sets?|split|part|data(set)?|folder|dir|images?|imgs?|pictures?|pics?|photos?|samples?"
    "|examples?|files?|new|final|full|all|raw|resized|cropped|small|original|labell?ed|px|x|v"
)
_BETWEEN = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_SYSTEM_FILES = {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"}
_EXAMPLES = 3
# Next to a letter; -1 is not 1, and 1-0 not 10.
_SEPARATOR = re.compile(r"(?<=[^\W\d_])[\s_-]+(?=\w)|(?<=\d)[\s_-]+(?=[^\W\d_])")
_NO_NUMBER = 1 << 30  # sorts after all numbers
_NUMBERED = re.compile(r"(.+)[._-]\d+", re.DOTALL)


def split_name(name: str) -> str | None:
    """Return train, validation or test where a folder's name or a cell means it, else None.

    Case, separators, numbers, and words such as "set", "data" and "images" do not matter:
    Test1, val2017, training-set, Training Data, trainset, images_train, test set 1.
    """
    words = [word.casefold() for word in _BETWEEN.split(name) if word and not word.isdecimal()]
    splits = [found for word in words if (found := _split_word(word))]
    others = (word for word in words if not _split_word(word) and not _SIDE_WORD.fullmatch(word))
    return splits[0] if len(splits) == 1 and next(others, None) is None else None


def split_affix(name: str) -> tuple[str, str] | None:
    """Return split and rest of a name such as seg_train, cat-test-set or val_dog, else None."""
    if split_name(name):
        return None
    for between in _BETWEEN.finditer(name):
        head, tail = name[: between.start()], name[between.end() :]
        if head and (split := split_name(tail)):
            return split, head
    for between in reversed(list(_BETWEEN.finditer(name))):
        head, tail = name[: between.start()], name[between.end() :]
        if tail and (split := split_name(head)):
            return split, tail
    return None


def _split_word(word: str) -> str | None:
    if word in _SPLIT_OF:
        return _SPLIT_OF[word]
    for known, split in _SPLIT_OF.items():  # joined: trainset, imagestest
        rest = word.removeprefix(known) if word.startswith(known) else word.removesuffix(known)
        if rest != word and len(rest) > 1 and _SIDE_WORD.fullmatch(rest):
            return split
    return None


def normalize_label(name: str) -> str:
    """Return a label as it is compared and stored: trimmed, characters composed (NFC).

    File systems, archives and tables disagree about blanks at the ends and about whether an
    accent is a separate character; a person sees one name.
    """
    return unicodedata.normalize("NFC", name).strip() or name


def match_label(given: str, labels: Sequence[str]) -> str | None:
    """Return the one of `labels` that a person meant; None where there is none."""
    if given in labels:
        return given
    wanted = normalize_label(given)
    return next((label for label in labels if normalize_label(label) == wanted), None)


def label_key(label: str) -> str:
    """Return a key that labels share if a person could take one for the other.

    They differ only in case, in blanks, hyphens and underscores between words, or in how their
    characters are encoded.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    shown = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return _SEPARATOR.sub("", shown).strip() or label


def similar_labels(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Return groups of labels with the same `label_key`, in the order of `labels`."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[label_key(label)].append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def label_from_name(stem: str) -> str | None:
    """Return the label in a name such as cat.0, cat_12 or cat-3 (no extension), else None."""
    match = _NUMBERED.fullmatch(stem)
    label = normalize_label(match[1]) if match else ""
    return label if label.strip() else None


def is_ignored(name: str) -> bool:
    """Return whether a file is hidden or was left behind by an operating system."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def natural_sorted(names: Iterable[str]) -> list[str]:
    """Return the names sorted as people count: 2 before 10."""
    return sorted(names, key=natural_sort_key)


def format_examples(names: Sequence[str]) -> str:
    """Return the first few names, made safe, and the number of others."""
    shown = ", ".join(safe_text(name, 60) for name in names[:_EXAMPLES])
    more = len(names) - _EXAMPLES
    return tr("{shown} and {more:,} more", shown=shown, more=more) if more > 0 else shown


def natural_sort_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that orders numbers by value, however long; only 0-9 count as digits."""
    keys = []
    for part in re.findall(r"[0-9]+|[^0-9]+", name):
        number = part.lstrip("0") if part[0] in "0123456789" else None
        keys.append((_NO_NUMBER, part.lower()) if number is None else (len(number), number))
    return keys, name
