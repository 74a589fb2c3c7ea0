"""The table of a network's layers, by blocks that open and close."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.runs.freeze_check import ERROR, NOTE, WARNING, Group
from workbench.text import safe_text
from workbench.ui.layers.rows import TableRow, table_rows

MARKS = {"trains": "[x]", "frozen": "[ ]", "partly": "[~]"}
ARROWS = {True: "▾", False: "▸"}
ASCII_ARROWS = {True: "-", False: "+"}
COLORS = {ERROR: "error", WARNING: "warning", NOTE: "secondary"}


@dataclass(frozen=True)
class Column:
    """A column; `width` is in cells and holds the gap to the one before."""

    title: str
    width: int
    right: bool = False


LEAST_NAME, MOST_NAME = 25, 34  # cells of the first column
WIDE = 116  # columns of a terminal in which verdicts have a column of their own
_SIZES = (Column("output", 11, True), Column("parameters", 12, True))
_REQUESTED = (Column("  requested", 12),)
_TRUTH = (Column("  requested", 11), Column(" compiled", 9), Column("moved", 9, True))
_VERDICT = (Column("", 36),)


class LayerTable(DataTable[Text]):
    """Blocks and layers; which blocks are open is the table's own affair.

    Args:
        truth: whether it tells what was compiled and what moved, beside what is requested.
        utf8: whether the terminal shows more than ASCII.
    """

    DEFAULT_CSS = """
    LayerTable { overflow-x: hidden; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "open", "Open", key_display="→"),
        Binding("left", "close", "Close", show=False),
        Binding("a", "all", "All"),
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]

    def __init__(self, truth: bool, utf8: bool = True) -> None:
        super().__init__(cursor_type="row", cell_padding=0, id="layers")
        self.opened: set[str] = set()
        self._truth = truth
        self._utf8 = utf8
        self._groups: Sequence[Group] = ()
        self._columns: tuple[Column, ...] = ()
        self._shape: list[tuple[str, int]] = []

    def show_layers(self, groups: Sequence[Group]) -> None:
        """Draws the layers; only what changed, and the cursor stays on its row."""
        self._groups = groups
        rows = table_rows(groups, self.opened)
        columns = self._wanted_columns()
        shape = [(row.key, self._lines(row)) for row in rows]
        if columns == self._columns and shape == self._shape:
            self._refresh_cells(rows)
            return
        self.refresh_bindings()
        chosen = self.chosen
        self._columns, self._shape = columns, shape
        self.clear(columns=True)
        for column in columns:
            title = Text(column.title, justify="right" if column.right else "left")
            self.add_column(title, key=column.title, width=column.width)
        for row, (key, height) in zip(rows, shape, strict=True):
            self.add_row(*self._cells(row), key=key, height=height)
        keys = [key for key, _ in shape]
        # A layer whose block was closed hands the cursor to the block.
        here = chosen if chosen in keys else self._block_of(chosen)
        if here in keys:
            self.move_cursor(row=keys.index(here))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers to open blocks where there are some."""
        return action not in ("open", "all") or bool(self._blocks)

    @property
    def _blocks(self) -> set[str]:
        return {group.name for group in self._groups if not group.alone}

    @property
    def chosen(self) -> str:
        """Key of the row under the cursor: "block NAME" or "layer NAME"; "" for none."""
        if not self.row_count:
            return ""
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value or ""

    def toggle_block(self) -> None:
        """Opens or closes the block under the cursor."""
        kind, _, name = self.chosen.partition(" ")
        if kind == "block":
            self._open(self.opened ^ {name})

    def action_open(self) -> None:
        """Opens the block under the cursor."""
        kind, _, name = self.chosen.partition(" ")
        if kind == "block":
            self._open(self.opened | {name})

    def action_close(self) -> None:
        """Closes the block of the row under the cursor."""
        name = self._block_of(self.chosen).partition(" ")[2]
        self._open(self.opened - {name})

    def action_all(self) -> None:
        """Opens every block, or closes them all where they are open."""
        self._open(set() if self._blocks <= self.opened else self._blocks)

    def _open(self, names: set[str]) -> None:
        if names != self.opened:
            self.opened = names
            self.show_layers(self._groups)

    def _block_of(self, key: str) -> str:
        kind, _, name = key.partition(" ")
        if kind == "block":
            return key
        for group in self._groups:
            if any(layer.name == name for layer in group.layers):
                return f"block {group.name}"
        return ""

    @property
    def _wide(self) -> bool:
        return self.app.size.width >= WIDE

    def _wanted_columns(self) -> tuple[Column, ...]:
        verdict = _VERDICT if self._wide else ()
        others = (*_SIZES, *(_TRUTH if self._truth else _REQUESTED), *verdict)
        # The screen's padding and the scroll bar take three cells.
        room = self.app.size.width - 3 - sum(column.width for column in others)
        return (Column("layer", min(max(room, LEAST_NAME), MOST_NAME)), *others)

    def _lines(self, row: TableRow) -> int:
        """Where there is no column for it, what is wrong has a line of its own."""
        told = row.verdict is not None and row.verdict.kind != NOTE
        return 2 if told and not self._wide else 1

    def _refresh_cells(self, rows: Sequence[TableRow]) -> None:
        for row in rows:
            for column, cell in zip(self._columns, self._cells(row), strict=True):
                if self.get_cell(row.key, column.title) != cell:
                    self.update_cell(row.key, column.title, cell)

    def _cells(self, row: TableRow) -> list[Text]:
        told = row.verdict
        color = self.app.theme_variables.get(COLORS[told.kind], "") if told else ""
        style = color if told and told.kind != NOTE else ""
        texts = [self._label(row), row.output, row.parameters, f"  {row.requested}"]
        if self._truth:
            texts += [f" {row.compiled}", row.moved]
        if self._wide:
            texts.append(f"  {told.words}" if told else "")
        lines = [
            text.rjust(column.width) if column.right else text.ljust(column.width)
            for column, text in zip(self._columns, texts, strict=True)
        ]
        if told and self._lines(row) == 2:
            lines = self._with_verdict(lines, f"{'  ' * row.depth}      {told.words}")
        cells = [Text(line, style, no_wrap=True) for line in lines]
        if row.opened is not None:
            cells[0].stylize("bold", 0, self._columns[0].width)
        if self._wide:
            cells[-1].stylize(color)
        return cells

    def _with_verdict(self, lines: list[str], words: str) -> list[str]:
        """A second line that runs on through the cells, which have no gap between them."""
        found, start = [], 0
        for line, column in zip(lines, self._columns, strict=True):
            found.append(f"{line}\n{words[start : start + column.width].ljust(column.width)}")
            start += column.width
        return found

    def _label(self, row: TableRow) -> str:
        mark = MARKS.get(row.trains, "   ")
        arrows = ARROWS if self._utf8 else ASCII_ARROWS
        arrow = " " if row.opened is None else arrows[row.opened]
        indent = "  " * row.depth
        room = self._columns[0].width - len(mark) - len(indent) - 3
        return f"{mark} {arrow} {indent}{safe_text(row.name, room)}"
