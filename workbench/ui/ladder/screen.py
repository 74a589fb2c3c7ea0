"""A ladder: its rungs one after the other, beside what the book and its readers reached."""

from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Static

from workbench.app.ladder_lead import lead_in_words, measured
from workbench.app.ladder_rows import GONE, RungRow, notes, row_without_run, rung_row
from workbench.machine.preflight import look_before_ladder
from workbench.paths import Workspace
from workbench.runs.ladder import Ladder, ask_to_stop, find_ladder, folders, specs_left_to_do, start
from workbench.runs.watch import Runs, RunView
from workbench.text import plural
from workbench.ui.background import in_background
from workbench.ui.dialogs import Confirm
from workbench.ui.ladder.text import cells, columns, detail, heading, title
from workbench.ui.screen import WorkbenchScreen

OFFERED = ("stop", "resume", "compare")  # only where they can be done
STARTING = "starting"  # of a run that is there and was not looked at yet


class RungTable(DataTable[Text]):
    """Says among the keys what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Open")]


class LadderScreen(WorkbenchScreen):
    """The rungs as they are trained.

    Args:
        ladder: its name.
    """

    CONCEPTS = ("interval", "overfitting", "transfer", "feature-extraction")
    CSS = """
    LadderScreen #notes { height: 1fr; margin-top: 1; color: $secondary; }
    LadderScreen #detail { padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "Stop all", id="ladder.stop", tooltip="every run of the ladder"),
        Binding("r", "resume", "Resume", id="ladder.resume", tooltip="all that is not finished"),
        Binding("c", "compare", "Compare", id="ladder.compare", tooltip="the rungs side by side"),
    ]

    def __init__(self, ladder: str) -> None:
        super().__init__()
        self.ladder_name = ladder
        self._ladder: Ladder | None = None
        self._unseen: set[str] = set()  # runs whose folders are there and that no look has met
        self._views: dict[str, RunView] = {}
        self._rows: list[RungRow] = []
        self._offered: list[bool | None] = []
        self._lead = ""
        self._lead_of: list[RungRow] = []  # the two rungs that it was asked for

    def compose_body(self) -> ComposeResult:
        """The rungs; what is to be said of the figures; the rung under the cursor."""
        yield RungTable(id="rungs", cursor_type="row", cell_padding=0)
        with VerticalScroll(id="notes", can_focus=False):
            yield Static(id="said")
        yield Static(id="detail")

    def heading(self) -> Text:
        """The ladder, and how far it has come."""
        return heading(self.ladder_name, self._rows)

    def on_mount(self) -> None:
        """Reads which runs they are, and follows them."""
        super().on_mount()
        self.query_one(DataTable).focus()
        workspace, name = self.workbench.workspace, self.ladder_name
        in_background(self, partial(_read, workspace, name), self._found)
        self.runs_changed(self.workbench.runs)

    def _found(self, found: tuple[Ladder, set[str]]) -> None:
        self._ladder, self._unseen = found
        self.runs_changed(self.workbench.runs)

    def on_screen_resume(self) -> None:
        """Shows what changed behind the other screen."""
        self.runs_changed(self.workbench.runs)

    def on_resize(self) -> None:
        """Other columns where there is other room."""
        super().on_resize()
        table = self.query_one(DataTable)
        at = table.cursor_row
        table.clear(columns=True)
        self.runs_changed(self.workbench.runs)
        table.move_cursor(row=at)

    # What is shown

    def runs_changed(self, runs: Runs) -> None:
        """How the rungs stand; the cursor stays where it is."""
        if self._ladder is None or not self.is_current:
            return
        names = {rung.run for rung in self._ladder.rungs}
        self._views = {view.name: view for view in runs if view.name in names}
        self._unseen -= self._views.keys()
        rows = []
        for rung in self._ladder.rungs:
            if view := self._views.get(rung.run):
                rows.append(rung_row(rung, view.summary, view.history))
            else:
                rows.append(row_without_run(rung, STARTING if rung.run in self._unseen else GONE))
        self._rows = rows
        self._fill()
        self._show_notes()
        self._ask_for_lead()
        self._show_detail()
        self.refresh_heading()

    def _show_notes(self) -> None:
        said = [*([self._lead] if self._lead else []), *notes(self._rows)]
        self.query_one("#said", Static).update(Text("\n".join(said)))

    def _ask_for_lead(self) -> None:
        """Has the answers of the two best rungs compared where they are others than before."""
        best = measured(self._rows)[:2]
        if best == self._lead_of:
            return
        self._lead_of = best

        def known(lead: str) -> None:
            if best == self._lead_of:
                self._lead = lead
                self._show_notes()

        in_background(self, partial(lead_in_words, self.workbench.workspace, best), known)

    def _fill(self) -> None:
        """Brings the cells up to date; those that did not change are left alone."""
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
        """What the table has no room for, of the rung under the cursor."""
        if row := self._chosen():
            self.run = row.run
            view = self._views.get(row.run)
            best = view.summary.best_val_accuracy if view else None
            self.query_one("#detail", Static).update(detail(row, best), layout=False)
        offered = [self.check_action(action, ()) for action in OFFERED]
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def _chosen(self) -> RungRow | None:
        at = self.query_one(DataTable).cursor_row
        return self._rows[at] if at < len(self._rows) else None

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers the keys that do something now."""
        if action == "stop":
            return any(view.working for view in self._views.values())
        if action == "resume":
            return any(view.summary.state.resumable for view in self._views.values())
        if action == "compare":
            return len(self._views) > 1
        return True

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        """The run of the rung: its results where it is finished, else how it trains."""
        row = self._chosen()
        if row is None or row.run not in self._views:
            return
        if row.state == "finished":
            self.workbench.open("results", row.run)
        else:
            self.workbench.open("train", row.run)

    def action_stop(self) -> None:
        """Asks, then asks every worker."""
        ladder = self._ladder
        if ladder is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                stop = partial(ask_to_stop, self.workbench.workspace, ladder)
                in_background(self, stop, lambda asked: self.notify(_stopping(len(asked))))

        question = f"Stop all runs of {ladder.name}? Everything is saved, and r goes on with them."
        self.app.push_screen(Confirm(question, "Stop all"), answered)

    def action_resume(self) -> None:
        """Queues what is not finished."""
        if self._ladder is not None:
            resume = partial(_resume, self.workbench.workspace, self._ladder)
            in_background(self, resume, lambda queued: self.notify(_queued(len(queued))))

    def action_compare(self) -> None:
        """The runs side by side, from the lowest rung up."""
        runs = [row.run for row in self._rows if row.run in self._views]
        self.workbench.open("compare", runs)


def _read(workspace: Workspace, name: str) -> tuple[Ladder, set[str]]:
    """The ladder, and the runs of it that are there."""
    ladder = find_ladder(workspace, name)
    return ladder, {folder.name for folder in folders(workspace, ladder)}


def _stopping(runs: int) -> str:
    if not runs:
        return "None of its runs is at work."
    return f"{plural(runs, 'run')} asked to stop: a checkpoint is saved, then each ends."


def _queued(runs: int) -> str:
    return f"{plural(runs, 'run')} queued." if runs else "Nothing is left to do."


def _resume(workspace: Workspace, ladder: Ladder) -> list[str]:
    """In a thread: looks whether it can be done first."""
    look_before_ladder(specs_left_to_do(workspace, ladder))
    return start(workspace, ladder)
