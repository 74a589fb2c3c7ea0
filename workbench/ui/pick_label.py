"""A list of labels to choose one from, over a screen; of many, those that a typed text is in."""

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

MOST_OPTIONS = 50  # in the list at a time; where there are more labels, a text is typed


class PickLabel(ModalScreen[str | None]):
    """Gives the chosen label; escape gives None.

    Args:
        question: over the list.
        labels: as many as there are.
        likely: the one that is chosen to begin with, where it is among them.
    """

    CSS = """
    PickLabel OptionList { max-height: 14; }
    PickLabel #told { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        # Before the field for a text, which has no use for them.
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
    ]

    def __init__(self, question: str, labels: Sequence[str], likely: str | None = None) -> None:
        super().__init__()
        self._question = question
        self._labels = tuple(labels)
        self._likely = likely if likely in self._labels else None
        self._shown: tuple[str, ...] = ()

    @property
    def _many(self) -> bool:
        return len(self._labels) > MOST_OPTIONS

    def compose(self) -> ComposeResult:
        """The question over the list; between them a field where there are many."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._question))
            if self._many:
                yield Input(placeholder="a part of its name", compact=True, id="part")
            yield OptionList()
            if self._many:
                yield Static(id="told")

    def on_mount(self) -> None:
        """Begins with the likely one."""
        self._show("")
        self.query_one(Input if self._many else OptionList).focus()

    @on(Input.Changed, "#part")
    def _typed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def _show(self, part: str) -> None:
        """The first labels with this in their name; the likely one and equal names before them."""
        wanted = part.strip().casefold()
        fitting = [label for label in self._labels if wanted in label.casefold()]
        if self._many:  # a stable sort: others keep their order
            fitting.sort(key=lambda label: (label.casefold() != wanted, label != self._likely))
        self._shown = tuple(islice(fitting, MOST_OPTIONS))
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(Text(safe_text(label, 50))) for label in self._shown)
        first = 0 if self._shown else None
        known = not self._many and self._likely is not None
        options.highlighted = self._shown.index(str(self._likely)) if known else first
        for told in self.query("#told").results(Static):
            more = len(fitting) - len(self._shown)
            words = f"and {more:,} more: type a part of the name" if more else ""
            told.update(words if fitting else "no label has this in its name")

    def action_move(self, step: int) -> None:
        """The label above or below."""
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
