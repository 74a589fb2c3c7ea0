"""Questions, and long words, that lie over a screen."""

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

TOAST_LINES, TOAST_WIDTH = 3, 56  # what can be read before it goes away
PATIENCE = 15.0  # seconds that a short problem stays


def tell_problem(screen: Screen[Any], words: str) -> None:
    """Says what went wrong: a few lines go away by themselves, more stay until they are closed.

    Args:
        words: plain text of any length; made safe here.
    """
    if fits_toast(words):
        screen.notify(safe_lines(words), severity="error", timeout=PATIENCE, markup=False)
    else:
        screen.app.push_screen(Problem(words))


def fits_toast(words: str) -> bool:
    """Whether it is short enough for what goes away by itself."""
    lines = safe_lines(words).splitlines()
    return sum(max(math.ceil(len(line) / TOAST_WIDTH), 1) for line in lines) <= TOAST_LINES


class Problem(ModalScreen[None]):
    """What went wrong, whole, until it is closed.

    Args:
        words: plain text; its first line is what went wrong. Made safe here.
    """

    CSS = """
    Problem .dialog { width: 100%; max-width: 110; max-height: 100%; padding: 0 1; }
    Problem VerticalScroll { height: auto; max-height: 18; scrollbar-size-vertical: 1; }
    Problem #title { text-style: bold; color: $error; }
    Problem #close { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss(None)", "Close"),
    ]

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = safe_lines(words)

    def compose(self) -> ComposeResult:
        """A title, the words to scroll through, how to go on."""
        with Vertical(classes="dialog"):
            yield Static("This did not work", id="title")
            with VerticalScroll():
                yield Static(Text(self._words), id="words")
            yield Static("esc Close", id="close")

    def on_mount(self) -> None:
        """The arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


class Confirm(ModalScreen[bool]):
    """A question with yes and no; escape is no.

    Args:
        question: plain text; made safe here.
        yes: what the button that does it says.
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
        """The question over its two buttons."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 400)))
            with Horizontal(classes="buttons"):
                yield Button(f"{self._yes} (y)", variant="error", id="yes")
                yield Button("No (n)", variant="primary", id="no")

    def on_mount(self) -> None:
        """What loses nothing is the default."""
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Ends the question."""
        self.dismiss(yes)


class Choose(ModalScreen[str | None]):
    """A question with a few answers, the first of them the default; escape gives None.

    Args:
        question: plain text; made safe here.
        answers: what each button says, by the key that presses it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: str, answers: Mapping[str, str]) -> None:
        super().__init__()
        self._question = question
        self._answers = dict(answers)

    def compose(self) -> ComposeResult:
        """The question over its buttons."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 400)))
            with Horizontal(classes="buttons"):
                for key, words in self._answers.items():
                    yield Button(f"{words} ({key})", id=f"answer-{key}")
                yield Button("Cancel (esc)", id="cancel")

    def on_mount(self) -> None:
        """The first answer waits for enter."""
        first = self.query(Button).first()
        first.variant = "primary"
        first.focus()

    def on_key(self, event: events.Key) -> None:
        """A key that stands for an answer gives it."""
        if event.key in self._answers:
            event.stop()
            self.dismiss(event.key)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        key = str(event.button.id).removeprefix("answer-")
        self.dismiss(key if key in self._answers else None)


class Ask(ModalScreen[str | None]):
    """A question with a line to type the answer; escape gives None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self._question = question
        self._value = value

    def compose(self) -> ComposeResult:
        """The question over the line."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 400)))
            yield Input(self._value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
