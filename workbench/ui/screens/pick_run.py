"""A list of runs to choose one from, over a screen."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.text import safe_text
from workbench.ui.feed import RunView


class PickRun(ModalScreen[str | None]):
    """Runs by name; gives the chosen one's name, "" for none of them, None on escape.

    Args:
        none: what the choice of none says; "" for no such choice.
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

    def _options(self) -> list[Option]:
        none = [Option(Text(self._none, style="italic"))] if self._none else []
        return none + [Option(_line(view)) for view in self._runs]

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        index = event.option_index - bool(self._none)
        self.dismiss(self._runs[index].name if index >= 0 else "")


def _line(view: RunView) -> Text:
    best = view.summary.best_val_accuracy
    figure = "-" if best is None else f"{best:.3f}"
    return Text(f"{safe_text(view.name, 24):<26}{safe_text(view.summary.strategy, 20):<22}{figure}")
