"""Images as letters in a plane: those whose features are alike lie near one another. Pure.

A cell stands for all images in it: the letter is that of their most frequent label, upper case
where it has several images. plotext draws points, not letters, and has no cursor.
"""

import string
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rich.text import Text

# The red and the magenta of many terminals are alike.
COLORS = ("cyan", "yellow", "magenta", "green", "blue", "bright_white", "bright_black", "red")
LETTERS = string.ascii_lowercase
EDGE = 0.02  # of the points at each side that may lie on the border: single ones do not set a scale

Cell = tuple[int, int]  # column and row, from the upper left


@dataclass(frozen=True)
class FeatureMap:
    """Images in a grid of cells.

    Attributes:
        points: float (n, 2).
        labels: int (n,), from 0 on.
        columns, rows: of the grid.
    """

    points: np.ndarray
    labels: np.ndarray
    columns: int
    rows: int

    @cached_property
    def cells(self) -> dict[Cell, list[int]]:
        """The images in each cell that holds any, in their order."""
        low, high = np.quantile(self.points, (EDGE, 1 - EDGE), axis=0)
        shares = (self.points - low) / np.where(high > low, high - low, 1.0)
        size = np.array([self.columns, self.rows])
        places = np.clip((shares * size).astype(int), 0, size - 1)
        cells: dict[Cell, list[int]] = defaultdict(list)
        for image, (column, row) in enumerate(places.tolist()):
            cells[column, self.rows - 1 - row].append(image)
        return dict(cells)

    def cell_of(self, image: int) -> Cell:
        """Return the cell of an image."""
        return next(cell for cell, images in self.cells.items() if image in images)

    def step(self, cell: Cell, right: int, down: int) -> Cell:
        """Return the nearest cell with images in a direction; the same one if there is none.

        What lies aside counts twice as far as what lies ahead.
        """

        def distance(other: Cell) -> float:
            across, along = other[0] - cell[0], other[1] - cell[1]
            ahead = across * right + along * down
            aside = abs(across * down) + abs(along * right)
            return ahead + 2 * aside if ahead > 0 else float("inf")

        nearest = min(self.cells, key=lambda other: (distance(other), other))
        return nearest if distance(nearest) < float("inf") else cell

    def draw(self, cursor: Cell | None = None) -> Text:
        """Return the grid, the cell of the cursor reversed."""
        text = Text(no_wrap=True)
        for row in range(self.rows):
            if row:
                text.append("\n")
            for column in range(self.columns):
                images = self.cells.get((column, row))
                style = "reverse" if (column, row) == cursor else ""
                if not images:
                    text.append(" ", style)
                    continue
                label = Counter(self.labels[images].tolist()).most_common(1)[0][0]
                letter = letter_of(label)
                color = COLORS[label % len(COLORS)]
                text.append(letter.upper() if len(images) > 1 else letter, f"{color} {style}")
        return text


def letter_of(label: int) -> str:
    """Return the letter of a label; after z they repeat."""
    return LETTERS[label % len(LETTERS)]


def map_legend(names: Sequence[str], room: int) -> Text:
    """Return the labels after their letters, as many as fit into so many cells."""
    text = Text(no_wrap=True)
    for label, name in enumerate(names):
        entry = f"{letter_of(label)} {name}  "
        if text.cell_len + len(entry) > room:
            text.append("...", "dim")
            break
        text.append(entry[:1], f"bold {COLORS[label % len(COLORS)]}")
        text.append(entry[1:])
    return text
