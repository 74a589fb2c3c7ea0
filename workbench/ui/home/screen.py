"""Home: the runs, newest first, and where to go from here."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import DataTable, Input, Static

from workbench.render.home import detail_of, fits_filter, nothing_yet, runs_words
from workbench.runs.trash import TrashedRun, list_trash, move_to_trash
from workbench.runs.watch import Runs, RunView
from workbench.text import plural, safe_text
from workbench.ui.background import in_background
from workbench.ui.home.run_table import RunTable
from workbench.ui.pick_ladder import open_ladders
from workbench.ui.restore import bring_back
from workbench.ui.run_actions import compare_run, confirm_and_do, stop_run
from workbench.ui.screen import WorkbenchScreen

OFFERED = ("compare", "stop", "resume", "delete", "undo", "filter", "ladders")  # where they can be
TRASH, FILTER = "to the trash, from where it can come back", "by a part of name, strategy or state"


class HomeScreen(WorkbenchScreen):
    """All runs of the workspace; running ones on top."""

    AUTO_FOCUS = ""  # the table takes it with its first row; never the filter, which takes letters
    CONCEPTS = ("workbench",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "All runs", id="back"),
        Binding("n", "new", "New", id="new"),
        Binding("e", "learn", "Experiments", id="learn"),
        Binding("c", "compare", "Compare", id="compare"),
        Binding("r", "resume", "Resume", id="resume"),
        Binding("x", "stop", "Stop", id="stop"),
        Binding("q", "app.quit", "Quit", id="quit"),
        Binding("m", "machine", "Machine", id="machine"),
        Binding("d", "demo", "Demo", id="demo"),
        Binding("delete,backspace", "delete", "Delete", id="delete", tooltip=TRASH),
        Binding("slash", "filter", "Filter", key_display="/", id="filter", tooltip=FILTER),
        Binding("l", "ladders", "Ladders", id="ladders"),
        Binding("u", "undo", "Undo", id="undo", tooltip="bring back what was deleted last"),
    ]

    _detail = Text()
    _detail_lines = 0
    _offered: Sequence[bool | None] = ()
    _names: frozenset[str] | None = None  # of all runs, when the trash was looked at
    _trash: Sequence[TrashedRun] = ()
    _left_with: Sequence[str] = ()  # the runs shown when it was left for another screen

    def compose_body(self) -> ComposeResult:
        """The filter, hidden until it is asked for; the table; a word where it is empty."""
        yield Input(placeholder="part of a name, strategy or state", id="filter")
        yield RunTable(id="runs")
        yield Static(id="nothing")
        yield Static(id="detail")

    def heading(self) -> Text:
        """The workspace, and how many runs it has."""
        runs = self.workbench.runs
        text = Text("workbench", style="bold")
        text.append(f"  {safe_text(self.workbench.workspace.root, 60)}", style="dim")
        text.append(f"   {runs_words(runs)}")
        if ladders := self.workbench.ladders:
            text.append(f", {plural(len(ladders), 'ladder')} (l)")
        return text

    def on_mount(self) -> None:
        """Shows the runs that are known and all that come."""
        self.query_one("#filter").display = False
        self.runs_changed(self.workbench.runs)

    def on_screen_resume(self) -> None:
        """Shows what changed behind the other screen, the cursor on a run that began there."""
        if not self.is_current:
            return
        self.workbench.cool_down()  # the way to a run was left
        self.runs_changed(self.workbench.runs)
        table = self.query_one(RunTable)
        began = [name for name in table.names if name not in self._left_with]
        if self._left_with and began:
            table.move_to(began[0])
        self._left_with = ()

    def on_screen_suspend(self) -> None:
        """Takes note of the runs; a dialog goes back to where it was opened."""
        if not isinstance(self.app.screen, ModalScreen):
            self._left_with = self.query_one(RunTable).names

    def on_resize(self) -> None:
        """Gives the columns what room there is."""
        self.runs_changed(self.workbench.runs)

    def runs_changed(self, runs: Runs) -> None:
        """Fills the table; the cursor stays on its run. Behind another screen it waits."""
        if not self.is_current:
            return
        wanted = self.query_one("#filter", Input).value
        shown = [view for view in runs if fits_filter(view, wanted)]
        table = self.query_one(RunTable)
        table.fill(shown, self.workbench.utf8)
        table.display = bool(shown)
        if shown and not self.focused:  # it lost the focus when its last row went
            table.focus()
        nothing = self.query_one("#nothing", Static)
        nothing.display = not shown
        if not shown:
            nothing.update(nothing_yet(wanted, bool(self._trash)))
        self._show_detail()
        self.refresh_heading()
        names = frozenset(view.name for view in runs)
        if names != self._names:  # one may have gone to the trash, or come back from it
            self._names = names
            in_background(self, lambda: list_trash(self.workbench.workspace), self._offer_trash)

    def _offer_trash(self, found: Sequence[TrashedRun]) -> None:
        self._trash = found
        self.runs_changed(self.workbench.runs)

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        """What the table has no room for, of the run under the cursor."""
        view = self._chosen()
        self.run = view.name if view else ""
        detail = detail_of(view) if view else Text()
        if detail != self._detail:
            self._detail = detail
            room = max(self.app.size.width - 4, 20)  # within the margins of body and text
            lines = len(detail.wrap(self.app.console, room))
            self.query_one("#detail", Static).update(detail, layout=lines != self._detail_lines)
            self._detail_lines = lines
        offered = [self.check_action(action, ()) for action in OFFERED]
        if offered != self._offered:  # the footer is drawn anew only where it changes
            self._offered = offered
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers what can be done with the run under the cursor, and with the others."""
        if action == "undo":
            return bool(self._trash)
        if action == "filter":
            return bool(self.workbench.runs)
        if action == "ladders":
            return bool(self.workbench.ladders)
        if action == "back":  # takes the filter away
            return any(field.display for field in self.query("#filter"))
        if action not in OFFERED:
            return True
        view = self._chosen()
        if view is None:
            return False
        offered = {
            "stop": view.working,
            "resume": view.summary.state.resumable,
            "compare": len(self.workbench.runs) > 1,
        }
        return offered.get(action, True)

    def _chosen(self) -> RunView | None:
        """The run under the cursor."""
        names = [table.chosen for table in self.query(RunTable)]  # none before it is composed
        return self.workbench.find_run(names[0]) if names and names[0] else None

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """The run under the cursor."""
        if view := self._chosen():
            self.workbench.open("train", view.name)

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
        self.workbench.open("machine")

    def action_compare(self) -> None:
        """Asks which runs, and holds them beside the one under the cursor."""
        if view := self._chosen():
            compare_run(self, view)

    def action_ladders(self) -> None:
        """Rungs that were queued together."""
        open_ladders(self.workbench)

    def action_learn(self) -> None:
        """The chapter's claims as small experiments."""
        self.workbench.open("lessons")

    def action_filter(self) -> None:
        """Shows the filter; an empty one goes away again."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()
        self.refresh_bindings()

    @on(Input.Changed, "#filter")
    def _filter(self) -> None:
        self.runs_changed(self.workbench.runs)

    @on(Input.Submitted, "#filter")
    def _filtered(self) -> None:
        self.query_one("#filter").display = bool(self.query_one("#filter", Input).value)
        self.query_one(RunTable).focus()
        self.refresh_bindings()

    def action_back(self) -> None:
        """Takes the filter away; home has no screen before it."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self.query_one(RunTable).focus()
        self.refresh_bindings()

    def action_stop(self) -> None:
        """Asks, then asks the worker."""
        if view := self._chosen():
            stop_run(self, view)

    def action_resume(self) -> None:
        """Goes on with a run at its last checkpoint."""
        from workbench.ui.resume import resume_run

        if view := self._chosen():
            resume_run(self, view, lambda _: self.workbench.open("train", view.name))

    def action_delete(self) -> None:
        """Asks, then moves the run to the trash."""
        view = self._chosen()
        if view is None:
            return
        name = safe_text(view.name)
        if view.working:
            words = f"{name} is at work: x stops it, and then it can be deleted."
            self.notify(words, severity="warning")
            return

        def delete() -> str:
            move_to_trash(self.workbench.workspace, view.folder)
            return f"{name} is in the trash; u brings it back."

        question = f"Delete {view.name}? It moves to the trash, and u brings it back."
        confirm_and_do(self, question, "Delete", delete)

    def action_undo(self) -> None:
        """Brings back the run that was deleted last."""
        workspace = self.workbench.workspace

        def looked(found: Sequence[TrashedRun]) -> None:
            if found:
                bring_back(self, workspace, found[0])

        in_background(self, lambda: list_trash(workspace), looked)  # it may have changed
