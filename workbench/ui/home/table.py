"""The table of runs on home: a row for each run, headings of groups between them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable
from textual.widgets.data_table import RowDoesNotExist, RowKey

from workbench.app.table_settings import TableSettings
from workbench.messages import tr
from workbench.render.run_table import (
    METRIC_COLUMN,
    RunLook,
    column_title,
    column_widths,
    run_cells,
)
from workbench.runs.watch import RunView
from workbench.text import plural, safe_text

GROUP = "group:"  # begins the key of a heading's row; no name of a run has a colon
# The column that shows what runs can be sorted by.
SORT_COLUMNS = {
    "started": "when", "metric": METRIC_COLUMN, "run": "run", "state": "state",
    "strategy": "strategy", "data": "data", "base": "base", "tag": "tags", "epochs": "epochs",
    "seconds": "time",
}  # fmt: skip

ROWS_AT_ONCE = 300  # more follow when these are drawn
Groups = Sequence[tuple[str, Sequence[RunView]]]


class Heading(NamedTuple):
    """The row of a group: its name and how many runs it has."""

    name: str
    runs: int


class Look(NamedTuple):
    """How rows are shown: cells of each column, UTF-8 or ASCII, and the metric."""

    widths: Mapping[str, int]
    utf8: bool
    metric: str


class RunTable(DataTable[Text]):
    """Columns as wide as the table allows; a row is formatted when it comes into view."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", tr("Open"), id="open"),
        Binding("home", "scroll_top", show=False, id="runs.first"),
        Binding("end", "scroll_bottom", show=False, id="runs.last"),
    ]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id, cursor_type="row")
        self.folded: set[str] = set()  # names of groups whose runs are hidden
        self._rows: dict[str, RunView | Heading] = {}  # by key, from the top
        self._to_add: list[str] = []  # keys of those that are not in the table yet
        self._look = Look({}, False, "")
        self._cells: dict[str, list[Text]] = {}  # of the rows that were formatted

    @property
    def names(self) -> list[str]:
        """The names of the runs, of those elsewhere with their machine, from the top."""
        return [key for key in self._rows if not key.startswith(GROUP)]

    @property
    def chosen(self) -> str | None:
        """The name of the run under the cursor, or a heading's key."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    @property
    def chosen_run(self) -> RunView | None:
        """The run under the cursor; None on a heading."""
        row = self._rows.get(self.chosen or "")
        return row if isinstance(row, RunView) else None

    @property
    def chosen_group(self) -> str | None:
        """The name of the group under the cursor; None on a run."""
        key = self.chosen or ""
        return key.removeprefix(GROUP) if key.startswith(GROUP) else None

    def fill(
        self, groups: Groups, utf8: bool, settings: TableSettings, room: int, several: bool = False
    ) -> None:
        """Show these runs: new rows if they are others, else only what changed.

        Args:
            groups: the runs of each group; of a single one without a name there is no heading.
            utf8: False for ASCII.
            settings: which metric, columns and order.
            room: cells of the table.
            several: whether there is a column for machines.
        """
        runs = [view for _, views in groups for view in views]
        widths = column_widths(room, runs, several, settings.columns)
        chosen = self.chosen
        self._fit(widths, settings, utf8)
        rows, before = self._arrange(groups), self._rows
        shown, self._cells = self._cells, {}
        self._rows, self._look = rows, Look(widths, utf8, settings.metric)
        if list(rows) != list(before):
            self._rebuild(chosen)
        elif self._differs(before, shown):
            self.update_cell(next(iter(rows)), next(iter(widths)), Text())  # draws all again

    def _arrange(self, groups: Groups) -> dict[str, RunView | Heading]:
        """Return the rows by key, without those of folded groups."""
        plain = [name for name, _ in groups] in ([], [""])
        rows: dict[str, RunView | Heading] = {}
        for name, views in groups:
            if not plain:
                rows[f"{GROUP}{name}"] = Heading(name, len(views))
            if plain or name not in self.folded:
                rows |= {view.key: view for view in views}
        return rows

    def _rebuild(self, chosen: str | None) -> None:
        """Replace all rows; the cursor stays on its run, or goes to the next one."""
        keys = list(self._rows)
        row = keys.index(chosen) if chosen in self._rows else self.cursor_row
        self.clear()
        self._to_add = keys
        self._add_rows(max(row + 1, ROWS_AT_ONCE))
        self.move_cursor(row=row)

    def _add_rows(self, count: int) -> None:
        """Add some of the rows that are missing, and the others when these are drawn."""
        now, self._to_add = self._to_add[:count], self._to_add[count:]
        for key in now:
            self.add_row(key=key)
        if self._to_add:
            self.call_after_refresh(self._add_rows, ROWS_AT_ONCE)

    def _differs(
        self, before: Mapping[str, RunView | Heading], shown: Mapping[str, list[Text]]
    ) -> bool:
        """Return whether a run is another one than before, or one in view looks different."""
        for key, row in self._rows.items():
            if row is not before[key] and (isinstance(row, RunView) or row != before[key]):
                return True
        top = max(int(self.scroll_y), 0)
        in_view = list(self._rows)[top : top + self.size.height]
        return any(self.get_row(key) != shown.get(key) for key in in_view)

    def get_row(self, row_key: RowKey | str) -> list[Text]:
        """Return the cells of a row, formatted when they are first asked for.

        Raises:
            RowDoesNotExist: There is none of this key.
        """
        key = row_key.value if isinstance(row_key, RowKey) else row_key
        if key is None or key not in self._rows:
            raise RowDoesNotExist(f"no row {key!r}")
        if key not in self._cells:
            self._cells[key] = self._format(self._rows[key])
        return self._cells[key]

    def _update_dimensions(self, new_rows: Iterable[RowKey]) -> None:
        """Measure no cell: rows have one line, and columns have their widths."""
        super()._update_dimensions(())

    def _format(self, row: RunView | Heading) -> list[Text]:
        widths, utf8, metric = self._look
        if isinstance(row, RunView):
            return list(run_cells(row, widths, RunLook(utf8, self.app.theme_variables, metric)))
        closed, opened = ("▸", "▾") if utf8 else (">", "v")
        sign = closed if row.name in self.folded else opened
        texts = {
            next(iter(widths)): f"{sign} {plural(row.runs, 'run')}",
            "run": safe_text(row.name or tr("none"), widths["run"]),
        }
        return [Text(texts.get(title, ""), style="bold") for title in widths]

    def move_to(self, name: str) -> None:
        """Move the cursor to a run that is shown."""
        self._add_rows(len(self._to_add))
        self.move_cursor(row=self.get_row_index(name))

    def _fit(self, widths: Mapping[str, int], settings: TableSettings, utf8: bool) -> None:
        """Set titles and widths of the columns; other columns take their place."""
        if [key.value for key in self.columns] != list(widths):
            self.clear(columns=True)
            self._rows = {}
            for title, width in widths.items():
                self.add_column(title, key=title, width=width)
        down, up = ("▾", "▴") if utf8 else ("v", "^")
        mark = up if settings.reverse else down
        for key, column in self.columns.items():
            name = str(key.value)
            sorted_by = name == SORT_COLUMNS[settings.sort] and (
                settings.sort != "started" or settings.reverse
            )
            label = column_title(name, settings.metric) + (mark if sorted_by else "")
            if column.label.plain != label or column.width != widths[name]:
                column.label, column.width = Text(label), widths[name]
                self.refresh(layout=True)
