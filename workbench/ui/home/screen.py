"""Home: the runs, newest first, and the way to all other screens."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Input, Static

from workbench.app.run_query import (
    METRIC,
    SORTS,
    STARTED,
    Term,
    group_views,
    parse_query,
    select,
    sort_views,
)
from workbench.app.table_settings import TableSettings, read_table_settings, settings_path
from workbench.errors import UserError
from workbench.experiment.metrics import METRICS
from workbench.hosts.fetch import describe_problem
from workbench.messages import tr
from workbench.render.runs import describe_run, describe_runs, empty_table_text
from workbench.runs.annotations import add_note, write_tags
from workbench.runs.sweep import sweeps_by_run
from workbench.runs.sweep_record import LADDER, SWEEP, count_sweeps
from workbench.runs.trash import TrashedRun, list_trash, move_to_trash
from workbench.runs.watch import Runs, RunView, in_order
from workbench.text import safe_text
from workbench.ui.base import WIDE_COLUMNS, WorkbenchScreen, in_background
from workbench.ui.dialogs import PickName, Prompt
from workbench.ui.fetch import ask_to_fetch
from workbench.ui.home.detail import RunDetail
from workbench.ui.home.options import TableOptions
from workbench.ui.home.table import SORT_COLUMNS, RunTable
from workbench.ui.run_actions import (
    compare_run,
    confirm_and_run,
    restore_run,
    resume_run,
    stop_run,
)

# Offered if possible.
OFFERED = ("compare", "stop", "resume", "delete", "undo", "filter", "ladders", "settings", "sort",
           "tag", "note")  # fmt: skip
TRASH, FILTER = (
    tr("to the trash, from which u restores it"),
    tr("by words, or such as acc>0.9 base:vgg16 tag:night state:failed"),
)
PANE_SHARE, MIN_PANE = 0.38, 44  # of the width, cells
SCROLLBAR = 2  # cells


class HomeScreen(WorkbenchScreen):
    """All runs of the workspace; running ones on top."""

    AUTO_FOCUS = ""  # the table gets it with its first row; never the filter, which takes letters
    CONCEPTS = ("workbench", "macro-f1", "auc", "top-5")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", tr("All runs"), id="back"),
        Binding("n", "new", tr("New"), id="new"),
        Binding("E", "lessons", tr("Lessons"), key_display="E", id="lessons"),
        Binding("c", "compare", tr("Compare"), id="compare"),
        Binding("r", "resume", tr("Resume"), id="resume"),
        Binding("x", "stop", tr("Stop"), id="stop"),
        Binding("q", "app.quit", tr("Quit"), id="quit"),
        Binding("S", "app.settings_screen", tr("Settings"), key_display="S", id="settings.screen"),
        Binding("m", "machine", tr("Machine"), id="machine"),
        Binding("D", "demo", tr("Demo"), key_display="D", id="demo"),
        Binding("d,delete", "delete", tr("Delete"), id="delete", tooltip=TRASH),
        Binding("slash", "filter", tr("Filter"), key_display="/", id="filter", tooltip=FILTER),
        Binding("A", "ladders", tr("Ladders"), key_display="A", id="ladders"),
        Binding("o", "sort", tr("Sort"), id="sort", tooltip=tr("by any column, or a click on it")),
        Binding(
            "s", "settings", tr("Table"), id="settings", tooltip=tr("metric, groups and columns")
        ),
        Binding(
            "number_sign",
            "tag",
            tr("Tag"),
            key_display="#",
            id="tag",
            tooltip=tr("words to find the run by"),
        ),
        Binding(
            "N", "note", tr("Note"), key_display="N", id="note", tooltip=tr("kept with the run")
        ),
        Binding("space", "toggle_row", show=False, id="fold"),
        Binding(
            "u", "undo", tr("Undo"), id="undo", tooltip=tr("restore the run that was deleted last")
        ),
    ]

    _detail = Text()
    _detail_lines = 0
    _offered: Sequence[bool | None] = ()
    _names: frozenset[str] | None = None  # of all runs, when the trash was read
    _trash: Sequence[TrashedRun] = ()
    _settings = TableSettings()
    _terms: Sequence[Term] = ()
    _sweeps: dict[str, str] | None = None  # of each run; None until they were read
    _names_before: Sequence[str] = ()  # of the runs shown when another screen opened

    def compose_body(self) -> ComposeResult:
        """Yield filter, hidden at first; table and pane; a hint; machines; the detail."""
        yield Input(placeholder=tr("words, or acc>0.9 base:vgg16 tag:night -state:failed"),
                    id="filter")  # fmt: skip
        yield Static(id="query-error")
        with Horizontal(id="list"):
            with Vertical(id="left"):
                yield RunTable(id="runs")
                yield Static(id="nothing")
            yield RunDetail(id="pane")
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
        text.append(self._describe_order())
        kinds = Counter(sweep.kind for sweep in self.workbench.sweeps)
        if kinds:
            counts = ", ".join(count_sweeps(kinds[kind], kind) for kind in sorted(kinds))
            text.append(f", {counts} (A)")
        return text

    def _describe_order(self) -> str:
        """Return what the runs are sorted by, "" for the newest first."""
        settings = self._settings
        if settings.sort == METRIC and not settings.reverse:
            return tr(", best {metric} first", metric=METRICS[settings.metric])
        if settings.sort == STARTED:
            return tr(", oldest first") if settings.reverse else ""
        titles = {**SORTS, METRIC: METRICS[settings.metric]}
        return tr(", by {column}", column=titles[settings.sort])

    def on_mount(self) -> None:
        """Show the runs."""
        self.query_one("#filter").display = False
        self.query_one("#query-error").display = False
        self._settings = read_table_settings(self.workbench.workspace)  # one small file
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
        settings, sweeps = self._settings, self._sweeps or {}
        shown = select(self._everywhere(), self._terms, sweeps)
        if settings.sort != STARTED or settings.reverse:
            shown = sort_views(shown, settings.sort, settings.reverse, settings.metric)
        groups = group_views(shown, settings.group, sweeps) if settings.group else [("", shown)]
        table = self.query_one(RunTable)
        hosts = self.workbench.hosts
        pane = self._pane_cells() if shown else 0
        self.query_one("#pane").display = bool(pane)
        self.query_one("#pane").styles.width = pane
        room = self.app.size.width - pane - (SCROLLBAR if pane else 0)
        table.fill(groups, self.workbench.utf8, settings, room, bool(hosts))
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
            if self.workbench.sweeps:
                in_background(
                    self, lambda: sweeps_by_run(self.workbench.workspace), self._show_sweeps
                )

    def _pane_cells(self) -> int:
        """Return how wide the pane beside the table is; 0 where there is no room for it."""
        width = self.app.size.width
        return max(int(width * PANE_SHARE), MIN_PANE) if width >= WIDE_COLUMNS else 0

    def _show_sweeps(self, sweeps: dict[str, str]) -> None:
        self._sweeps = sweeps
        self.runs_changed(self.workbench.runs)

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
        wide = bool(self._pane_cells())
        self.query_one("#detail").display = not wide
        if wide:
            self.query_one(RunDetail).show(view, self.workbench.utf8)
        detail = describe_run(view, tags=True) if view else Text()
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
        if action == "toggle_row":
            return True
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
        else:
            self.action_toggle_row()

    def action_toggle_row(self) -> None:
        """Fold or unfold the group under the cursor."""
        table = self.query_one(RunTable)
        name = table.chosen_group
        if name is not None:
            table.folded ^= {name}
            self.runs_changed(self.workbench.runs)

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
        """Show the runs that match; while a term is not valid, those that matched before."""
        line = self.query_one("#query-error", Static)
        try:
            self._terms = parse_query(self.query_one("#filter", Input).value)
        except UserError as error:
            line.update(Text(f"! {error.message}"))
            line.display = True
            return
        line.display = False
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
        """Ask which metric, groups and columns to show."""

        def answered(settings: TableSettings | None) -> None:
            if settings is not None:
                self._keep(settings)

        self.app.push_screen(TableOptions(self._settings), answered)

    def action_sort(self) -> None:
        """Ask what to sort by; the same once more turns the order round."""
        titles = {**SORTS, METRIC: tr("best {metric} first", metric=METRICS[self._settings.metric])}

        def answered(title: str | None) -> None:
            for name in [one for one, text in titles.items() if text == title]:
                self._sort_by(name)

        present = titles[self._settings.sort]
        question = tr("Sort by what? The same again turns the order round.")
        self.app.push_screen(PickName(question, tuple(titles.values()), present, True), answered)

    def _sort_by(self, name: str) -> None:
        again = name == self._settings.sort
        self._keep(replace(self._settings, sort=name, reverse=again and not self._settings.reverse))

    @on(DataTable.HeaderSelected)
    def _sort_by_column(self, event: DataTable.HeaderSelected) -> None:
        """Sort by the column that was clicked, again the other way round."""
        for name in [one for one, column in SORT_COLUMNS.items() if column == event.column_key]:
            self._sort_by(name)

    def action_tag(self) -> None:
        """Ask for the tags of the run under the cursor."""
        if view := self._chosen():
            question = tr("Tags of {run}: words with blanks between", run=view.name)

            def write(text: str) -> str:
                tags = " ".join(write_tags(view.folder, text.split()))
                if not tags:
                    return tr("{run} has no tags now.", run=view.name)
                return tr("{run} has the tags: {tags}", run=view.name, tags=tags)

            self._ask(question, " ".join(view.tags), write)

    def action_note(self) -> None:
        """Ask for a note on the run under the cursor."""
        if view := self._chosen():
            question = tr("A note on {run}: enter saves it, esc cancels", run=view.name)

            def write(text: str) -> str:
                if not text.strip():
                    return tr("Without a text no note is kept.")
                add_note(view.folder, text)
                return tr("The note is kept with {run}.", run=view.name)

            self._ask(question, "", write)

    def _ask(self, question: str, value: str, write: Callable[[str], str]) -> None:
        """Ask for a text, write it, and show what was done; the feed shows it in the table."""

        def answered(text: str | None) -> None:
            if text is not None:
                in_background(self, lambda: write(text), self.notify)

        self.app.push_screen(Prompt(question, value), answered)

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
            message = tr("{name} is running: x stops it, and then it can be deleted.", name=name)
            self.notify(message, severity="warning")
            return

        def delete() -> str:
            move_to_trash(self.workbench.workspace, view.folder)
            return tr("{name} is in the trash; u restores it.", name=name)

        question = tr("Delete {name}? It moves to the trash, and u restores it.", name=view.name)
        confirm_and_run(self, question, tr("Delete"), delete)

    def action_undo(self) -> None:
        """Restore the run that was deleted last."""
        workspace = self.workbench.workspace

        def restore_last(found: Sequence[TrashedRun]) -> None:
            if found:
                restore_run(self, workspace, found[0])

        in_background(self, lambda: list_trash(workspace), restore_last)  # it may have changed
