"""Concepts beside one another: title, text and drawing of as many as have room. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.text import Text

from workbench.content.concepts import CONCEPTS, PICTURE_COLUMNS, Concept
from workbench.text import wrap_cells

MIN_COLUMN, MAX_COLUMN = PICTURE_COLUMNS + 2, 78  # cells; longer lines are hard to read
GAP = 4  # cells between columns


@dataclass(frozen=True)
class ConceptColors:
    """Colors of titles and drawings; "" for that of the text."""

    title: str = ""
    picture: str = ""


def explain_concepts(
    names: Sequence[str], width: int, height: int, utf8: bool, colors: ConceptColors
) -> Text:
    """Return concepts in columns: each whole, or not at all where it has no room.

    Args:
        names: of the concepts, the most useful ones first.
        width: cells.
        height: rows.
        utf8: False for ASCII.
        colors: of titles and drawings.
    """
    if not names or width < MIN_COLUMN:
        return Text()
    count = min(max((width + GAP) // (MIN_COLUMN + GAP), 1), len(names))
    room = min((width - GAP * (count - 1)) // count, MAX_COLUMN)
    columns: list[list[Text]] = [[] for _ in range(count)]
    for name in names:
        lines = _concept_lines(CONCEPTS[name], room, utf8, colors)
        shortest = min(columns, key=len)
        above = [Text(), Text()] if shortest else []
        if len(shortest) + len(above) + len(lines) <= height:
            shortest += [*above, *lines]
    rows = zip_longest(*columns, fillvalue=Text())
    return Text("\n").join(_row(cells, room) for cells in rows)


def _concept_lines(concept: Concept, room: int, utf8: bool, colors: ConceptColors) -> list[Text]:
    words = [Text(line) for line in wrap_cells(concept.text, room)]
    picture = [Text(line, colors.picture) for line in concept.drawing(utf8).split("\n")]
    title = [Text(line, f"bold {colors.title}") for line in wrap_cells(concept.title, room)]
    return [*title, Text(), *words, Text(), *picture]


def _row(cells: Sequence[Text], room: int) -> Text:
    row = Text()
    for at, cell in enumerate(cells):
        row.append(" " * (at * (room + GAP) - row.cell_len)).append_text(cell)
    return row
