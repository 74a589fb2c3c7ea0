"""The last question before a run begins."""

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
    """The last question before a run begins; enter is yes.

    Args:
        words: what begins.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,n", "answer(False)", "Not yet")]

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        """The words over two buttons."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._words, 400)))
            yield Static(Text("It goes on when this terminal is closed.", style="dim"))
            with Horizontal(classes="buttons"):
                yield Button("Train (enter)", variant="primary", id="yes")
                yield Button("Not yet (esc)", id="no")

    def on_mount(self) -> None:
        """What the way leads to is the default."""
        self.query_one("#yes", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Ends the question."""
        self.dismiss(yes)
