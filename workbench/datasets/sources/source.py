"""An opened data source: images, labels, splits."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from workbench.datasets.names import natural_sorted

# Codes of warnings about a source.
LAYOUT = "layout"
LABELS = "labels"
NOT_READ = "not-read"


@dataclass(frozen=True, order=True, slots=True)
class Item:
    """An image with its label.

    Attributes:
        path: From the source's root, with /; in an npz file the part and the number, train/00012.
        label: The name of the class.
        split: train, validation or test where the data has a split, else None.
    """

    path: str
    label: str
    split: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class SourceWarning:
    """Something that was probably not meant as it was read; shown with the audit.

    Attributes:
        code: LAYOUT, LABELS or NOT_READ.
        message: A plain sentence or two, safe for a terminal.
        files: The paths concerned, from the source's root.
    """

    code: str
    message: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A data source whose layout is known.

    Attributes:
        root: Where the paths of the items start: a folder, or the npz file itself. Absolute.
        kind: "class folders", "split folders", "flat names", "csv" or "npz". For display only:
            `open_images` gives access to the images of any kind.
        items: Sorted by path.
        notes: Sentences about skipped files.
        path: The path given by the user, absolute.
        warnings: What should be checked before training.
    """

    root: Path
    kind: str
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    path: Path = Path()
    warnings: tuple[SourceWarning, ...] = ()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, 2 before 10."""
        return tuple(natural_sorted({item.label for item in self.items}))

    @property
    def user_split(self) -> bool:
        """Whether the data comes with a split."""
        return any(item.split is not None for item in self.items)
