"""The table of a network's layers, by blocks that expand and collapse."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.messages import tr
from workbench.render.marks import funnel, split_bar
from workbench.render.network_picture import NetworkPicture, format_field, format_operations
from workbench.runs.freeze_check import (
    ERROR,
    NOTE,
    WARNING,
    Layer,
    LayerGroup,
    Verdict,
    status_title,
    verdict,
)
from workbench.text import (
    FAR,
    cell_width,
    format_moved,
    format_shape,
    pad_cells,
    safe_text,
    slice_cells,
)
from workbench.ui.base import WIDE_COLUMNS
from workbench.ui.layers.columns import LayerColumn, fitting_columns

MARKS = {"trains": "[x]", "frozen": "[ ]", "partly": "[~]"}
ARROWS = {True: "▾", False: "▸"}
ASCII_ARROWS = {True: "-", False: "+"}
COLORS = {ERROR: "error", WARNING: "warning", NOTE: "secondary"}
NOTHING = "-"
SMALLEST_MOVED = 0.001  # percent; a smaller change would be shown as none


@dataclass(frozen=True)
class TableRow:
    """A block or a layer, formatted.

    Attributes:
        key: "block NAME" or "layer NAME".
        depth: 1 for a layer in an expanded block, else 0.
        opened: whether a block is expanded; None for a layer.
        trains: "trains", "frozen", "partly", or "" without weights.
    """

    key: str
    name: str
    depth: int
    opened: bool | None
    trains: str
    output: str
    parameters: str
    requested: str
    compiled: str
    moved: str
    verdict: Verdict | None


def table_rows(groups: Sequence[LayerGroup], opened: Set[str] = frozenset()) -> list[TableRow]:
    """Return a row for each block, and for each layer of the blocks named in `opened`."""
    rows: list[TableRow] = []
    for group in groups:
        if group.single:
            rows.append(_layer_row(group.layers[0], 0))
            continue
        rows.append(_block_row(group, group.name in opened))
        if group.name in opened:
            rows += [_layer_row(layer, 1) for layer in group.layers]
    return rows


def _layer_row(layer: Layer, depth: int) -> TableRow:
    return TableRow(
        key=f"layer {layer.name}",
        name=safe_text(layer.name, 60),
        depth=depth,
        opened=None,
        trains=layer.requested,
        output=_format_shape(layer.output_shape),
        parameters=f"{layer.parameters:,}",
        requested=status_title(layer.requested) or NOTHING,
        compiled=status_title(layer.compiled) or NOTHING,
        moved=_format_moved(layer.moved),
        verdict=verdict(layer),
    )


def _block_row(group: LayerGroup, opened: bool) -> TableRow:
    row = _layer_row(group.combined, 0)
    return replace(row, key=f"block {group.name}", opened=opened, verdict=group.verdict)


def _format_shape(shape: tuple[int, ...]) -> str:
    return f"{shape[0]:,}" if len(shape) == 1 else format_shape(shape) or NOTHING


def _format_moved(share: float | None) -> str:
    if share is None:
        return NOTHING
    if share == 0:
        return "0"
    if share >= FAR:
        return format_moved(share)
    percent = share * 100
    if percent < SMALLEST_MOVED:
        return "<" + tr("{number} %", number=f"{SMALLEST_MOVED:g}")
    digits = 3 if percent < 1 else 2 if percent < 10 else 1
    return tr("{number} %", number=f"{percent:,.{digits}f}")


class LayerTable(DataTable[Text]):
    """Blocks and layers; the table itself keeps which blocks are expanded.

    Args:
        checked: True to show what was compiled and what moved, too.
        utf8: whether the terminal shows more than ASCII.

    Attributes:
        opened: names of the expanded blocks.
    """

    DEFAULT_CSS = """
    LayerTable { overflow-x: hidden; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "open", tr("Expand"), key_display="→", id="layers.expand"),
        Binding("left", "close", tr("Collapse"), show=False, id="layers.collapse"),
        Binding("asterisk", "all", tr("All"), key_display="*", id="layers.all"),
        Binding("home", "scroll_top", show=False, id="layers.first"),
        Binding("end", "scroll_bottom", show=False, id="layers.last"),
    ]

    def __init__(self, checked: bool, utf8: bool = True) -> None:
        super().__init__(
            cursor_type="row",
            cell_padding=0,
            cursor_foreground_priority="renderable",  # bars keep their colours
            id="layers",
        )
        self.opened: set[str] = set()
        self._checked = checked
        self._utf8 = utf8
        self._groups: Sequence[LayerGroup] = ()
        self._picture = NetworkPicture()
        self._columns: tuple[LayerColumn, ...] = ()
        self._row_heights: list[tuple[str, int]] = []

    def show_layers(self, groups: Sequence[LayerGroup], picture: NetworkPicture) -> None:
        """Show layers; only changed cells are drawn, and the cursor stays on its row."""
        self._groups, self._picture = groups, picture
        rows = table_rows(groups, self.opened)
        before = self._columns
        self._columns = columns = self._fitting_columns(rows)
        heights = [(row.key, self._height(row)) for row in rows]
        if columns == before and heights == self._row_heights:
            self._refresh_cells(rows)
            return
        self.refresh_bindings()
        selected = self.selected
        self._row_heights = heights
        is_wide = self.app.size.width >= WIDE_COLUMNS
        high = 1 + sum(height for _, height in heights)
        self.styles.max_height = high if is_wide else "100%"  # what explains it follows at once
        self.clear(columns=True)
        for column in columns:
            title = pad_cells(column.title, column.room, "r" if column.right else "l")
            self.add_column(Text(title), key=column.value, width=column.width)
        for row, (key, height) in zip(rows, heights, strict=True):
            self.add_row(*self._cells(row), key=key, height=height)
        keys = [key for key, _ in heights]
        # The cursor moves from a layer to its block when that collapses.
        key = selected if selected in keys else self._block_of(selected)
        if key in keys:
            self.move_cursor(row=keys.index(key))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to expand blocks if there are any."""
        return action not in ("open", "all") or bool(self._blocks)

    @property
    def _blocks(self) -> set[str]:
        return {group.name for group in self._groups if not group.single}

    @property
    def selected(self) -> str:
        """Key of the row under the cursor: "block NAME" or "layer NAME"; "" for none."""
        if not self.row_count:
            return ""
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value or ""

    def toggle_block(self) -> None:
        """Expand or collapse the selected block."""
        kind, _, name = self.selected.partition(" ")
        if kind == "block":
            self._open(self.opened ^ {name})

    def action_open(self) -> None:
        """Expand the selected block."""
        kind, _, name = self.selected.partition(" ")
        if kind == "block":
            self._open(self.opened | {name})

    def action_close(self) -> None:
        """Collapse the block of the selected row."""
        name = self._block_of(self.selected).partition(" ")[2]
        self._open(self.opened - {name})

    def action_all(self) -> None:
        """Expand all blocks, or collapse them if all are expanded."""
        self._open(set() if self._blocks <= self.opened else self._blocks)

    def _open(self, names: set[str]) -> None:
        if names != self.opened:
            self.opened = names
            self.show_layers(self._groups, self._picture)

    def _block_of(self, key: str) -> str:
        kind, _, name = key.partition(" ")
        if kind == "block":
            return key
        for group in self._groups:
            if any(layer.name == name for layer in group.layers):
                return f"block {group.name}"
        return ""

    @property
    def draws_maps(self) -> bool:
        """Whether side and channels of maps are drawn."""
        return any(column.value == "output" and column.bar for column in self._columns)

    @property
    def _has_verdicts(self) -> bool:
        """Whether verdicts have a column of their own."""
        return self._columns[-1].value == "verdict"

    def _fitting_columns(self, rows: Sequence[TableRow]) -> tuple[LayerColumn, ...]:
        # Before a name: mark, arrow and gaps; a gap behind it.
        names = [cell_width(row.name) + 2 * row.depth + 7 for row in rows]
        return fitting_columns(
            self.app.size.width,
            self._checked,
            max(names, default=0),
            maps=self._picture.most_channels > 0,
            verdicts=any(row.verdict for row in rows),
        )

    def _height(self, row: TableRow) -> int:
        """Return 2 for a row whose problem has no column."""
        has_problem = row.verdict is not None and row.verdict.kind != NOTE
        return 2 if has_problem and not self._has_verdicts else 1

    def _refresh_cells(self, rows: Sequence[TableRow]) -> None:
        for row in rows:
            for column, cell in zip(self._columns, self._cells(row), strict=True):
                if self.get_cell(row.key, column.value) != cell:
                    self.update_cell(row.key, column.value, cell)

    def _cells(self, row: TableRow) -> list[Text]:
        found, part = row.verdict, self._picture.parts.get(row.key)
        color = self._color(COLORS[found.kind]) if found else ""
        style = color if found and found.kind != NOTE else ""
        texts = {
            "name": self._name_cell(row), "output": row.output, "parameters": row.parameters,
            "operations": format_operations(part), "field": format_field(part),
            "requested": f"  {row.requested}", "compiled": f" {row.compiled}", "moved": row.moved,
            "verdict": f"  {found.message}" if found else "",
        }  # fmt: skip
        below = [""] * len(self._columns)
        if found and self._height(row) == 2:
            text = f"{'  ' * row.depth}      {found.message}"
            below = slice_cells(text, [column.width for column in self._columns])
        cells = []
        for column, second in zip(self._columns, below, strict=True):
            text = pad_cells(texts[column.value], column.room, "r" if column.right else "l")
            cell = Text(text, style, no_wrap=True)
            if column.bar:
                cell.append(" ").append_text(self._bar(row.key, column))
            cells.append(cell.append(f"\n{second}") if self._height(row) == 2 else cell)
        if row.opened is not None:
            cells[0].stylize("bold", 0, self._columns[0].width)
        if self._has_verdicts:
            cells[-1].stylize(color)
        return cells

    def _bar(self, key: str, column: LayerColumn) -> Text:
        """Return the bar of a part of the network in a column; blanks if it has none."""
        picture, room = self._picture, column.bar - 1
        part = picture.parts.get(key)
        if column.value == "output":
            shares = picture.map_shares(key)
            line = funnel(*shares, room, self._utf8) if shares else " " * room
            return Text(line, self._color("secondary"))
        if part is None:
            return Text(" " * room)
        colors = self._color("accent"), self._color("secondary")
        if column.value == "parameters":
            whole, trained, most = part.parameters, part.trained, picture.most_parameters
        else:
            whole, trained, most = part.multiply_adds or 0, part.trained_adds, picture.most_adds
        return split_bar(trained, whole - trained, most, room, self._utf8, colors)

    def _color(self, name: str) -> str:
        return self.app.theme_variables.get(name, "")

    def _name_cell(self, row: TableRow) -> str:
        mark = MARKS.get(row.trains, "   ")
        arrows = ARROWS if self._utf8 else ASCII_ARROWS
        arrow = " " if row.opened is None else arrows[row.opened]
        indent = "  " * row.depth
        room = self._columns[0].width - len(mark) - len(indent) - 3
        name = safe_text(row.name)
        if len(name) > room and row.depth:  # layers of a block differ at the end
            return f"{mark} {arrow} {indent}…{name[1 - room :]}"
        return f"{mark} {arrow} {indent}{safe_text(row.name, room)}"
