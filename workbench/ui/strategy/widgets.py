"""The list of strategies, the table of an experiment's options, the question before its start."""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, DataTable, OptionList, Static
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

KEY, YOURS = 28, 5  # cells of a key, and of the word "yours"
VALUE, LONG_VALUE = 16, 35  # cells: beside a description, and without
# The padding of the cells and of the screen, and the scroll bar.
_MARGINS = 2 * 4 + 3


class StrategyList(OptionList):
    """A list that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", tr("Continue"), id="strategy.continue")
    ]

    def show_presets(self, names: Sequence[str], chosen: str, marks: str) -> str:
        """List presets; return the highlighted one.

        Args:
            names: of the presets.
            chosen: the one that the experiment has.
            marks: before it, and before each of the others.
        """
        with self.prevent(OptionList.OptionHighlighted):
            self.clear_options()
            for name in names:
                sign = marks[name != chosen]
                self.add_option(Option(Text(f"{sign} {name.removeprefix('book-')}"), id=name))
            at = names.index(chosen) if chosen in names else 0
            self.highlighted = at
        return names[at]


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
        Binding("enter", "select_cursor", tr("Change"), id="strategy.change")
    ]

    def __init__(self, utf8: bool) -> None:
        super().__init__(cursor_type="row", id="options")
        self._utf8 = utf8
        self.keys: list[str] = []
        self._values: dict[str, Any] = {}
        self._value_width = 0

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
        value = VALUE if self._is_wide else LONG_VALUE
        if value == self._value_width:
            self.clear()
            return
        self._value_width = value
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


class StartScreen(ModalScreen[str | None]):
    """Ask how a run shall start; None is not yet.

    HERE starts it by enter. QUEUE by w lets it wait for a device that no run uses, SLURM by s makes
    it a job: each only where it is offered.

    Args:
        summary: what starts.
        offered: of QUEUE and SLURM.
    """

    HERE, QUEUE, SLURM = "here", "queue", "slurm"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "dismiss(None)", tr("Not yet")),
        Binding("w", "choose('queue')", tr("Queue")),
        Binding("s", "choose('slurm')", tr("SLURM")),
    ]

    def __init__(self, summary: str, offered: Collection[str] = ()) -> None:
        super().__init__()
        self._summary = summary
        labels = {self.QUEUE: tr("Queue (w)"), self.SLURM: tr("SLURM (s)")}
        self._labels = {name: label for name, label in labels.items() if name in offered}

    def compose(self) -> ComposeResult:
        """Yield the summary above the buttons."""
        outlives = tr("It keeps running when this terminal is closed.")
        waits = tr("Other runs are training: a queued one waits for a free GPU, or the CPU.")
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._summary, 400)))
            yield Static(Text(waits if self.QUEUE in self._labels else outlives, style="dim"))
            with Horizontal(classes="buttons"):
                yield Button(tr("Train (enter)"), variant="primary", id=self.HERE)
                for name, label in self._labels.items():
                    yield Button(label, id=name)
                yield Button(tr("Not yet (esc)"), id="no")

    def on_mount(self) -> None:
        """Focus the button that starts."""
        self.query_one(f"#{self.HERE}", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(None if event.button.id == "no" else event.button.id)

    def action_choose(self, name: str) -> None:
        """Choose another way to start, where it is offered."""
        if name in self._labels:
            self.dismiss(name)
