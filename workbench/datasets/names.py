"""What names of files, folders and labels tell."""

import re
from collections.abc import Iterable, Sequence

from workbench.text import safe_text

SPLITS = ("train", "validation", "test")

_SPLIT_NAMES = {
    "train": ("train", "training", "training_set", "train_set"),
    "validation": ("val", "valid", "validation", "validation_set", "val_set", "valid_set", "dev"),
    "test": ("test", "testing", "test_set", "testing_set"),
}
_SPLIT_OF = {name: split for split, names in _SPLIT_NAMES.items() for name in names}
_RUBBISH = {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"}
_EXAMPLES = 3
_NUMBERED = re.compile(r"(.+)[._-]\d+", re.DOTALL)


def split_name(name: str) -> str | None:
    """train, validation or test where a folder's name or a cell means it, else None.

    Case, blanks, hyphens and a number at the end do not matter: Test1, val2017, training-set.
    """
    plain = re.sub(r"[ -]+", "_", name.strip().lower())
    return _SPLIT_OF.get(plain) or _SPLIT_OF.get(plain.rstrip("0123456789").rstrip("_"))


def flat_label(stem: str) -> str | None:
    """The label in a name such as cat.0, cat_12 or cat-3 (without the ending), else None."""
    match = _NUMBERED.fullmatch(stem)
    return match[1] if match else None


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


def _natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), "") if p.isdigit() else (1, 0, p.lower()) for p in parts], name
