"""Home: the runs, newest first, and where to go from here."""

import time
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Input, Static
from textual.widgets.data_table import ColumnKey

from workbench.errors import UserError
from workbench.runs.launch import launch, request_stop
from workbench.runs.trash import move_to_trash
from workbench.text import human_age, plural, safe_text
from workbench.ui.feed import Runs, RunView
from workbench.ui.marks import COLORS, sign, sparkline
from workbench.ui.screens.base import WorkbenchScreen
from workbench.ui.screens.dialogs import Confirm

# Column and its least width in cells; what a wider terminal has more goes by the shares.
COLUMNS = {"state": 13, "run": 17, "strategy": 14, "best": 5, "curve": 8, "when": 8}
SHARES = {"run": 0.3, "strategy": 0.5, "curve": 0.2}
PADDING = 2  # cells around a column


class HomeScreen(WorkbenchScreen):
    """All runs of the workspace; running ones on top."""

    CONCEPTS = ("workbench",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New", id="new"),
        Binding("d", "demo", "Demo", id="demo"),
        Binding("enter", "open", "Open", id="open"),
        Binding("c", "compare", "Compare", id="compare"),
        Binding("m", "machine", "Machine", id="machine"),
        Binding("r", "resume", "Resume", id="resume"),
        Binding("x", "stop", "Stop", id="stop"),
        Binding("delete", "delete", "Delete", id="delete"),
        Binding("slash", "filter", "Filter", key_display="/", id="filter"),
        Binding("q", "app.quit", "Quit", id="quit"),
        Binding("escape", "back", "Back", show=False, id="back"),
    ]

    _detail = Text()
    _offered: Sequence[bool | None] = ()

    def compose_body(self) -> ComposeResult:
        """The filter, hidden until it is asked for; the table; a word where it is empty."""
        yield Input(placeholder="part of a name, strategy or state", id="filter")
        yield DataTable(id="runs", cursor_type="row", zebra_stripes=False)
        yield Static(id="nothing")
        yield Static(id="detail")

    def heading(self) -> Text:
        """The workspace, and how many runs it has."""
        runs = self.workbench.runs
        working = sum(view.working for view in runs)
        text = Text("workbench", style="bold")
        text.append(f"  {safe_text(self.workbench.workspace.root, 60)}", style="dim")
        text.append(f"   {plural(len(runs), 'run')}" + (f", {working} at work" if working else ""))
        return text

    def on_mount(self) -> None:
        """Shows the runs that are known and all that come."""
        table = self.query_one(DataTable)
        for title, width in self._widths().items():
            table.add_column(title, key=title, width=width)
        self.query_one("#filter").display = False
        self.watch(self.app, "runs", self._show)
        table.focus()

    def on_screen_resume(self) -> None:
        """Shows what changed behind the other screen."""
        self._show(self.workbench.runs)

    def on_resize(self) -> None:
        """Gives the columns what room there is."""
        table = self.query_one(DataTable)
        for title, width in self._widths().items():
            if title in table.columns:
                table.columns[ColumnKey(title)].width = width
        table.refresh(layout=True)
        self._show(self.workbench.runs)

    def _widths(self) -> dict[str, int]:
        """Cells of each column."""
        margins = 2 + PADDING * len(COLUMNS)
        spare = max(self.app.size.width - margins - sum(COLUMNS.values()), 0)
        return {title: n + int(SHARES.get(title, 0) * spare) for title, n in COLUMNS.items()}

    def _show(self, runs: Runs) -> None:
        """Fills the table; the cursor stays on its run. Behind another screen it waits."""
        if not self.is_current:
            return
        table = self.query_one(DataTable)
        chosen = self._chosen_name()
        wanted = self.query_one("#filter", Input).value.lower()
        shown = [view for view in runs if wanted in _searched(view)]
        names = [view.name for view in shown]
        if names != [key.value for key in table.rows]:
            table.clear()
            for view in shown:
                table.add_row(*self._cells(view), key=view.name)
            if chosen in names:
                table.move_cursor(row=names.index(chosen))
        else:
            for view in shown:
                for title, cell in zip(COLUMNS, self._cells(view), strict=True):
                    if table.get_cell(view.name, title) != cell:
                        table.update_cell(view.name, title, cell)
        table.display = bool(shown)
        nothing = self.query_one("#nothing", Static)
        nothing.display = not shown
        if not shown:
            nothing.update(_nothing(wanted))
        self._show_detail()
        self.refresh_heading()

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        """What the table has no room for, of the run under the cursor."""
        view = self._chosen()
        detail = _detail(view) if view else Text()
        if detail != self._detail:
            self._detail = detail
            self.query_one("#detail", Static).update(detail, layout=False)
        offered = [self.check_action(action, ()) for action in ("stop", "resume")]
        if offered != self._offered:  # the footer is drawn anew only where it changes
            self._offered = offered
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers to stop or to resume where the run under the cursor can be."""
        if action not in ("stop", "resume"):
            return True
        view = self._chosen() if self.query(DataTable) else None
        if view is None:
            return False
        return view.working if action == "stop" else view.summary.state.resumable

    def _cells(self, view: RunView) -> tuple[Text, ...]:
        utf8, summary, widths = self.workbench.utf8, view.summary, self._widths()
        word = summary.state.word
        accuracies = [row.val_accuracy for row in view.history.epochs]
        best = summary.test_accuracy or summary.best_val_accuracy
        return (
            Text.assemble(f"{word:<11}", " ", sign(word, utf8), style=self._color(word)),
            Text(safe_text(view.name, widths["run"])),
            Text(safe_text(summary.preset or summary.strategy, widths["strategy"])),
            Text("-" if best is None else f"{best:.3f}", justify="right"),
            Text(sparkline(accuracies, widths["curve"], utf8)),
            Text(_when(view)),
        )

    def _color(self, word: str) -> str:
        name = COLORS.get(word, "$foreground").removeprefix("$")
        return self.app.theme_variables.get(name, "")

    def _chosen_name(self) -> str | None:
        table = self.query_one(DataTable)
        if not table.row_count:
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    def _chosen(self) -> RunView | None:
        name = self._chosen_name()
        return self.workbench.find_run(name) if name else None

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """The run under the cursor."""
        if view := self._chosen():
            self.workbench.open_run(view)

    def action_new(self) -> None:
        """The guided way of a new experiment, or on with one that was begun."""
        from workbench.ui.guide import begin_experiment

        begin_experiment(self.workbench)

    def action_demo(self) -> None:
        """A dense network and a convnet on handwritten digits, one after the other."""
        from workbench.ui.guide import begin_demo

        begin_demo(self.workbench)

    def action_machine(self) -> None:
        """The machine check."""
        from workbench.ui.screens.machine import MachineScreen

        self.app.push_screen(MachineScreen())

    def action_compare(self) -> None:
        """Asks which runs, and holds them beside the one under the cursor."""
        from workbench.ui.screens.compare import CompareScreen, PickRuns

        view = self._chosen()
        others = [one for one in self.workbench.runs if view and one.name != view.name]
        if view is None or not others:
            self.notify("It takes two runs to compare.", severity="warning")
            return
        first = view.name

        def answered(names: tuple[str, ...] | None) -> None:
            if names:
                self.app.push_screen(CompareScreen((first, *names)))

        self.app.push_screen(PickRuns(f"Compare {first} with which runs?", others), answered)

    def action_filter(self) -> None:
        """Shows the filter; an empty one goes away again."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def _filter(self) -> None:
        self._show(self.workbench.runs)

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self.query_one("#filter").display = bool(self.query_one("#filter", Input).value)
        self.query_one(DataTable).focus()

    def action_back(self) -> None:
        """Takes the filter away; home has no screen before it."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self.query_one(DataTable).focus()

    def action_stop(self) -> None:
        """Asks, then asks the worker."""
        view = self._chosen()
        if view is None or not view.working:
            self.notify("This run is not at work.", severity="warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                request_stop(view.folder)
                self.notify(f"{view.name} saves a checkpoint and ends.")

        question = f"Stop {view.name}? Everything is saved, and r goes on with it."
        self.app.push_screen(Confirm(question, "Stop"), answered)

    def action_resume(self) -> None:
        """Goes on with a run at its last checkpoint."""
        view = self._chosen()
        if view is None or not view.summary.state.resumable:
            self.notify("This run has nothing to go on with.", severity="warning")
            return
        try:
            launch(view.folder, resume=True)
        except UserError as error:
            self.notify(safe_text(str(error), 400), severity="error")
            return
        self.workbench.open_run(view)

    def action_delete(self) -> None:
        """Asks, then moves the run to the trash."""
        view = self._chosen()
        if view is None:
            return

        def answered(yes: bool | None) -> None:
            if not yes:
                return
            try:
                moved = move_to_trash(self.workbench.workspace, view.folder)
            except (UserError, OSError) as error:
                self.notify(safe_text(str(error), 400), severity="error")
                return
            self.notify(f"Moved to {safe_text(moved.path, 200)}")

        question = f"Delete {view.name}? Its folder moves to the trash of saved_models."
        self.app.push_screen(Confirm(question, "Delete"), answered)


def _searched(view: RunView) -> str:
    summary = view.summary
    parts = (view.name, summary.preset or "", summary.strategy, summary.state.word, summary.data)
    return " ".join(parts).lower()


def _when(view: RunView) -> str:
    """How far a run at work is; how long ago another was heard of."""
    summary = view.summary
    if view.working:
        total = summary.epochs_total
        return f"{summary.epochs_done}/{total}" if total else "begun"
    if summary.last_sign is None:
        return "-"
    return human_age(max(time.time() - summary.last_sign, 0))


def _detail(view: RunView) -> Text:
    """The run in two lines."""
    summary, history = view.summary, view.history
    parts = [f"{safe_text(summary.data, 40)}, {safe_text(summary.strategy, 30)}"]
    if summary.random_weights:
        parts.append("random weights")
    if summary.best_val_accuracy is not None:
        parts.append(f"best validation {summary.best_val_accuracy:.4f}")
    if summary.test_accuracy is not None:
        parts.append(f"test {summary.test_accuracy:.4f}")
    text = Text(", ".join(parts))
    detail = safe_text(history.message, 300) or summary.state.detail
    if detail:
        text.append(f"\n{summary.state.word}: {detail}", style="dim")
    return text


def _nothing(wanted: str) -> Text:
    if wanted:
        return Text("No run fits the filter; escape takes it away.")
    return Text(
        "No runs yet.\n\n"
        "n  a new experiment: from your images to a trained classifier, step by step\n"
        "d  the demo: a dense network and a convnet on handwritten digits, a minute\n"
        "m  the machine: does training run on a GPU here, and how fast?\n"
        "?  what all this is"
    )
