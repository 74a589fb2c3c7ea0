"""The question before a run starts."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from workbench.text import safe_text


class StartScreen(ModalScreen[bool]):
    """Ask whether a run shall start; enter is yes.

    Args:
        summary: what starts.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,n", "dismiss(False)", "Not yet")]

    def __init__(self, summary: str) -> None:
        super().__init__()
        self._summary = summary

    def compose(self) -> ComposeResult:
        """Yield the summary above two buttons."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._summary, 400)))
            yield Static(Text("It keeps running when this terminal is closed.", style="dim"))
            with Horizontal(classes="buttons"):
                yield Button("Train (enter)", variant="primary", id="yes")
                yield Button("Not yet (esc)", id="no")

    def on_mount(self) -> None:
        """Focus the button that starts."""
        self.query_one("#yes", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")
