"""The table of runs on home: a row for each run, headings of groups between them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.app.table_settings import TableSettings
from workbench.experiment.metrics import SHORT_TITLES
from workbench.messages import tr
from workbench.render.run_table import METRIC, column_widths, run_cells
from workbench.runs.watch import RunView
from workbench.text import plural, safe_text

GROUP = "group:"  # begins the key of a heading's row; no name of a run has a colon
# The column that shows what runs can be sorted by.
SORT_COLUMNS = {
    "started": "when", "metric": METRIC, "run": "run", "state": "state", "strategy": "strategy",
    "data": "data", "base": "base", "tag": "tags", "epochs": "epochs", "seconds": "time",
}  # fmt: skip

Groups = Sequence[tuple[str, Sequence[RunView]]]


class RunTable(DataTable[Text]):
    """Columns as wide as the table allows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", tr("Open"), id="open"),
        Binding("home", "scroll_top", show=False, id="runs.first"),
        Binding("end", "scroll_bottom", show=False, id="runs.last"),
    ]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id, cursor_type="row")
        self.folded: set[str] = set()  # names of groups whose runs are hidden
        self._shown: dict[str, tuple[Text, ...]] = {}

    @property
    def names(self) -> list[str]:
        """The names of the runs, of those elsewhere with their machine, from the top."""
        return [key for key in self._shown if not key.startswith(GROUP)]

    @property
    def chosen(self) -> str | None:
        """The name of the run under the cursor, or a heading's key."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    @property
    def chosen_group(self) -> str | None:
        """The name of the group under the cursor; None on a run."""
        key = self.chosen or ""
        return key.removeprefix(GROUP) if key.startswith(GROUP) else None

    def fill(
        self, groups: Groups, utf8: bool, settings: TableSettings, room: int, several: bool = False
    ) -> None:
        """Show these runs: new rows if they are others, else only the cells that changed.

        Args:
            groups: the runs of each group; of a single one without a name there is no heading.
            utf8: False for ASCII.
            settings: which metric, columns and order.
            room: cells of the table.
            several: whether there is a column for machines.
        """
        runs = [view for _, views in groups for view in views]
        widths = column_widths(room, runs, several, settings.columns)
        self._fit(widths, settings, utf8)
        rows = self._rows(groups, widths, utf8, settings.metric)
        if list(rows) != list(self._shown):
            chosen, row = self.chosen, self.cursor_row
            row = list(rows).index(chosen) if chosen in rows else row
            self.clear()
            for name, cells in rows.items():
                self.add_row(*cells, key=name)
            self.move_cursor(row=row)  # if its run is gone, to the next one
        else:
            for name, cells in rows.items():
                for title, cell, before in zip(widths, cells, self._shown[name], strict=True):
                    if cell != before:
                        self.update_cell(name, title, cell)
        self._shown = rows

    def _rows(
        self, groups: Groups, widths: Mapping[str, int], utf8: bool, metric: str
    ) -> dict[str, tuple[Text, ...]]:
        theme = self.app.theme_variables
        plain = [name for name, _ in groups] in ([], [""])
        rows = {}
        for name, views in groups:
            if not plain:
                rows[f"{GROUP}{name}"] = self._heading(name, len(views), widths, utf8)
            if plain or name not in self.folded:
                rows |= {view.key: run_cells(view, widths, utf8, theme, metric) for view in views}
        return rows

    def _heading(
        self, name: str, count: int, widths: Mapping[str, int], utf8: bool
    ) -> tuple[Text, ...]:
        """Return the row of a group: its name and how many runs it has."""
        closed, opened = ("▸", "▾") if utf8 else (">", "v")
        sign = closed if name in self.folded else opened
        texts = {
            next(iter(widths)): f"{sign} {plural(count, 'run')}",
            "run": safe_text(name or tr("none"), widths["run"]),
        }
        return tuple(Text(texts.get(title, ""), style="bold") for title in widths)

    def move_to(self, name: str) -> None:
        """Move the cursor to a run that is shown."""
        self.move_cursor(row=self.get_row_index(name))

    def _fit(self, widths: Mapping[str, int], settings: TableSettings, utf8: bool) -> None:
        """Set titles and widths of the columns; other columns take their place."""
        if [key.value for key in self.columns] != list(widths):
            self.clear(columns=True)
            self._shown = {}
            for title, width in widths.items():
                self.add_column(title, key=title, width=width)
        down, up = ("▾", "▴") if utf8 else ("v", "^")
        mark = up if settings.reverse else down
        titles = column_titles(settings.metric)
        for key, column in self.columns.items():
            name = str(key.value)
            sorted_by = name == SORT_COLUMNS[settings.sort] and (
                settings.sort != "started" or settings.reverse
            )
            label = titles[name] + (mark if sorted_by else "")
            if column.label.plain != label or column.width != widths[name]:
                column.label, column.width = Text(label), widths[name]
                self.refresh(layout=True)


def column_titles(metric: str) -> dict[str, str]:
    """Return the title of every column."""
    return {
        "state": tr("state"),
        "run": tr("run"),
        "strategy": tr("strategy"),
        "data": tr("data"),
        "base": tr("base"),
        "tags": tr("tags"),
        METRIC: SHORT_TITLES[metric],
        "epochs": tr("epochs"),
        "time": tr("time"),
        "machine": tr("machine"),
        "curve": tr("curve"),
        "when": tr("when"),
    }
