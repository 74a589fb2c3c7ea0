"""The table of runs, whose cursor stays on its run."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable
from textual.widgets.data_table import ColumnKey

from workbench.ui.feed import RunView
from workbench.ui.home_text import COLUMNS, column_widths, run_cells


class RunTable(DataTable[Text]):
    """A row a run; columns as wide as the terminal has room for."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Open", id="open")]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id, cursor_type="row")

    def on_mount(self) -> None:
        """The columns."""
        for title, width in column_widths(self.app.size.width).items():
            self.add_column(title, key=title, width=width)

    @property
    def chosen(self) -> str | None:
        """The name of the run under the cursor."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    def fit(self) -> None:
        """Gives the columns what room there is."""
        for title, width in column_widths(self.app.size.width).items():
            if title in self.columns:
                self.columns[ColumnKey(title)].width = width
        self.refresh(layout=True)

    def fill(self, runs: Sequence[RunView], utf8: bool) -> None:
        """Shows these: rows anew where there are others, else the cells that changed."""
        width, theme = self.app.size.width, self.app.theme_variables
        rows = {view.name: run_cells(view, width, utf8, theme) for view in runs}
        names = list(rows)
        if names != [key.value for key in self.rows]:
            row = names.index(self.chosen) if self.chosen in names else self.cursor_row
            self.clear()
            for name, cells in rows.items():
                self.add_row(*cells, key=name)
            self.move_cursor(row=row)  # where its run is gone, the next one takes its place
            return
        for name, cells in rows.items():
            for title, cell in zip(COLUMNS, cells, strict=True):
                if self.get_cell(name, title) != cell:
                    self.update_cell(name, title, cell)
