"""The columns of the table of layers: on a wide terminal with bars, which make it a picture."""

from dataclasses import dataclass
from typing import Literal

from workbench.messages import tr
from workbench.ui.base import WIDE_COLUMNS

Value = Literal[
    "name", "output", "parameters", "operations", "field", "requested", "compiled", "moved",
    "verdict",
]  # fmt: skip
FRAME = 3  # cells that the screen's padding and the scroll bar take
MIN_NAME, MAX_NAME = 25, 34  # cells of the first column
# On a wide terminal the names leave room for bars, and are as wide as the longest shown.
MIN_WIDE_NAME = 22
MIN_BAR, MIN_MAP_BAR = 6, 12  # cells, a gap included
VERDICT = 36  # cells of the column of verdicts, where bars have more than enough room
ENOUGH_BAR = 14


@dataclass(frozen=True)
class LayerColumn:
    """A column; `width` is in cells and includes the gap before it.

    Attributes:
        value: what it shows of a row.
        bar: cells of the bar behind the text, a gap included; 0 without.
    """

    value: Value
    title: str
    width: int
    right: bool = False
    bar: int = 0

    @property
    def room(self) -> int:
        """Cells of the text."""
        return self.width - self.bar


def fitting_columns(
    width: int, checked: bool, names: int, maps: bool, verdicts: bool
) -> tuple[LayerColumn, ...]:
    """Return the columns that fit.

    Args:
        width: of the terminal.
        checked: whether to show what was compiled and what moved.
        names: cells of the longest name with all that is before it.
        maps: whether there are maps to draw.
        verdicts: whether there are any.
    """
    room = width - FRAME
    last = _freeze_check() if checked else (LayerColumn("requested", "  " + tr("requested"), 12),)
    if width < WIDE_COLUMNS:
        sizes = (_output(11), _parameters())
        room -= sum(column.width for column in (*sizes, *last))
        return (_name(min(max(room, MIN_NAME), MAX_NAME)), *sizes, *last)
    numbers = (_output(12), _parameters(), _operations(), _field())
    room -= sum(column.width for column in (*numbers, *last))
    name = min(max(names, MIN_WIDE_NAME), MAX_NAME, max(room - 2 * MIN_BAR, MIN_WIDE_NAME))
    room -= name
    if verdicts and room - VERDICT >= 3 * ENOUGH_BAR:
        last = (*last, LayerColumn("verdict", "", VERDICT))
        room -= VERDICT
    # A gap, and a line in the middle of two equal halves: an even number of cells.
    map_bar = room // 6 * 2 if maps and room >= 3 * MIN_MAP_BAR else 0
    bar = (room - map_bar) // 2
    return (
        _name(name), _output(12, map_bar), _parameters(bar), _operations(bar), _field(), *last
    )  # fmt: skip


def _name(width: int) -> LayerColumn:
    return LayerColumn("name", tr("layer"), width)


def _output(width: int, bar: int = 0) -> LayerColumn:
    return LayerColumn("output", tr("output"), width + bar, True, bar)


def _parameters(bar: int = 0) -> LayerColumn:
    return LayerColumn("parameters", tr("parameters"), 12 + bar, True, bar)


def _operations(bar: int = 0) -> LayerColumn:
    return LayerColumn("operations", tr("multiply-adds"), 9 + bar, True, bar)


def _field() -> LayerColumn:
    return LayerColumn("field", tr("field"), 9, True)


def _freeze_check() -> tuple[LayerColumn, ...]:
    return (
        LayerColumn("requested", "  " + tr("requested"), 11),
        LayerColumn("compiled", " " + tr("compiled"), 9),
        LayerColumn("moved", tr("moved"), 9, True),
    )
