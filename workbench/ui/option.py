"""Dialog that changes a setting: chosen from a list, or typed and checked on each key."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from workbench.messages import tr
from workbench.render.bases import about_bases
from workbench.render.strategy import (
    choice_lines,
    describe_key,
    format_key_value,
    key_choices,
    parse_typed_value,
    tuning_hint,
)
from workbench.text import safe_text
from workbench.ui.keys import key_of
from workbench.ui.widgets.path_field import WEIGHTS, PathField

Check = Callable[[Any], str]
Preview = Callable[[str], list[str]]
_WEIGHTS = tr("imagenet, random, or a file; tab completes its path")


class OptionScreen(ModalScreen[tuple[Any] | None]):
    """Asks for a value; gives it in a tuple of one, or None after escape.

    Args:
        key: "training.epochs".
        value: the current one.
        default: the preset's.
        check: returns the error of a value, "" for none.
        preview_groups: returns what a pattern for data.group finds; called in a thread.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", tr("Cancel")),
        Binding("ctrl+r", "reset", tr("Preset's value")),
    ]

    def __init__(
        self,
        key: str,
        value: Any,
        default: Any,
        check: Check,
        preview_groups: Preview | None = None,
    ) -> None:
        super().__init__()
        self._key = key
        self._value = value
        self._default = default
        self._check = check
        self._preview = preview_groups if key == "data.group" else None
        self._choices = key_choices(key)

    def compose(self) -> ComposeResult:
        """Yield the key, its meaning, the value, and its error."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._key, style="bold"))
            default = format_key_value(self._default) or tr("left out")
            reset = tr("preset's value: {default}; ctrl+r restores it", default=default)
            about = about_bases() if self._key == "base.name" else ""
            hint = tuning_hint(self._key, partial(key_of, self))
            lines = (describe_key(self._key), about, hint, reset)
            yield Static(Text("\n".join(line for line in lines if line)), classes="about")
            if self._choices:
                yield OptionList(
                    *(Option(Text(line), id=str(i))
                      for i, line in enumerate(choice_lines(self._key)))
                )  # fmt: skip
            elif self._key == "base.weights":
                yield PathField(format_key_value(self._value), _WEIGHTS, WEIGHTS)
            else:
                yield Input(format_key_value(self._value), compact=True)
            yield Static(id="error")
            yield Static(id="preview")

    def on_mount(self) -> None:
        """Put the cursor on the current value."""
        if self._choices:
            here = self._choices.index(self._value) if self._value in self._choices else 0
            self.query_one(OptionList).highlighted = here

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        value = parse_typed_value(self._key, event.value)
        error = self._check(value)
        self._show_error(error)
        if self._preview:
            self._show_preview("" if error else value)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._show_error(self._check(self._choices[event.option_index]))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self._accept(parse_typed_value(self._key, event.value))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self._accept(self._choices[event.option_index])

    def action_reset(self) -> None:
        """Restore the preset's value."""
        self.dismiss((self._default,))

    def _accept(self, value: Any) -> None:
        if error := self._check(value):
            self._show_error(error)
        else:
            self.dismiss((value,))

    @work(thread=True, exclusive=True)
    def _show_preview(self, pattern: str) -> None:
        """Show what the newest pattern finds."""
        assert self._preview is not None
        text = "\n".join(self._preview(pattern)) if pattern else ""
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self.query_one("#preview", Static).update, Text(text))

    def _show_error(self, error: str) -> None:
        self.query_one("#error", Static).update(Text(f"! {safe_text(error, 300)}" if error else ""))
