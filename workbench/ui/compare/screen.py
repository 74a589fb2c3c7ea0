"""Runs held side by side, and the question which ones."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.analysis.compare import Comparison
from workbench.app.compare import compare_runs, comparison_grid
from workbench.errors import UserError
from workbench.runs.watch import Runs, RunView
from workbench.text import plural, safe_lines, safe_text
from workbench.ui.compare.curves import CompareCurvesScreen
from workbench.ui.pick_run import MARK_TOLD, run_lines, same_data_first
from workbench.ui.screen import WorkbenchScreen

BORDERS = 3  # cells beside the text: the body's padding and the scroll bar
MARKED, UNMARKED = "[x]", "[ ]"


class PickRuns(ModalScreen[tuple[str, ...] | None]):
    """Runs to mark; gives the names of the marked ones, or of the one under the cursor.

    Escape gives None.

    Args:
        about: the run that they are compared with; those of other data come last.
    """

    CSS = """
    PickRuns .dialog { width: 76; max-width: 100%; }
    PickRuns OptionList { height: auto; max-height: 12; margin: 1 0; border: none; padding: 0;
                          background: $panel; background-tint: $panel 0%; }
    PickRuns #keys { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark"),
        Binding("escape,q", "dismiss(None)", "Cancel"),
    ]

    def __init__(self, question: str, about: RunView, runs: Sequence[RunView]) -> None:
        super().__init__()
        self._question = question
        self._about = about
        self._runs = same_data_first(about, runs)
        self._lines: list[Text] = []
        self._marked: set[int] = set()

    def compose(self) -> ComposeResult:
        """The question, the list, the keys."""
        self._lines = run_lines(self._about, self._runs, self.app)
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 200)))
            yield OptionList(*(Option(self._line(at)) for at in range(len(self._runs))))
            yield Static(
                Text(f"space marks, enter compares, escape cancels   {MARK_TOLD}"), id="keys"
            )

    def _line(self, at: int) -> Text:
        mark = MARKED if at in self._marked else UNMARKED
        return Text.assemble(f"{mark} ", self._lines[at])

    def action_mark(self) -> None:
        """Marks the run under the cursor, or takes its mark away."""
        runs = self.query_one(OptionList)
        if runs.highlighted is not None:
            self._marked ^= {runs.highlighted}
            runs.replace_option_prompt_at_index(runs.highlighted, self._line(runs.highlighted))

    @on(OptionList.OptionSelected)
    def _compare(self, event: OptionList.OptionSelected) -> None:
        chosen = sorted(self._marked) or [event.option_index]
        self.dismiss(tuple(self._runs[at].name for at in chosen))


class CompareScreen(WorkbenchScreen):
    """What may be concluded, results, and where specs, layers and stages differ.

    Args:
        names: of the runs, in the order of their columns.
    """

    CONCEPTS = ("paired-test", "interval", "validation")
    CSS = """
    CompareScreen #sheet { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    CompareScreen #comparison { width: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "curves", "Curves", id="compare.curves", tooltip="all runs in one plot"),
    ]

    class Compared(Message):
        """The comparison, or why there is none."""

        def __init__(self, comparison: Comparison | None, problem: str = "") -> None:
            super().__init__()
            self.comparison = comparison
            self.problem = problem

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self._comparison: Comparison | None = None
        self._seen: object = None

    def compose_body(self) -> ComposeResult:
        """One sheet, which the arrow keys scroll."""
        with ScrollableContainer(id="sheet"):
            yield Static("reading the runs", id="comparison")

    def heading(self) -> Text:
        """How many runs, and which."""
        text = Text("compare", style="bold")
        text.append(f"  {plural(len(self.names), 'run')}", "not bold")
        return text.append(f"   {safe_text(', '.join(self.names), 56)}", "dim")

    def on_mount(self) -> None:
        """Reads the runs."""
        super().on_mount()
        self.query_one("#sheet").focus()
        self.runs_changed(self.workbench.runs)

    def on_resize(self) -> None:
        """Columns as wide as there is room."""
        super().on_resize()
        self._draw()

    def runs_changed(self, runs: Runs) -> None:
        """Reads the runs anew where one of them has come further, or is gone."""
        found = [view for view in runs if view.name in self.names]
        seen = [(v.name, v.summary.state.word, v.summary.epochs_done, v.summary.test_accuracy)
                for v in found]  # fmt: skip
        if seen != self._seen:
            self._seen = seen
            self._read(self.names)

    def action_curves(self) -> None:
        """The validation curves in one plot."""
        self.app.push_screen(CompareCurvesScreen(self.names))

    @work(thread=True, exclusive=True, group="compare", exit_on_error=False)
    def _read(self, names: tuple[str, ...]) -> None:
        try:
            comparison = compare_runs(self.workbench.workspace, names)
        except (UserError, OSError, ValueError) as error:
            self.post_message(self.Compared(None, str(error)))
        else:
            self.post_message(self.Compared(comparison))

    @on(Compared)
    def _compared(self, event: Compared) -> None:
        self._comparison = event.comparison
        if event.comparison is None:
            self._show(Text(safe_lines(event.problem), self.app.theme_variables.get("error", "")))
        self._draw()

    def _draw(self) -> None:
        if self._comparison:
            color = self.app.theme_variables.get("secondary", "")
            self._show(comparison_grid(self._comparison, self.app.size.width - BORDERS, color))

    def _show(self, words: Text) -> None:
        for sheet in self.query("#comparison").results(Static):  # none while the screen goes away
            sheet.update(words)
