"""The table of an experiment's options: what each is now, whose choice that was, what it means."""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.app.draft import FIXED, Draft
from workbench.render.strategy import cut, described, ordered, value_in_words
from workbench.text import safe_text

KEY, YOURS = 28, 5  # cells of a key, and of the word for whose choice it is
VALUE, LONG_VALUE = 16, 35  # cells: beside a meaning, and without
WIDE = 110  # columns from which a meaning fits beside its key
# The padding of the cells and of the screen, and the scroll bar.
_BETWEEN = 2 * 4 + 3


class OptionTable(DataTable[Text]):
    """Says in the footer what enter does.

    In a narrow terminal the meanings have no column, in a wide one little room: the screen tells
    that of the key under the cursor (`meaning`) whole.

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
        self._value_width = 0

    @property
    def meaning(self) -> str:
        """Of the key under the cursor."""
        return described(self.keys[self.cursor_row]) if self.cursor_row < len(self.keys) else ""

    @property
    def _is_wide(self) -> bool:
        return self.app.size.width >= WIDE

    def _fit_columns(self) -> None:
        """Others where there is other room."""
        value = VALUE if self._is_wide else LONG_VALUE
        if value == self._value_width:
            self.clear()
            return
        self._value_width = value
        self.clear(columns=True)
        for title, width in (("option", KEY), ("value", value), ("", YOURS)):
            self.add_column(title, key=title, width=width)
        if self._is_wide:
            self.add_column("meaning", key="meaning")

    def show_options(self, draft: Draft) -> None:
        """Fills the table; the cursor stays on its key."""
        here = self.keys[self.cursor_row] if self.cursor_row < len(self.keys) else ""
        values = draft.values()
        self.keys = ordered(values, FIXED)
        self._fit_columns()
        for key in self.keys:
            self.add_row(*self._cells(key, value_in_words(values[key]), key in draft.settings))
        if here in self.keys:
            self.move_cursor(row=self.keys.index(here))

    def _cells(self, key: str, value: str, yours: bool) -> tuple[Text, ...]:
        style = f"bold {self.app.theme_variables.get('accent', '')}" if yours else ""
        told = (
            Text(key),
            Text(safe_text(value, self._value_width) or "-", style=style),
            Text("yours" if yours else "", style=style),
        )
        if not self._is_wide:
            return told
        room = self.app.size.width - KEY - self._value_width - YOURS - _BETWEEN
        return (*told, Text(cut(described(key), room, self._utf8), style="dim"))
