"""What names of files, folders and labels tell."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from workbench.text import safe_text

SPLITS = ("train", "validation", "test")

# Each word alone, beside the words below, or grown together with one of them: trainset.
_SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": ("validation", "validate", "validating", "valid", "val", "dev", "development"),
    "test": ("test", "tests", "testing", "tst", "evaluation", "eval", "holdout"),
}
_SPLIT_OF = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
_SIDE_WORDS = frozenset(
    [
        "set",
        "sets",
        "split",
        "part",
        "data",
        "dataset",
        "folder",
        "dir",
        "image",
        "images",
        "img",
        "imgs",
        "picture",
        "pictures",
        "pic",
        "pics",
        "photo",
        "photos",
        "sample",
        "samples",
        "example",
        "examples",
        "file",
        "files",
        "new",
        "final",
        "full",
        "all",
        "raw",
        "resized",
        "cropped",
        "small",
        "original",
        "labeled",
        "labelled",
        "px",
        "x",
        "v",
    ]
)
_BETWEEN = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_RUBBISH = {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"}
_EXAMPLES = 3
# Beside a letter; -1 is not 1, and 1-0 not 10.
_SEPARATOR = re.compile(r"(?<=[^\W\d_])[\s_-]+(?=\w)|(?<=\d)[\s_-]+(?=[^\W\d_])")
_NO_NUMBER = 1 << 30  # stands behind all numbers
_NUMBERED = re.compile(r"(.+)[._-]\d+", re.DOTALL)


def split_name(name: str) -> str | None:
    """train, validation or test where a folder's name or a cell means it, else None.

    Case, what stands between words, numbers, and words such as "set", "data" and "images" do not
    matter: Test1, val2017, training-set, Training Data, trainset, images_train, test set 1.
    """
    words = [word.casefold() for word in _BETWEEN.split(name) if word and not word.isdecimal()]
    splits = [found for word in words if (found := _split_word(word))]
    others = (word for word in words if not _split_word(word) and word not in _SIDE_WORDS)
    return splits[0] if len(splits) == 1 and next(others, None) is None else None


def split_affix(name: str) -> tuple[str, str] | None:
    """Split and rest of a name such as seg_train, cat-test-set or val_dog, else None."""
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
    for known, split in _SPLIT_OF.items():  # grown together: trainset, imagestest
        rest = word.removeprefix(known) if word.startswith(known) else word.removesuffix(known)
        if rest != word and rest in _SIDE_WORDS and len(rest) > 1:
            return split
    return None


def plain_label(name: str) -> str:
    """A label as it is compared and kept: trimmed, characters composed (NFC).

    File systems, archives and tables disagree about blanks at the ends and about whether an
    accent is a character of its own; a person sees one name.
    """
    return unicodedata.normalize("NFC", name).strip() or name


def known_label(given: str, labels: Sequence[str]) -> str | None:
    """The one of `labels` that is meant by what a person gave; None where there is none."""
    if given in labels:
        return given
    wanted = plain_label(given)
    return next((label for label in labels if plain_label(label) == wanted), None)


def look(label: str) -> str:
    """The same for labels that differ alone in case, in blanks, hyphens and underscores between
    words, or in how their characters are written."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    shown = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return _SEPARATOR.sub("", shown).strip() or label


def look_alikes(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of labels that `look` the same, in the order of `labels`."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[look(label)].append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def flat_label(stem: str) -> str | None:
    """The label in a name such as cat.0, cat_12 or cat-3 (without the ending), else None."""
    match = _NUMBERED.fullmatch(stem)
    label = plain_label(match[1]) if match else ""
    return label if label.strip() else None


def ignored(name: str) -> bool:
    """Hidden files and what operating systems leave behind."""
    return name.startswith(".") or name.lower() in _RUBBISH


def naturally(names: Iterable[str]) -> list[str]:
    """Sorted as people count: 2 before 10."""
    return sorted(names, key=_natural_key)


def examples(names: Sequence[str]) -> str:
    """The first few names, made safe, and how many more there are."""
    shown = ", ".join(safe_text(name, 60) for name in names[:_EXAMPLES])
    more = len(names) - _EXAMPLES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Numbers by length and digits, so that none is too long; other than 0-9 counts as text."""
    keys = []
    for part in re.findall(r"[0-9]+|[^0-9]+", name):
        number = part.lstrip("0") if part[0] in "0123456789" else None
        keys.append((_NO_NUMBER, part.lower()) if number is None else (len(number), number))
    return keys, name
