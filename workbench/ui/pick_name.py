"""Dialog to choose one name of a list; of many, the list shows those that match a typed text."""

from collections.abc import Sequence
from itertools import islice
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from workbench.text import safe_text

MAX_OPTIONS = 50  # in the list at a time; if there are more names, a text is typed


class PickName(ModalScreen[str | None]):
    """Gives the chosen name; escape gives None.

    Args:
        question: over the list.
        names: any number.
        likely: the one that is selected at first, if it is among them.
    """

    CSS = """
    PickName OptionList { max-height: 14; }
    PickName #more { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        # Before the text field, which has no use for them.
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
    ]

    def __init__(self, question: str, names: Sequence[str], likely: str | None = None) -> None:
        super().__init__()
        self._question = question
        self._names = tuple(names)
        self._likely = likely if likely in self._names else None
        self._shown: tuple[str, ...] = ()

    @property
    def _many(self) -> bool:
        return len(self._names) > MAX_OPTIONS

    def compose(self) -> ComposeResult:
        """Yield the question over the list; between them a text field if there are many names."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._question))
            if self._many:
                yield Input(placeholder="a part of its name", compact=True, id="part")
            yield OptionList()
            if self._many:
                yield Static(id="more")

    def on_mount(self) -> None:
        """List the first names."""
        self._show("")
        self.query_one(Input if self._many else OptionList).focus()

    @on(Input.Changed, "#part")
    def _typed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def _show(self, part: str) -> None:
        """List the first names that contain a text; equal ones and the likely one come first."""
        wanted = part.strip().casefold()
        matching = [name for name in self._names if wanted in name.casefold()]
        if self._many:  # a stable sort: the others keep their order
            matching.sort(key=lambda name: (name.casefold() != wanted, name != self._likely))
        self._shown = tuple(islice(matching, MAX_OPTIONS))
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(Text(safe_text(name, 50))) for name in self._shown)
        first = 0 if self._shown else None
        known = not self._many and self._likely is not None
        options.highlighted = self._shown.index(str(self._likely)) if known else first
        for line in self.query("#more").results(Static):
            more = len(matching) - len(self._shown)
            text = f"and {more:,} more: type a part of the name" if more else ""
            line.update(text if matching else "no name contains this")

    def action_move(self, step: int) -> None:
        """Select the name above or below."""
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(Input.Submitted, "#part")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self.dismiss(self._shown[at])

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index])
