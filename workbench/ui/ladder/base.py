"""What the screens of ladders and sweeps share: their table while the runs train, and its keys."""

import shlex
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Static

from workbench.errors import UserError
from workbench.machine.preflight import check_before_sweep
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.sweep import Sweep, describe_trial, find_sweep, pending_specs, run_folders
from workbench.runs.sweep_queue import start, stop_sweep
from workbench.runs.watch import Runs, RunView
from workbench.text import plural
from workbench.ui.base import WIDE_COLUMNS, WorkbenchScreen, in_background
from workbench.ui.dialogs import Confirm
from workbench.ui.keys import key_of
from workbench.ui.widgets.run_curves import RunCurves

OFFERED = ("stop", "resume", "compare")  # if possible
MAX_CURVES = 8  # more are hard to tell apart
ROWS_BESIDE_CURVES = 24  # of heading, notes, detail and keys, and the least of a plot


class RunsOfTrials(DataTable[Text]):
    """A row for each trial; enter opens its run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", tr("Open"), id="ladder.open")
    ]


class TrialsScreen(WorkbenchScreen):
    """The trials of a ladder or a sweep while their runs train.

    Args:
        name: of the ladder or sweep.

    Attributes:
        KIND: of its record.
        sweep: its newest record; None before it was read.
        unseen: runs with a folder that were not polled yet.
        views: its runs by name.
    """

    KIND: ClassVar[str]
    CSS = """
    #notes { height: 1fr; margin-top: 1; color: $secondary; }
    #detail { padding: 0; max-height: 4; }
    #notes.-above-curves { height: auto; max-height: 8; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", tr("Stop all"), id="ladder.stop", tooltip=tr("every run of it")),
        Binding(
            "r", "resume", tr("Resume"), id="ladder.resume", tooltip=tr("all that is not finished")
        ),
        Binding(
            "c", "compare", tr("Compare"), id="ladder.compare", tooltip=tr("its runs side by side")
        ),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self.sweep_name = name
        self.sweep: Sweep | None = None
        self.unseen: set[str] = set()
        self.views: dict[str, RunView] = {}
        self._offered: list[bool | None] = []

    # What each kind implements

    def make_rows(self, sweep: Sweep) -> None:
        """Make the rows again, from the record and the views."""
        raise NotImplementedError

    def table_columns(self) -> dict[str, int]:
        """Return titles and widths of the columns."""
        raise NotImplementedError

    def column_title(self, name: str) -> Text:
        """Return the title of a column."""
        raise NotImplementedError

    def table_cells(self) -> list[list[Text]]:
        """Return the cells of every row."""
        raise NotImplementedError

    def runs_of(self, row: int) -> list[str]:
        """Return the runs of a row that can be opened."""
        raise NotImplementedError

    def show_row(self, row: int) -> None:
        """Show what the table has no room for, of one row."""
        raise NotImplementedError

    def open_row(self, row: int) -> None:
        """Open a row."""
        raise NotImplementedError

    def show_notes(self) -> None:
        """Show notes about the numbers."""
        raise NotImplementedError

    # The screen

    def compose_body(self) -> ComposeResult:
        """Yield the table; notes about the numbers; curves; details of the selected row."""
        yield RunsOfTrials(id="ladder", cursor_type="row", cell_padding=0)
        with VerticalScroll(id="notes", can_focus=False):
            yield Static(id="note")
        yield RunCurves()
        yield Static(id="detail")

    def on_mount(self) -> None:
        """Read the record."""
        self.query_one(DataTable).focus()
        read = partial(_read, self.workbench.workspace, self.sweep_name, self.KIND)
        in_background(self, read, self._sweep_read)
        self.set_interval(self.workbench.poll_seconds, self._read_again)

    def copyable(self) -> list[tuple[str, str]]:
        """Return the command that shows the same."""
        return [(tr("command"), shlex.join(["workbench", self.KIND, self.sweep_name]))]

    def _read_again(self) -> None:
        """Take trials that were added, and runs: they are recorded after their folder is made."""
        if self.sweep is not None and self.is_current:
            read = partial(_read_changed, self.workbench.workspace, self.sweep)
            in_background(self, read, self._sweep_read)

    def _sweep_read(self, found: tuple[Sweep, set[str]] | None) -> None:
        if found is not None:
            self.sweep, self.unseen = found
            self.runs_changed(self.workbench.runs)

    def on_screen_resume(self) -> None:
        """Show what changed behind another screen."""
        self.runs_changed(self.workbench.runs)

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        table = self.query_one(DataTable)
        at = table.cursor_row
        table.clear(columns=True)
        self.runs_changed(self.workbench.runs)
        table.move_cursor(row=at)

    def runs_changed(self, runs: Runs) -> None:
        """Show the state of the runs; the cursor stays."""
        if self.sweep is None or not self.is_current:
            return
        names = set(self.sweep.runs)
        self.views = {view.name: view for view in runs if view.name in names}
        self.unseen -= self.views.keys()
        self.make_rows(self.sweep)
        self._fill()
        self.show_notes()
        self._show_curves()
        self._show_detail()
        self.refresh_heading()

    def _show_curves(self) -> None:
        """Show the curves of the first run of each row, where there is room below the table."""
        size, curves = self.app.size, self.query_one(RunCurves)
        names = self._comparable()[:MAX_CURVES]
        room = size.height - len(self.table_cells()) - ROWS_BESIDE_CURVES
        roomy = bool(names) and room > 0
        curves.display = roomy
        self.query_one("#notes").set_class(roomy, "-above-curves")
        curves.set_class(size.width >= WIDE_COLUMNS, "-beside")
        if roomy:
            curves.show({name: self.views.get(name) for name in names}, self.workbench.utf8)

    def _fill(self) -> None:
        """Update the cells that changed."""
        table, columns = self.query_one(DataTable), self.table_columns()
        titles = {name: self.column_title(name) for name in columns}
        if {key.value: column.label for key, column in table.columns.items()} != titles:
            table.clear(columns=True)
            for name, width in columns.items():
                table.add_column(titles[name], key=name, width=width)
        rows = self.table_cells()
        while table.row_count > len(rows):
            table.remove_row(str(table.row_count - 1))
        for at, shown in enumerate(rows):
            if at == table.row_count:
                table.add_row(*shown, key=str(at))
                continue
            for name, cell in zip(columns, shown, strict=True):
                if table.get_cell(str(at), name) != cell:
                    table.update_cell(str(at), name, cell)

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        """Show what the table has no room for, of the row under the cursor."""
        table = self.query_one(DataTable)
        if table.row_count:
            self.show_row(table.cursor_row)
        offered = [self.check_action(action, ()) for action in OFFERED]
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys that do something now."""
        if action == "stop":
            return any(view.running for view in self.views.values())
        if action == "resume":
            return self._can_resume()
        if action == "compare":
            return len(self._comparable()) > 1
        return True

    def _can_resume(self) -> bool:
        """Return whether a run can continue, or none is left to launch the next ones."""
        if any(
            view.summary.state.resumable and view.summary.state.phase != "pruned"
            for view in self.views.values()
        ):
            return True
        planned = self.sweep is not None and any(not trial.run for trial in self.sweep.trials)
        return planned and not any(view.running for view in self.views.values())

    def _comparable(self) -> Sequence[str]:
        return [run for row in range(len(self.table_cells())) for run in self.runs_of(row)[:1]]

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        self.open_row(self.query_one(DataTable).cursor_row)

    def open_run(self, run: str) -> None:
        """Open the results of a finished run, or the training of another."""
        view = self.views.get(run)
        if view is not None:
            finished = view.summary.state.phase == "finished"
            self.workbench.open("results" if finished else "train", run)

    def action_stop(self) -> None:
        """Ask for confirmation, then request every worker to stop."""
        sweep = self.sweep
        if sweep is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                stop = partial(stop_sweep, self.workbench.workspace, sweep)
                in_background(self, stop, lambda asked: self.notify(_stopping(len(asked))))

        question = tr(
            "Stop all runs of {sweep}? Everything is saved, and {resume} resumes them.",
            sweep=sweep.name,
            resume=key_of(self, "ladder.resume"),
        )
        self.app.push_screen(Confirm(question, tr("Stop all")), answered)

    def action_resume(self) -> None:
        """Queue the trials that are not finished."""
        if self.sweep is not None:
            resume = partial(_resume, self.workbench.workspace, self.sweep)
            in_background(self, resume, lambda queued: self.notify(_queued(len(queued))))

    def action_compare(self) -> None:
        """Compare the runs, in the order of the table: one of each row."""
        self.workbench.open("compare", list(self._comparable()))


def _read(workspace: Workspace, name: str, kind: str) -> tuple[Sweep, set[str]]:
    """Return the sweep, and those of its runs that have a folder."""
    return _with_folders(workspace, find_sweep(workspace, name, kind))


def _with_folders(workspace: Workspace, sweep: Sweep) -> tuple[Sweep, set[str]]:
    return sweep, {folder.name for folder in run_folders(workspace, sweep)}


def _read_changed(workspace: Workspace, before: Sweep) -> tuple[Sweep, set[str]] | None:
    """Return the sweep if it is another than before, else, or if it is gone, None."""
    try:
        sweep = find_sweep(workspace, before.name, before.record.kind)
        return None if sweep == before else _with_folders(workspace, sweep)
    except (UserError, OSError):
        return None


def _stopping(runs: int) -> str:
    if not runs:
        return tr("None of its runs is running.")
    return tr(
        "Stop requested for {runs}: each saves a checkpoint and ends.", runs=plural(runs, "run")
    )


def _queued(runs: int) -> str:
    return (
        tr("{runs} queued.", runs=plural(runs, "run"))
        if runs
        else tr("All runs are finished or queued.")
    )


def _resume(workspace: Workspace, sweep: Sweep) -> list[int]:
    """Check, then queue; called in a thread."""
    specs = pending_specs(workspace, sweep)
    check_before_sweep([(describe_trial(sweep.trials[at]), spec) for at, spec in specs.items()])
    return start(workspace, sweep)
