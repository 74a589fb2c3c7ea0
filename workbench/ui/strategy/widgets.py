"""The list of strategies, the table of an experiment's options, the question before its start."""

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, OptionList
from textual.widgets.option_list import Option

from workbench.app.draft import FIXED, Draft
from workbench.messages import tr
from workbench.render.strategy import (
    describe_key,
    describe_value,
    format_key_value,
    sort_keys,
    truncate,
)
from workbench.text import safe_text
from workbench.ui.base import WIDE_COLUMNS

BROAD_COLUMNS = 150  # of a terminal with room for whole values beside a description
KEY, YOURS = 28, 5  # cells of a key, and of the word "yours"
VALUE, LONG_VALUE = 16, 35  # cells: beside a description, and without
# The padding of the cells and of the screen, and the scroll bar.
_MARGINS = 2 * 4 + 3


class StrategyList(OptionList):
    """A list whose cursor chooses, also when the options beside it have the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", tr("Continue"), id="strategy.continue")
    ]

    def on_mount(self) -> None:
        """Move the mark with the cursor."""
        self.watch(self, "highlighted", self._mark, init=False)

    _names: Sequence[str] = ()
    _marks = ""

    def show_presets(self, names: Sequence[str], chosen: str, marks: str) -> str:
        """List presets; return the highlighted one.

        Args:
            names: of the presets.
            chosen: the one that the experiment has.
            marks: before it, and before each of the others.
        """
        self._names, self._marks = (), marks  # nothing to mark before they are there
        at = names.index(chosen) if chosen in names else 0
        with self.prevent(OptionList.OptionHighlighted):
            self.set_options(
                Option(self._prompt(name, name == names[at]), id=name) for name in names
            )
            self.highlighted = at
        self._names = names
        return names[at]

    def _prompt(self, name: str, chosen: bool) -> Text:
        return Text(f"{self._marks[not chosen]} {name.removeprefix('book-')}")

    def _mark(self, highlighted: int | None) -> None:
        for number, name in enumerate(self._names):
            self.replace_option_prompt_at_index(number, self._prompt(name, number == highlighted))


class OptionTable(DataTable[Text]):
    """The options: current value, whose choice it is, and, in a wide terminal, a description.

    The column of descriptions is narrow or missing: the screen shows that of the selected key
    (`description`) whole.

    Args:
        utf8: whether the terminal shows more than ASCII.

    Attributes:
        keys: of the spec, "training.epochs": a row each.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", tr("Change"), id="strategy.change"),
        Binding("home", "scroll_top", show=False, id="strategy.first"),
        Binding("end", "scroll_bottom", show=False, id="strategy.last"),
    ]

    def __init__(self, utf8: bool) -> None:
        super().__init__(cursor_type="row", id="options")
        self._utf8 = utf8
        self.keys: list[str] = []
        self._values: dict[str, Any] = {}
        self._value_width = 0
        self._described = False  # whether descriptions have a column

    @property
    def description(self) -> str:
        """The description of the selected key, and of its value."""
        if self.cursor_row >= len(self.keys):
            return ""
        key = self.keys[self.cursor_row]
        return describe_value(key, self._values[key])

    @property
    def _is_wide(self) -> bool:
        return self.app.size.width >= WIDE_COLUMNS

    def _fit_columns(self) -> None:
        """Empty the table; replace the columns if the terminal's width requires others."""
        value = VALUE if WIDE_COLUMNS <= self.app.size.width < BROAD_COLUMNS else LONG_VALUE
        if (value, self._is_wide) == (self._value_width, self._described):
            self.clear()
            return
        self._value_width, self._described = value, self._is_wide
        self.clear(columns=True)
        for title, width in ((tr("option"), KEY), (tr("value"), value), ("", YOURS)):
            self.add_column(title, key=title, width=width)
        if self._is_wide:
            self.add_column(tr("description"), key="description")

    def show_options(self, draft: Draft) -> None:
        """Fill the table; the cursor stays on its key."""
        selected = self.keys[self.cursor_row] if self.cursor_row < len(self.keys) else ""
        values = self._values = draft.values()
        self.keys = sort_keys(values, FIXED)
        self._fit_columns()
        for key in self.keys:
            self.add_row(*self._cells(key, format_key_value(values[key]), key in draft.settings))
        if selected in self.keys:
            self.move_cursor(row=self.keys.index(selected))

    def _cells(self, key: str, value: str, is_yours: bool) -> tuple[Text, ...]:
        style = f"bold {self.app.theme_variables.get('accent', '')}" if is_yours else ""
        cells = (
            Text(key, style=style),
            Text(safe_text(value, self._value_width) or "-", style=style),
            Text(tr("yours") if is_yours else "", style=style),
        )
        if not self._is_wide:
            return cells
        room = self.app.size.width - KEY - self._value_width - YOURS - _MARGINS
        return (*cells, Text(truncate(describe_key(key), room, self._utf8), style="dim"))
