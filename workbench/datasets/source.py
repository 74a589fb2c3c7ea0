"""What a data source is, once recognised: images, labels, splits."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from workbench.datasets.names import naturally


@dataclass(frozen=True, order=True, slots=True)
class Item:
    """An image with its label.

    Attributes:
        path: from the source's root, with /; in an npz file the part and the number, train/00012.
        label: the name of the class.
        split: train, validation or test where the person made a split, else None.
    """

    path: str
    label: str
    split: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Doubt:
    """Something that was probably not meant as it was read; a warning of the audit.

    Attributes:
        code: what kind: layout, labels or not-read.
        message: a plain sentence or two, safe for a terminal.
        files: the paths concerned, from the source's root.
    """

    code: str
    message: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A recognised data source.

    Attributes:
        root: where the paths of the items start: a folder, or the npz file itself. Absolute.
        kind: "class folders", "split folders", "flat names", "csv" or "npz".
        items: sorted by path.
        notes: sentences about what was passed over.
        path: what the person named, absolute.
        doubts: what a person should look at before anything is trained.
    """

    root: Path
    kind: str
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()
    path: Path = Path()
    doubts: tuple[Doubt, ...] = ()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, 2 before 10."""
        return tuple(naturally({item.label for item in self.items}))

    @property
    def user_split(self) -> bool:
        """True where the person made a split."""
        return any(item.split is not None for item in self.items)
