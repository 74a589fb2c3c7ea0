"""The table of an experiment's options: what each is now, whose choice that was, what it means."""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.text import safe_text
from workbench.ui.draft import FIXED, Draft
from workbench.ui.strategy_text import cut, described, ordered, value_in_words

COLUMNS = (("option", 28), ("value", 16), ("", 5))
# The padding of the cells and of the screen, and the scroll bar.
_BETWEEN = 2 * (len(COLUMNS) + 1) + 3
_LEAST_MEANING = 8


class OptionTable(DataTable[Text]):
    """Says in the footer what enter does.

    Args:
        utf8: whether the terminal shows more than ASCII.

    Attributes:
        keys: of the spec, "training.epochs": a row each.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Change")]

    def __init__(self, utf8: bool) -> None:
        super().__init__(cursor_type="row", id="options")
        self._utf8 = utf8
        self.keys: list[str] = []

    def on_mount(self) -> None:
        """The columns are always the same."""
        for title, width in COLUMNS:
            self.add_column(title, key=title, width=width)
        self.add_column("meaning", key="meaning")

    def show_options(self, draft: Draft) -> None:
        """Fills the table; the cursor stays on its key."""
        here = self.keys[self.cursor_row] if self.cursor_row < len(self.keys) else ""
        values = draft.values()
        self.keys = ordered(values, FIXED)
        self.clear()
        for key in self.keys:
            self.add_row(*self._cells(key, value_in_words(values[key]), key in draft.settings))
        if here in self.keys:
            self.move_cursor(row=self.keys.index(here))

    def _cells(self, key: str, value: str, yours: bool) -> tuple[Text, ...]:
        style = f"bold {self.app.theme_variables.get('accent', '')}" if yours else ""
        taken = sum(width for _, width in COLUMNS) + _BETWEEN
        room = max(self.app.size.width - taken, _LEAST_MEANING)
        return (
            Text(key),
            Text(safe_text(value, COLUMNS[1][1]) or "-", style=style),
            Text("yours" if yours else "", style=style),
            Text(cut(described(key), room, self._utf8), style="dim"),
        )
