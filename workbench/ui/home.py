"""Home: the runs, newest first, and the way to all other screens."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Input, Static

from workbench.app.table_settings import TableSettings, read_settings, settings_path
from workbench.experiment.metrics import METRICS
from workbench.hosts.fetch import describe_problem
from workbench.messages import tr
from workbench.render.runs import (
    describe_run,
    describe_runs,
    empty_table_text,
    matches_filter,
)
from workbench.runs.sweep_record import LADDER, SWEEP
from workbench.runs.trash import TrashedRun, list_trash, move_to_trash
from workbench.runs.watch import Runs, RunView, in_order
from workbench.text import plural, safe_text
from workbench.ui.base import WorkbenchScreen, in_background
from workbench.ui.dialogs import PickName
from workbench.ui.fetch import ask_to_fetch
from workbench.ui.run_actions import (
    compare_run,
    confirm_and_run,
    restore_run,
    resume_run,
    stop_run,
)
from workbench.ui.run_table import RunTable

# Offered if possible.
OFFERED = ("compare", "stop", "resume", "delete", "undo", "filter", "ladders", "settings", "sort")
TRASH, FILTER = (
    tr("to the trash, from which u restores it"),
    tr("by a part of name, strategy or state"),
)


class HomeScreen(WorkbenchScreen):
    """All runs of the workspace; running ones on top."""

    AUTO_FOCUS = ""  # the table gets it with its first row; never the filter, which takes letters
    CONCEPTS = ("workbench", "macro-f1", "auc", "top-5")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", tr("All runs"), id="back"),
        Binding("n", "new", "New", id="new"),
        Binding("E", "lessons", "Lessons", key_display="E", id="lessons"),
        Binding("c", "compare", "Compare", id="compare"),
        Binding("r", "resume", "Resume", id="resume"),
        Binding("x", "stop", "Stop", id="stop"),
        Binding("S", "app.settings_screen", tr("Settings"), key_display="S", id="settings.screen"),
        Binding("q", "app.quit", "Quit", id="quit"),
        Binding("m", "machine", "Machine", id="machine"),
        Binding("D", "demo", "Demo", key_display="D", id="demo"),
        Binding("d,delete", "delete", "Delete", id="delete", tooltip=TRASH),
        Binding("slash", "filter", "Filter", key_display="/", id="filter", tooltip=FILTER),
        Binding("A", "ladders", "Ladders", key_display="A", id="ladders"),
        Binding("s", "settings", "Metric", id="settings", tooltip=tr("which one the table shows")),
        Binding("o", "sort", "Sort", id="sort", tooltip=tr("the newest or the best run first")),
        Binding(
            "u", "undo", "Undo", id="undo", tooltip=tr("restore the run that was deleted last")
        ),
    ]

    _detail = Text()
    _detail_lines = 0
    _offered: Sequence[bool | None] = ()
    _names: frozenset[str] | None = None  # of all runs, when the trash was read
    _trash: Sequence[TrashedRun] = ()
    _settings = TableSettings()
    _names_before: Sequence[str] = ()  # of the runs shown when another screen opened

    def compose_body(self) -> ComposeResult:
        """Yield filter, hidden at first; table; a hint if it is empty; machines; the detail."""
        yield Input(placeholder=tr("part of a name, strategy or state"), id="filter")
        yield RunTable(id="runs")
        yield Static(id="nothing")
        with Vertical(id="foot"):
            yield Static(id="hosts")
            yield Static(id="detail")

    def heading(self) -> Text:
        """Return the workspace and the number of its runs."""
        text = Text("workbench", style="bold")
        text.append(f"  {safe_text(self.workbench.workspace.root, 60)}", style="dim")
        text.append(f"   {describe_runs(self._everywhere())}")
        if hosts := self.workbench.hosts:
            text.append(tr(" on {count} machines", count=len(hosts) + 1))
        if self._settings.best_first:
            text.append(tr(", best {metric} first", metric=METRICS[self._settings.metric]))
        kinds = Counter(sweep.kind for sweep in self.workbench.sweeps)
        if kinds:
            counts = ", ".join(plural(kinds[kind], kind) for kind in sorted(kinds))
            text.append(f", {counts} (A)")
        return text

    def on_mount(self) -> None:
        """Show the runs."""
        self.query_one("#filter").display = False
        self._settings = read_settings(self.workbench.workspace)  # one small file
        self.runs_changed(self.workbench.runs)

    def on_screen_resume(self) -> None:
        """Show what changed behind the other screen; put the cursor on a run that started there."""
        if not self.is_current:
            return
        self.workbench.cool_down()  # no experiment is being set up now
        self.runs_changed(self.workbench.runs)
        table = self.query_one(RunTable)
        here = {view.key for view in self.workbench.runs}
        started = [name for name in table.names if name in here.difference(self._names_before)]
        if self._names_before and started:
            table.move_to(started[0])
        self._names_before = ()

    def on_screen_suspend(self) -> None:
        """Remember the runs, except for a dialog, after which the cursor stays."""
        if not isinstance(self.app.screen, ModalScreen):
            self._names_before = self.query_one(RunTable).names

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self.runs_changed(self.workbench.runs)

    def runs_changed(self, runs: Runs) -> None:
        """Fill the table, the cursor stays on its run; do nothing behind another screen."""
        if not self.is_current:
            return
        wanted = self.query_one("#filter", Input).value
        shown = [view for view in self._everywhere() if matches_filter(view, wanted)]
        if self._settings.best_first:
            shown.sort(key=lambda view: view.summary.rank(self._settings.metric))
        table = self.query_one(RunTable)
        hosts = self.workbench.hosts
        table.fill(shown, self.workbench.utf8, self._settings.metric, bool(hosts))
        problems = [describe_problem(host) for host in hosts if host.problem]
        line = self.query_one("#hosts", Static)
        line.display = bool(problems)
        if problems:
            line.update(Text("\n".join(problems)))
        table.display = bool(shown)
        if shown and not self.focused:  # it lost the focus when its last row went
            table.focus()
        nothing = self.query_one("#nothing", Static)
        nothing.display = not shown
        if not shown:
            nothing.update(empty_table_text(wanted, bool(self._trash)))
        self._show_detail()
        self.refresh_heading()
        names = frozenset(view.name for view in runs)
        if names != self._names:  # one may have been deleted or restored
            self._names = names
            in_background(self, lambda: list_trash(self.workbench.workspace), self._offer_trash)

    def _everywhere(self) -> Runs:
        """Return the runs of this machine and of the others."""
        others = [view for host in self.workbench.hosts for view in host.runs]
        return in_order((*self.workbench.runs, *others)) if others else self.workbench.runs

    def _offer_trash(self, found: Sequence[TrashedRun]) -> None:
        self._trash = found
        self.runs_changed(self.workbench.runs)

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        """Show what the table has no room for, of the run under the cursor."""
        view = self._chosen()
        self.run = view.name if view and not view.host else ""
        detail = describe_run(view) if view else Text()
        if detail != self._detail:
            self._detail = detail
            room = max(self.app.size.width - 4, 20)  # within the margins of body and text
            lines = len(detail.wrap(self.app.console, room))
            self.query_one("#detail", Static).update(detail, layout=lines != self._detail_lines)
            self._detail_lines = lines
        offered = [self.check_action(action, ()) for action in OFFERED]
        if offered != self._offered:  # the footer is drawn again only if it changes
            self._offered = offered
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with the run under the cursor, and with the others."""
        if action == "undo":
            return bool(self._trash)
        if action in ("filter", "settings", "sort"):
            return bool(self._everywhere())
        if action == "ladders":
            return bool(self.workbench.sweeps)
        if action == "back":  # removes the filter
            return any(field.display for field in self.query("#filter"))
        if action not in OFFERED:
            return True
        view = self._chosen()
        if view is None or view.host:  # what is elsewhere is only read
            return False
        offered = {
            "stop": view.running,
            "resume": view.summary.state.resumable,
            "compare": len(self.workbench.runs) > 1,
        }
        return offered.get(action, True)

    def _chosen(self) -> RunView | None:
        """Return the run under the cursor."""
        names = [table.chosen for table in self.query(RunTable)]  # none before it is composed
        return next((view for view in self._everywhere() if view.key in names), None)

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Open the run under the cursor; offer to fetch one of another machine."""
        view = self._chosen()
        if view and view.host:
            ask_to_fetch(self, view)
        elif view:
            self.workbench.open("train", view.name)

    def action_new(self) -> None:
        """Start a new experiment, or continue a draft."""
        from workbench.ui.guide import start_experiment

        start_experiment(self.workbench)

    def action_demo(self) -> None:
        """Train a dense network and a convnet on handwritten digits, one after the other."""
        from workbench.ui.guide import launch_demo

        launch_demo(self.workbench)

    def action_machine(self) -> None:
        """Open the machine check."""
        self.workbench.open("machine")

    def action_compare(self) -> None:
        """Ask which runs to compare with the one under the cursor."""
        if view := self._chosen():
            compare_run(self, view)

    def action_ladders(self) -> None:
        """Open the workspace's ladder or sweep; ask which if there are several."""
        kinds = {sweep.name: sweep.kind for sweep in self.workbench.sweeps}

        def answered(name: str | None) -> None:
            if name is not None:
                self.workbench.open("ladder" if kinds[name] == LADDER else "sweep", name)

        if len(kinds) == 1:
            answered(next(iter(kinds)))
        elif kinds:
            question = (
                tr("Open which ladder or sweep?")
                if SWEEP in kinds.values()
                else tr("Open which ladder?")
            )
            self.app.push_screen(PickName(question, tuple(kinds)), answered)

    def action_lessons(self) -> None:
        """Open the lessons."""
        self.workbench.open("lessons")

    def action_filter(self) -> None:
        """Show the filter."""
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

    def _apply(self, settings: TableSettings) -> None:
        self._settings = settings
        self.runs_changed(self.workbench.runs)

    def _keep(self, settings: TableSettings) -> None:
        """Show the runs in another way from now on."""
        self._apply(settings)
        path = settings_path(self.workbench.workspace)
        self.workbench.draft_writer.write(path, settings.as_text())

    def action_settings(self) -> None:
        """Ask which metric to show."""

        def answered(title: str | None) -> None:
            chosen = [name for name, one in METRICS.items() if one == title]
            if chosen:
                self._keep(replace(self._settings, metric=chosen[0]))

        question = "Show which metric of the runs? ? explains them."
        shown = METRICS[self._settings.metric]
        self.app.push_screen(PickName(question, tuple(METRICS.values()), shown), answered)

    def action_sort(self) -> None:
        """Show the newest run first, or the one with the best metric."""
        self._keep(replace(self._settings, best_first=not self._settings.best_first))

    def action_back(self) -> None:
        """Remove the filter; home has no screen before it."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self.query_one(RunTable).focus()
        self.refresh_bindings()

    def action_stop(self) -> None:
        """Ask for confirmation, then request the worker to stop."""
        if view := self._chosen():
            stop_run(self, view)

    def action_resume(self) -> None:
        """Resume a run at its last checkpoint."""
        if view := self._chosen():
            resume_run(self, view, lambda _: self.workbench.open("train", view.name))

    def action_delete(self) -> None:
        """Ask for confirmation, then move the run to the trash."""
        view = self._chosen()
        if view is None:
            return
        name = safe_text(view.name)
        if view.running:
            message = f"{name} is running: x stops it, and then it can be deleted."
            self.notify(message, severity="warning")
            return

        def delete() -> str:
            move_to_trash(self.workbench.workspace, view.folder)
            return tr("{name} is in the trash; u restores it.", name=name)

        question = f"Delete {view.name}? It moves to the trash, and u restores it."
        confirm_and_run(self, question, "Delete", delete)

    def action_undo(self) -> None:
        """Restore the run that was deleted last."""
        workspace = self.workbench.workspace

        def restore_last(found: Sequence[TrashedRun]) -> None:
            if found:
                restore_run(self, workspace, found[0])

        in_background(self, lambda: list_trash(workspace), restore_last)  # it may have changed
