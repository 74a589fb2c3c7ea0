"""A list of runs to choose one from, over a screen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.text import safe_text
from workbench.ui.feed import RunView
from workbench.ui.home_text import COLUMNS, VALIDATION, column_widths, run_cells

if TYPE_CHECKING:
    from workbench.ui.app import WorkbenchApp

ROOM = 90  # of a terminal in which home's columns are as wide as they are here
SHOWN = ("state", "run", "strategy", "acc")  # of home's columns
MARK_TOLD = f"{VALIDATION}: on validation images"


class PickRun(ModalScreen[str | None]):
    """Runs by name; gives the chosen one's name, "" for none of them, None on escape.

    Args:
        none: what the choice of none says; "" for no such choice.
    """

    CSS = """
    PickRun .dialog { width: 76; max-width: 100%; }
    PickRun #told { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Cancel")]

    def __init__(self, question: str, runs: Sequence[RunView], none: str = "") -> None:
        super().__init__()
        self._question = question
        self._runs = tuple(runs)
        self._none = none

    def compose(self) -> ComposeResult:
        """The question over the list."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 200)))
            yield OptionList(*self._options())
            yield Static(f"enter chooses, escape cancels   {MARK_TOLD}", id="told")

    def _options(self) -> list[Option]:
        none = [Option(Text(self._none, style="italic"))] if self._none else []
        return none + [Option(run_line(view, self.app)) for view in self._runs]

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        index = event.option_index - bool(self._none)
        self.dismiss(self._runs[index].name if index >= 0 else "")


def run_line(view: RunView, app: "App[Any]") -> Text:
    """State, name, recipe and accuracy of a run in 62 cells, as home shows them."""
    utf8, theme = cast("WorkbenchApp", app).utf8, app.theme_variables
    widths = column_widths(ROOM)
    cells = dict(zip(COLUMNS, run_cells(view, ROOM, utf8, theme), strict=True))
    line = Text(no_wrap=True, end="")
    for title in SHOWN:
        line.append_text(cells[title])
        line.append(" " * (widths[title] + 1 - cells[title].cell_len))
    line.rstrip()
    return line
