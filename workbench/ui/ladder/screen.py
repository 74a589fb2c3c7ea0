"""A ladder: its strategies, their results, and what the book and its readers reached."""

from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Static

from workbench.app.ladder import (
    GONE,
    LadderRow,
    describe_lead,
    ladder_notes,
    ladder_row,
    measured,
    row_without_run,
)
from workbench.machine.preflight import check_before_ladder
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.ladder import (
    Ladder,
    find_ladder,
    pending_specs,
    run_folders,
    start,
    stop_ladder,
)
from workbench.runs.watch import Runs, RunView
from workbench.text import plural
from workbench.ui.base import WorkbenchScreen, in_background
from workbench.ui.dialogs import Confirm
from workbench.ui.ladder.text import cells, columns, format_detail, format_heading, title

OFFERED = ("stop", "resume", "compare")  # if possible
STARTING = "starting"  # of a run that is there and was not polled yet


class LadderTable(DataTable[Text]):
    """A row for each strategy; enter opens its run."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Open")]


class LadderScreen(WorkbenchScreen):
    """The strategies of a ladder while their runs train.

    Args:
        ladder: its name.
    """

    CONCEPTS = ("interval", "overfitting", "transfer", "feature-extraction")
    CSS = """
    LadderScreen #notes { height: 1fr; margin-top: 1; color: $secondary; }
    LadderScreen #detail { padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "x", "stop", tr("Stop all"), id="ladder.stop", tooltip=tr("every run of the ladder")
        ),
        Binding(
            "r", "resume", "Resume", id="ladder.resume", tooltip=tr("all that is not finished")
        ),
        Binding(
            "c", "compare", "Compare", id="ladder.compare", tooltip=tr("its runs side by side")
        ),
    ]

    def __init__(self, ladder: str) -> None:
        super().__init__()
        self.ladder_name = ladder
        self._ladder: Ladder | None = None
        self._unseen: set[str] = set()  # runs with a folder that were not polled yet
        self._views: dict[str, RunView] = {}
        self._rows: list[LadderRow] = []
        self._offered: list[bool | None] = []
        self._lead = ""
        self._lead_of: list[LadderRow] = []  # the two best rows, which it compares

    def compose_body(self) -> ComposeResult:
        """Yield the table; notes about the numbers; details of the selected row."""
        yield LadderTable(id="ladder", cursor_type="row", cell_padding=0)
        with VerticalScroll(id="notes", can_focus=False):
            yield Static(id="note")
        yield Static(id="detail")

    def heading(self) -> Text:
        """Return the ladder and its progress."""
        return format_heading(self.ladder_name, self._rows)

    def on_mount(self) -> None:
        """Read the ladder."""
        self.query_one(DataTable).focus()
        workspace, name = self.workbench.workspace, self.ladder_name
        in_background(self, partial(_read, workspace, name), self._ladder_read)
        self.runs_changed(self.workbench.runs)

    def _ladder_read(self, found: tuple[Ladder, set[str]]) -> None:
        self._ladder, self._unseen = found
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

    # Drawing

    def runs_changed(self, runs: Runs) -> None:
        """Show the state of the runs; the cursor stays."""
        if self._ladder is None or not self.is_current:
            return
        names = {entry.run for entry in self._ladder.entries}
        self._views = {view.name: view for view in runs if view.name in names}
        self._unseen -= self._views.keys()
        rows = []
        for entry in self._ladder.entries:
            if view := self._views.get(entry.run):
                rows.append(ladder_row(entry, view.summary, view.history))
            else:
                rows.append(row_without_run(entry, STARTING if entry.run in self._unseen else GONE))
        self._rows = rows
        self._fill()
        self._show_notes()
        self._compare_best()
        self._show_detail()
        self.refresh_heading()

    def _show_notes(self) -> None:
        lines = [*([self._lead] if self._lead else []), *ladder_notes(self._rows)]
        self.query_one("#note", Static).update(Text("\n".join(lines)))

    def _compare_best(self) -> None:
        """Compare the predictions of the two best runs if they changed."""
        best = measured(self._rows)[:2]
        if best == self._lead_of:
            return
        self._lead_of = best

        def compared(lead: str) -> None:
            if best == self._lead_of:
                self._lead = lead
                self._show_notes()

        in_background(self, partial(describe_lead, self.workbench.workspace, best), compared)

    def _fill(self) -> None:
        """Update the cells that changed."""
        table, room = self.query_one(DataTable), self.app.size.width
        if not table.columns:
            for name, width in columns(room).items():
                table.add_column(title(name), key=name, width=width)
        for at, row in enumerate(self._rows):
            below = self._rows[at - 1].preset if at else ""
            view = self._views.get(row.run)
            curve = [epoch.val_accuracy for epoch in view.history.epochs] if view else []
            shown = cells(row, below, curve, room, self.workbench.utf8, self.app.theme_variables)
            if at == table.row_count:
                table.add_row(*shown, key=str(at))
                continue
            for name, cell in zip(columns(room), shown, strict=True):
                if table.get_cell(str(at), name) != cell:
                    table.update_cell(str(at), name, cell)

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        """Show what the table has no room for, of the row under the cursor."""
        if row := self._chosen():
            self.run = row.run
            view = self._views.get(row.run)
            best = view.summary.best_val_accuracy if view else None
            self.query_one("#detail", Static).update(format_detail(row, best), layout=False)
        offered = [self.check_action(action, ()) for action in OFFERED]
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def _chosen(self) -> LadderRow | None:
        at = self.query_one(DataTable).cursor_row
        return self._rows[at] if at < len(self._rows) else None

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys that do something now."""
        if action == "stop":
            return any(view.running for view in self._views.values())
        if action == "resume":
            return any(view.summary.state.resumable for view in self._views.values())
        if action == "compare":
            return len(self._views) > 1
        return True

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        """Open the results of a finished run, or the training of another."""
        row = self._chosen()
        if row is None or row.run not in self._views:
            return
        if row.state == "finished":
            self.workbench.open("results", row.run)
        else:
            self.workbench.open("train", row.run)

    def action_stop(self) -> None:
        """Ask for confirmation, then request every worker to stop."""
        ladder = self._ladder
        if ladder is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                stop = partial(stop_ladder, self.workbench.workspace, ladder)
                in_background(self, stop, lambda asked: self.notify(_stopping(len(asked))))

        question = f"Stop all runs of {ladder.name}? Everything is saved, and r resumes them."
        self.app.push_screen(Confirm(question, tr("Stop all")), answered)

    def action_resume(self) -> None:
        """Queue the runs that are not finished."""
        if self._ladder is not None:
            resume = partial(_resume, self.workbench.workspace, self._ladder)
            in_background(self, resume, lambda queued: self.notify(_queued(len(queued))))

    def action_compare(self) -> None:
        """Compare the runs, in the order of the table."""
        runs = [row.run for row in self._rows if row.run in self._views]
        self.workbench.open("compare", runs)


def _read(workspace: Workspace, name: str) -> tuple[Ladder, set[str]]:
    """Return the ladder, and those of its runs that have a folder."""
    ladder = find_ladder(workspace, name)
    return ladder, {folder.name for folder in run_folders(workspace, ladder)}


def _stopping(runs: int) -> str:
    if not runs:
        return tr("None of its runs is running.")
    return tr(
        "Stop requested for {runs}: each saves a checkpoint and ends.", runs=plural(runs, "run")
    )


def _queued(runs: int) -> str:
    return f"{plural(runs, 'run')} queued." if runs else tr("All runs are finished or queued.")


def _resume(workspace: Workspace, ladder: Ladder) -> list[str]:
    """Check, then queue; called in a thread."""
    check_before_ladder(list(pending_specs(workspace, ladder).items()))
    return start(workspace, ladder)
