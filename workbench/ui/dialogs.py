"""Questions and long messages in a dialog over a screen."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Input, Static

from workbench.text import safe_lines, safe_text
from workbench.ui.background import ERROR_SECONDS

TOAST_LINES, TOAST_WIDTH = 3, 56  # what can be read before it disappears


def show_error(screen: Screen[Any], message: str) -> None:
    """Show an error: a few lines disappear by themselves, more stay until they are closed.

    Args:
        screen: in front.
        message: plain text of any length; made safe here.
    """
    if fits_toast(message):
        screen.notify(safe_lines(message), severity="error", timeout=ERROR_SECONDS, markup=False)
    else:
        screen.app.push_screen(ErrorDialog(message))


def fits_toast(message: str) -> bool:
    """Return whether a message is short enough for a notification."""
    lines = safe_lines(message).splitlines()
    return sum(max(math.ceil(len(line) / TOAST_WIDTH), 1) for line in lines) <= TOAST_LINES


class ErrorDialog(ModalScreen[None]):
    """A whole error message, until it is closed.

    Args:
        message: plain text; its first line is the error. Made safe here.
    """

    CSS = """
    ErrorDialog .dialog { width: 100%; max-width: 110; max-height: 100%; padding: 0 1; }
    ErrorDialog VerticalScroll { height: auto; max-height: 18; scrollbar-size-vertical: 1; }
    ErrorDialog #title { text-style: bold; color: $error; }
    ErrorDialog #close { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "dismiss(None)", "Close")]

    def __init__(self, message: str) -> None:
        super().__init__()
        self._message = safe_lines(message)

    def compose(self) -> ComposeResult:
        """Yield a title, the message to scroll through, and the key that closes it."""
        with Vertical(classes="dialog"):
            yield Static("This did not work", id="title")
            with VerticalScroll():
                yield Static(Text(self._message), id="words")
            yield Static("esc Close", id="close")

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


class Confirm(ModalScreen[bool]):
    """A question with yes and no; escape is no.

    Args:
        question: plain text; made safe here.
        yes: label of the button that confirms.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No"),
        Binding("y", "answer(True)", "Yes"),
    ]

    def __init__(self, question: str, yes: str) -> None:
        super().__init__()
        self._question = question
        self._yes = yes

    def compose(self) -> ComposeResult:
        """Yield the question over its two buttons."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 400)))
            with Horizontal(classes="buttons"):
                yield Button(f"{self._yes} (y)", variant="error", id="yes")
                yield Button("No (n)", variant="primary", id="no")

    def on_mount(self) -> None:
        """Make the answer that loses nothing the default."""
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer the question."""
        self.dismiss(yes)


class Choose(ModalScreen[str | None]):
    """A question with a few answers, the first of them the default; escape gives None.

    Args:
        question: plain text; made safe here.
        answers: label of each button, by the key that presses it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: str, answers: Mapping[str, str]) -> None:
        super().__init__()
        self._question = question
        self._answers = dict(answers)

    def compose(self) -> ComposeResult:
        """Yield the question over its buttons."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 400)))
            with Horizontal(classes="buttons"):
                for key, label in self._answers.items():
                    yield Button(f"{label} ({key})", id=f"answer-{key}")
                yield Button("Cancel (esc)", id="cancel")

    def on_mount(self) -> None:
        """Focus the first answer."""
        first = self.query(Button).first()
        first.variant = "primary"
        first.focus()

    def on_key(self, event: events.Key) -> None:
        """Give the answer that a key stands for."""
        if event.key in self._answers:
            event.stop()
            self.dismiss(event.key)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        key = str(event.button.id).removeprefix("answer-")
        self.dismiss(key if key in self._answers else None)


class Prompt(ModalScreen[str | None]):
    """A question with a line to type the answer; escape gives None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self._question = question
        self._value = value

    def compose(self) -> ComposeResult:
        """Yield the question over the line."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 400)))
            yield Input(self._value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
