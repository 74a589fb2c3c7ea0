"""The search over heads on cached features: trials as they come, the best on top."""

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.experiment.bounds import SEARCH_TRIALS
from workbench.experiment.search_space import (
    Trial,
    check_searchable,
    in_words,
    ranked,
    trial_of,
)
from workbench.render.trials import HEADERS, cells
from workbench.runs.events import Event
from workbench.ui.tune.text import search_words
from workbench.ui.tune.trial import TuneScreen

SEED = 1  # of what is drawn


class TrialTable(DataTable[str]):
    """Says among the keys what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Use this")]


class SearchScreen(TuneScreen):
    """Looks for dense layers, dropout and learning rate of a head."""

    CONCEPTS = ("feature-extraction", "learning-rate", "dropout", "validation")
    JOB = "search"
    BOUNDS = SEARCH_TRIALS
    COUNTED = "trials"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "count", "Trials", id="tune.count"),
        Binding("a", "again", "Again", id="tune.again"),
    ]

    check = staticmethod(check_searchable)

    def compose_result(self) -> ComposeResult:
        """The trials, hidden until there is one."""
        table = TrialTable(id="trials", cursor_type="row")
        table.display = False
        yield table

    _trials: Sequence[Trial] = ()
    _order: Sequence[Trial] = ()
    _images = 0  # validated on

    def on_mount(self) -> None:
        """The columns are always the same."""
        self.query_one(TrialTable).add_columns(*HEADERS)
        super().on_mount()

    def about(self) -> str:
        """What a search will do and cost."""
        facts = self.draft.facts
        return search_words(self.spec, facts, self.figures, self.count) if facts else ""

    def request(self) -> dict[str, Any]:
        """The seed; that of training is the spec's."""
        return {"seed": SEED}

    def chosen(self) -> dict[str, Any]:
        """The values of the trial under the cursor, unless it diverged, once the search is over."""
        if self.at_work:
            return {}
        for table in self.query(TrialTable):  # none before it is composed
            if table.display and table.cursor_row < len(self._order):
                trial = self._order[table.cursor_row]
                return trial.candidate.values if trial.accuracy is not None else {}
        return {}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Another search where there was one: enter is the table's then."""
        if action == "again":
            return not self.at_work and bool(self._trials)
        return super().check_action(action, parameters)

    def action_again(self) -> None:
        """Another search."""
        self.action_begin()

    def action_begin(self) -> None:
        """Another search, without the trials of the one before."""
        self._trials = ()
        self._fill()
        super().action_begin()

    def came(self, event: Event) -> None:
        """A trial finds its place in the table."""
        if event["event"] == "trial":
            self._images = int(event["images"])
            self._trials = (*self._trials, trial_of(event))
            self._fill()

    def ended(self, result: dict[str, Any]) -> None:
        """What the trials mean."""
        if self._trials:
            words = in_words(self._trials, self._images)
            self.show_about("\n".join((*words, "enter takes the values under the cursor.")))

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _take(self) -> None:
        if self.at_work:
            self.notify("The search goes on; x stops it, and then enter takes a trial.")
        self.action_use()

    def _fill(self) -> None:
        table = self.query_one(TrialTable)
        self._order = ranked(self._trials)
        row = table.cursor_row
        here = table.get_row_at(row)[0] if row < table.row_count else ""
        table.clear()
        for trial in self._order:
            table.add_row(*cells(trial))
        shown = bool(self._trials)
        if shown and not table.display:
            table.display = True
            table.focus()
        table.display = shown
        names = [cells(trial)[0] for trial in self._order]
        # The cursor stays on the best one until a person moves it.
        if row and here in names:
            table.move_cursor(row=names.index(here))
