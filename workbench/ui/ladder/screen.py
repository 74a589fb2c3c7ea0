"""A ladder: its strategies, their results, and what the book and its readers reached."""

from functools import partial

from rich.text import Text
from textual.widgets import Static

from workbench.app.ladder import (
    LadderRow,
    describe_lead,
    ladder_notes,
    ladder_row,
    measured,
    row_without_run,
)
from workbench.runs.sweep import Sweep
from workbench.runs.sweep_record import LADDER
from workbench.ui.base import in_background
from workbench.ui.ladder.base import TrialsScreen
from workbench.ui.ladder.text import cells, columns, format_detail, format_heading, title

STARTING = "starting"  # of a run that is there and was not polled yet


class LadderScreen(TrialsScreen):
    """The strategies of a ladder while their runs train."""

    KIND = LADDER
    CONCEPTS = ("interval", "overfitting", "transfer", "feature-extraction")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._rows: list[LadderRow] = []
        self._lead = ""
        self._lead_of: list[LadderRow] = []  # the two best rows, which it compares

    def heading(self) -> Text:
        """Return the ladder and its progress."""
        return format_heading(self.sweep_name, [row.state for row in self._rows])

    def make_rows(self, sweep: Sweep) -> None:
        """Make a row of each strategy."""
        rows = []
        for trial in sweep.trials:
            if view := self.views.get(trial.run):
                rows.append(ladder_row(trial, view.summary, view.history))
            else:
                rows.append(row_without_run(trial, STARTING if trial.run in self.unseen else ""))
        self._rows = rows

    def show_notes(self) -> None:
        """Show notes about the numbers, and the lead of the best run."""
        lines = [*([self._lead] if self._lead else []), *ladder_notes(self._rows)]
        self.query_one("#note", Static).update(Text("\n".join(lines)))
        self._compare_best()

    def _compare_best(self) -> None:
        """Compare the predictions of the two best runs if they changed."""
        best = measured(self._rows)[:2]
        if best == self._lead_of:
            return
        self._lead_of = best

        def compared(lead: str) -> None:
            if best == self._lead_of:
                self._lead = lead
                self.show_notes()

        in_background(self, partial(describe_lead, self.workbench.workspace, best), compared)

    def table_columns(self) -> dict[str, int]:
        """Return titles and widths of the columns."""
        return columns(self.app.size.width)

    def column_title(self, name: str) -> Text:
        """Return the title of a column."""
        return title(name)

    def table_cells(self) -> list[list[Text]]:
        """Return the cells of every strategy."""
        room, found = self.app.size.width, []
        for at, row in enumerate(self._rows):
            below = self._rows[at - 1].preset if at else ""
            view = self.views.get(row.run)
            curve = [epoch.val_accuracy for epoch in view.history.curve] if view else []
            theme = self.app.theme_variables
            found.append(cells(row, below, curve, room, self.workbench.utf8, theme))
        return found

    def show_row(self, row: int) -> None:
        """Show the run of a strategy."""
        if row < len(self._rows):
            found = self._rows[row]
            self.run = found.run
            view = self.views.get(found.run)
            best = view.summary.best_val_accuracy if view else None
            self.query_one("#detail", Static).update(format_detail(found, best), layout=False)

    def runs_of(self, row: int) -> list[str]:
        """Return the run of a strategy."""
        return [run for run in [self._rows[row].run] if run in self.views]

    def open_row(self, row: int) -> None:
        """Open the run of a strategy."""
        for run in self.runs_of(row):
            self.open_run(run)
