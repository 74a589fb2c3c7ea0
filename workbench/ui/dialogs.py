"""Dialogs over a screen: questions, long messages, and the choice of a name."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

from rich.text import Text
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from workbench.errors import UserError
from workbench.messages import tr
from workbench.text import safe_lines, safe_text
from workbench.ui.base import notify_error

TOAST_LINES, TOAST_WIDTH = 3, 56  # what can be read before it disappears
MAX_OPTIONS = 50  # in the list at a time; if there are more names, a text is typed


def show_error(screen: Screen[Any], message: str) -> None:
    """Show an error: a few lines disappear by themselves, more stay until they are closed.

    Args:
        screen: in front.
        message: plain text of any length; made safe here.
    """
    if fits_toast(message):
        notify_error(screen.app, message)
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
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss(None)", tr("Close"))
    ]

    def __init__(self, message: str) -> None:
        super().__init__()
        self._message = safe_lines(message)

    def compose(self) -> ComposeResult:
        """Yield a title, the message to scroll through, and the key that closes it."""
        with Vertical(classes="dialog"):
            yield Static(tr("This did not work"), id="title")
            with VerticalScroll():
                yield Static(Text(self._message), id="words")
            yield Static(tr("esc Close"), id="close")

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


class Confirm(ModalScreen[bool]):
    """A question with yes and no; escape is no, enter the answer that loses nothing.

    Args:
        question: plain text; made safe here.
        yes: label of the button that confirms.
        harmless: whether yes loses nothing either; enter is yes then.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", tr("No")),
        Binding("y", "answer(True)", tr("Yes")),
    ]

    def __init__(self, question: str, yes: str, harmless: bool = False) -> None:
        super().__init__()
        self._question = question
        self._yes = yes
        self._harmless = harmless

    def compose(self) -> ComposeResult:
        """Yield the question over its two buttons."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 400)))
            with Horizontal(classes="buttons"):
                if self._harmless:
                    yield Button(tr("{yes} (y, enter)", yes=self._yes), variant="primary", id="yes")
                    yield Button(tr("No (n)"), id="no")
                else:
                    yield Button(f"{self._yes} (y)", variant="error", id="yes")
                    yield Button(tr("No (n, enter)"), variant="primary", id="no")

    def on_mount(self) -> None:
        """Let enter give the default."""
        self.query_one("#yes" if self._harmless else "#no", Button).focus()

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

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", tr("Cancel"))]

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
                yield Button(tr("Cancel (esc)"), id="cancel")

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
    """A question with a line to type the answer; escape gives None.

    Args:
        question: plain text; made safe here.
        value: in the line at first; what is typed is added if it ends with a blank.
        take: called in a thread with what was typed; the dialog gives what it returns. An error
            of it is shown in the dialog, which stays with the text. None gives the text itself.
    """

    CSS = """
    Prompt #error { color: $error; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", tr("Cancel"))]

    def __init__(
        self, question: str, value: str = "", take: Callable[[str], str] | None = None
    ) -> None:
        super().__init__()
        self._question = question
        self._value = value
        self._take = take
        self._taking = False

    def compose(self) -> ComposeResult:
        """Yield the question over the line, and below it why an answer was not taken."""
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 400)))
            # Typing replaces the value, or adds to one that ends with a blank.
            yield Input(self._value, select_on_focus=not self._value.endswith(" "))
            yield Static(id="error")
            yield Static(Text(tr("enter: take it   esc: leave it"), style="dim"))

    @on(Input.Changed)
    def _changed(self) -> None:
        self._show_error("")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if self._take is None:
            self.dismiss(event.value)
        elif not self._taking:
            self._taking = True
            self._call(self._take, event.value)

    @work(thread=True, exit_on_error=False)
    def _call(self, take: Callable[[str], str], text: str) -> None:
        try:
            taken = take(text)
        except (UserError, OSError) as error:
            self.app.call_from_thread(self._answered, None, safe_lines(error))
        else:
            self.app.call_from_thread(self._answered, taken, "")

    def _answered(self, taken: str | None, error: str) -> None:
        self._taking = False
        if not self.is_current:  # cancelled meanwhile
            return
        if taken is None:
            self._show_error(f"! {error}")
        else:
            self.dismiss(taken)

    def _show_error(self, error: str) -> None:
        line = self.query_one("#error", Static)
        line.update(Text(error))
        line.display = bool(error)


class PickName(ModalScreen[str | None]):
    """Gives the chosen name; escape gives None.

    Args:
        question: over the list.
        names: any number.
        likely: the one that is selected at first, if it is among them.
        marked: whether the likely one is the present value, which has a mark.
    """

    CSS = """
    PickName OptionList { max-height: 14; }
    PickName #more { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", tr("Cancel")),
        # Before the text field, which has no use for them.
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
    ]

    def __init__(
        self, question: str, names: Sequence[str], likely: str | None = None, marked: bool = False
    ) -> None:
        super().__init__()
        self._question = question
        self._names = tuple(names)
        self._likely = likely if likely in self._names else None
        self._marked = marked
        self._shown: tuple[str, ...] = ()
        self._typed_here = ""  # while the list has the focus

    @property
    def _many(self) -> bool:
        return len(self._names) > MAX_OPTIONS

    def compose(self) -> ComposeResult:
        """Yield the question over the list; between them a text field if there are many names."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._question))
            if self._many:
                yield Input(placeholder=tr("a part of its name"), compact=True, id="part")
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
        options.add_options(Option(Text(self._line(name))) for name in self._shown)
        first = 0 if self._shown else None
        known = not self._many and self._likely is not None
        options.highlighted = self._shown.index(str(self._likely)) if known else first
        for line in self.query("#more").results(Static):
            more = len(matching) - len(self._shown)
            text = tr("and {more:,} more: type a part of the name", more=more) if more else ""
            line.update(text if matching else tr("no name contains this"))

    def _line(self, name: str) -> str:
        """Return a name as it is listed, the present value with its mark."""
        mark = ("●" if getattr(self.app, "utf8", True) else "*") if name == self._likely else " "
        return f"{mark} {safe_text(name, 50)}" if self._marked else safe_text(name, 50)

    def on_key(self, event: events.Key) -> None:
        """Select the next name with a word that begins with what is typed, where no field is."""
        if self._many or not event.is_printable or not event.character:
            return
        event.stop()
        self._typed_here += event.character.casefold()
        found = [at for at, name in enumerate(self._shown) if self._begins(name)]
        if not found:  # begin again
            self._typed_here = event.character.casefold()
            found = [at for at, name in enumerate(self._shown) if self._begins(name)]
        if found:
            self.query_one(OptionList).highlighted = found[0]

    def _begins(self, name: str) -> bool:
        words = re.findall(r"[\w-]+", name.casefold())
        return any(word.startswith(self._typed_here) for word in words)

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
