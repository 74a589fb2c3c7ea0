"""The table of runs on home."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable
from textual.widgets.data_table import ColumnKey

from workbench.experiment.metrics import ACCURACY, SHORT_TITLES
from workbench.render.run_table import METRIC, column_widths, run_cells
from workbench.runs.watch import RunView


class RunTable(DataTable[Text]):
    """A row for each run; columns as wide as the terminal allows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Open", id="open"),
        Binding("home", "scroll_top", show=False, id="runs.first"),
        Binding("end", "scroll_bottom", show=False, id="runs.last"),
    ]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id, cursor_type="row")

    @property
    def names(self) -> list[str]:
        """The names of the runs, of those elsewhere with their machine, from the top."""
        return [key.value or "" for key in self.rows]

    @property
    def chosen(self) -> str | None:
        """The name of the run under the cursor."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    def fill(
        self, runs: Sequence[RunView], utf8: bool, metric: str = ACCURACY, several: bool = False
    ) -> None:
        """Show these runs: new rows if the runs are others, else only the cells that changed.

        Args:
            runs: a row each.
            utf8: False for ASCII.
            metric: that is shown.
            several: whether there is a column for machines.
        """
        chosen, row = self.chosen, self.cursor_row
        widths = column_widths(self.app.size.width, runs, several)
        theme = self.app.theme_variables
        self._fit(widths)
        column = self.columns[ColumnKey(METRIC)]
        if column.label.plain != SHORT_TITLES[metric]:
            column.label = Text(SHORT_TITLES[metric])
            self.refresh(layout=True)
        rows = {view.key: run_cells(view, widths, utf8, theme, metric) for view in runs}
        names = list(rows)
        if names != self.names:
            row = names.index(chosen) if chosen in names else row
            self.clear()
            for name, cells in rows.items():
                self.add_row(*cells, key=name)
            self.move_cursor(row=row)  # if its run is gone, to the next one
            return
        for name, cells in rows.items():
            for title, cell in zip(widths, cells, strict=True):
                if self.get_cell(name, title) != cell:
                    self.update_cell(name, title, cell)

    def move_to(self, name: str) -> None:
        """Move the cursor to a run that is shown."""
        self.move_cursor(row=self.get_row_index(name))

    def _fit(self, widths: Mapping[str, int]) -> None:
        """Set the widths of the columns if they differ; other columns take their place."""
        if [key.value for key in self.columns] != list(widths):
            self.clear(columns=True)
            for title, width in widths.items():
                self.add_column(title, key=title, width=width)
            return
        columns = list(self.columns.values())
        if [column.width for column in columns] != list(widths.values()):
            for column, width in zip(columns, widths.values(), strict=True):
                column.width = width
            self.refresh(layout=True)
