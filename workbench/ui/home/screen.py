"""Home: the runs, newest first, and the way to all other screens."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Input, Static

from workbench.app.run_query import (
    METRIC,
    NO_SWEEPS,
    SORTS,
    STARTED,
    Sweeps,
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
from workbench.render.curves import Metric
from workbench.render.runs import describe_run, describe_runs, empty_table_text
from workbench.runs.sweep import sweeps_by_run
from workbench.runs.sweep_record import count_sweeps
from workbench.runs.trash import TrashedRun, list_trash
from workbench.runs.watch import Runs, RunView
from workbench.text import safe_text
from workbench.ui.base import WIDE_COLUMNS, in_background
from workbench.ui.dialogs import PickName
from workbench.ui.home.actions import OFFERED, RunActions
from workbench.ui.home.detail import CurveBelow, RunDetail, cut_start
from workbench.ui.home.options import TableOptions
from workbench.ui.home.table import SORT_COLUMNS, RunTable
from workbench.ui.keys import key_of

PANE_SHARE, MIN_PANE = 0.38, 44  # of the width, cells
SCROLLBAR = 2  # cells
MIN_PATH = 8  # cells of the workspace
FRAME = 6  # rows above and below those of the runs, at most


class HomeScreen(RunActions):
    """All runs of the workspace; running ones on top."""

    AUTO_FOCUS = ""  # the table gets it with its first row; never the filter, which takes letters
    CONCEPTS = ("workbench", "macro-f1", "auc", "top-5")

    _detail = Text()
    _detail_lines = 0
    _offered: Sequence[bool | None] = ()
    _names: frozenset[str] | None = None  # of all runs, when the trash was read
    _settings = TableSettings()
    _terms: Sequence[Term] = ()
    _sweeps: Sweeps = NO_SWEEPS  # of each run, as they were read last

    def compose_body(self) -> ComposeResult:
        """Yield filter, hidden at first; table, curve and pane; a hint; machines; the detail."""
        yield Input(placeholder=tr("words, or acc>0.9 base:vgg16 tag:night -state:failed"),
                    id="filter")  # fmt: skip
        yield Static(id="query-error")
        with Horizontal(id="list"):
            with Vertical(id="left"):
                yield RunTable(id="runs")
                yield Static(id="nothing")
                yield CurveBelow()
            yield RunDetail(id="pane")
        with Vertical(id="foot"):
            yield Static(id="hosts")
            yield Static(id="detail")

    def heading(self) -> Text:
        """Return the workspace and the number of its runs."""
        runs = Text(f"   {describe_runs(self.everywhere())}")
        if self.workbench.reads_runs:
            runs.append(tr(", reading the others"))
        if hosts := self.workbench.hosts:
            runs.append(tr(" on {count} machines", count=len(hosts) + 1))
        runs.append(self._describe_order())
        kinds = Counter(sweep.kind for sweep in self.workbench.sweeps)
        if kinds:
            counts = ", ".join(count_sweeps(kinds[kind], kind) for kind in sorted(kinds))
            runs.append(f", {counts} ({key_of(self, 'ladders')})")
        text = Text("workbench  ", style="bold")
        room = self.app.size.width - 2 - text.cell_len - runs.cell_len  # within the margins
        path = cut_start(safe_text(self.workbench.workspace.root, 60), max(room, MIN_PATH))
        return text.append(path, style="dim").append_text(runs)

    def _describe_order(self) -> str:
        """Return what the runs are sorted by, "" for the newest first."""
        settings = self._settings
        if settings.sort == METRIC:
            metric = METRICS[settings.metric]
            if settings.reverse:
                return tr(", lowest {metric} first, tested runs before others", metric=metric)
            return tr(", best {metric} first, tested runs before others", metric=metric)
        if settings.sort == STARTED:
            return tr(", oldest first") if settings.reverse else ""
        return tr(", by {column}", column=SORTS[settings.sort])

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
        table, started = self.query_one(RunTable), self.workbench.started_run
        if started and (view := self.workbench.find_run(started)) and view.key in table.names:
            table.move_to(view.key)
            self.workbench.started_run = ""

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self.runs_changed(self.workbench.runs)

    def runs_changed(self, runs: Runs) -> None:
        """Fill the table, the cursor stays on its run; do nothing behind another screen."""
        if not self.is_current:
            return
        shown = self._matching()
        self._fill_table(shown)
        self._show_problems()
        self._show_hint(bool(shown))
        self._show_detail()
        self.refresh_heading()
        self._read_beside(runs)

    def _matching(self) -> list[RunView]:
        """Return the runs that the filter keeps, in the order that is wanted."""
        settings = self._settings
        shown = select(self.everywhere(), self._terms, self._sweeps)
        if settings.sort == STARTED and not settings.reverse:
            return shown
        return sort_views(shown, settings.sort, settings.reverse, settings.metric)

    def _fill_table(self, shown: list[RunView]) -> None:
        """Show these runs, in groups if these are wanted, and the pane if there is room."""
        pane = self._pane_cells() if shown else 0
        self.query_one("#pane").display = bool(pane)
        self.query_one("#pane").styles.width = pane
        self.query_one(CurveBelow).display = bool(shown)
        bars = bool(pane) + (len(shown) > self.app.size.height - FRAME)
        room = self.app.size.width - pane - SCROLLBAR * bars
        by = self._settings.group
        groups = group_views(shown, by, self._sweeps) if by else [("", shown)]
        table, several = self.query_one(RunTable), bool(self.workbench.hosts)
        table.fill(groups, self.workbench.utf8, self._settings, room, several)
        table.display = bool(shown)
        if shown and not self.focused:  # it lost the focus when its last row went
            table.focus()

    def _show_problems(self) -> None:
        """Show which machines do not answer."""
        problems = [describe_problem(host) for host in self.workbench.hosts if host.problem]
        line = self.query_one("#hosts", Static)
        line.display = bool(problems)
        if problems:
            line.update(Text("\n".join(problems)))

    def _show_hint(self, any_run: bool) -> None:
        """Show what can be done where no run is shown."""
        nothing = self.query_one("#nothing", Static)
        nothing.display = not any_run
        if not any_run:
            wanted = self.query_one("#filter", Input).value
            runs, key = self.workbench.workspace.runs, partial(key_of, self)
            nothing.update(empty_table_text(wanted, bool(self.trash), runs, key))

    def _read_beside(self, runs: Runs) -> None:
        """Read the trash and the sweeps again if there are other runs than before."""
        names = frozenset(view.name for view in runs)
        if names == self._names:  # none was deleted or restored
            return
        self._names = names
        in_background(self, lambda: list_trash(self.workbench.workspace), self._offer_trash)
        if self.workbench.sweeps:
            in_background(self, lambda: sweeps_by_run(self.workbench.workspace), self._show_sweeps)

    def _pane_cells(self) -> int:
        """Return how wide the pane beside the table is; 0 where there is no room for it."""
        width = self.app.size.width
        return max(int(width * PANE_SHARE), MIN_PANE) if width >= WIDE_COLUMNS else 0

    def _show_sweeps(self, sweeps: dict[str, str]) -> None:
        if sweeps != self._sweeps:
            self._sweeps = sweeps
            self.runs_changed(self.workbench.runs)

    def _offer_trash(self, found: Sequence[TrashedRun]) -> None:
        if found != self.trash:
            self.trash = found
            self.runs_changed(self.workbench.runs)

    @on(DataTable.RowHighlighted)
    def _show_detail(self) -> None:
        """Show what the table has no room for, of the run under the cursor."""
        view = self.chosen()
        self.run = view.name if view and not view.host else ""
        wide = bool(self._pane_cells())
        self.query_one("#detail").display = not wide
        if wide:
            self.query_one(RunDetail).show(view, self.workbench.utf8)
        metric: Metric = "loss" if wide else "accuracy"  # the pane has the other one
        self.query_one(CurveBelow).show(view, metric, self.workbench.utf8)
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
        metric = METRICS[self._settings.metric]
        best = tr("best {metric} first, tested runs before others", metric=metric)
        titles = {**SORTS, METRIC: best}

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

    def action_back(self) -> None:
        """Remove the filter; home has no screen before it."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self.query_one(RunTable).focus()
        self.refresh_bindings()
