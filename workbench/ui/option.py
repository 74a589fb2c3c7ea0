"""A key of the experiment, changed: chosen from a list, or typed and checked as it is typed."""

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from workbench.render.strategy import choices_of, described, found_by, typed_value, value_in_words
from workbench.text import safe_text
from workbench.ui.widgets.path_field import WEIGHTS, PathField

Check = Callable[[Any], str]
_WEIGHTS = "imagenet, random, or a file; tab completes its path"


class OptionScreen(ModalScreen[tuple[Any] | None]):
    """Asks for a value; gives it in a tuple of one, or None after escape.

    Args:
        key: "training.epochs".
        value: what it is now.
        default: what the preset says.
        check: says what is wrong with a value, "" for nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("ctrl+r", "reset", "Preset's value"),
    ]

    def __init__(self, key: str, value: Any, default: Any, check: Check) -> None:
        super().__init__()
        self._key = key
        self._value = value
        self._default = default
        self._check = check
        self._choices = choices_of(key)

    def compose(self) -> ComposeResult:
        """The key, what it means, the value, what is wrong with it."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._key, style="bold"))
            default = value_in_words(self._default) or "left out"
            reset = f"preset's value: {default}; ctrl+r takes it"
            lines = (described(self._key), found_by(self._key), reset)
            yield Static(Text("\n".join(line for line in lines if line)), classes="about")
            if self._choices:
                yield OptionList(
                    *(Option(Text(value_in_words(one)), id=str(i))
                      for i, one in enumerate(self._choices))
                )  # fmt: skip
            elif self._key == "base.weights":
                yield PathField(value_in_words(self._value), _WEIGHTS, WEIGHTS)
            else:
                yield Input(value_in_words(self._value), compact=True)
            yield Static(id="error")

    def on_mount(self) -> None:
        """The cursor stands on what is chosen now."""
        if self._choices:
            here = self._choices.index(self._value) if self._value in self._choices else 0
            self.query_one(OptionList).highlighted = here

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._tell(self._check(typed_value(self._key, event.value)))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._tell(self._check(self._choices[event.option_index]))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self._take(typed_value(self._key, event.value))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self._take(self._choices[event.option_index])

    def action_reset(self) -> None:
        """Takes the preset's value."""
        self.dismiss((self._default,))

    def _take(self, value: Any) -> None:
        if error := self._check(value):
            self._tell(error)
        else:
            self.dismiss((value,))

    def _tell(self, error: str) -> None:
        self.query_one("#error", Static).update(Text(f"! {safe_text(error, 300)}" if error else ""))
