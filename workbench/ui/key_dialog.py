"""The dialog that asks for the new key of an action."""

from collections.abc import Callable
from itertools import islice
from string import ascii_letters

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from workbench.messages import tr
from workbench.text import safe_text
from workbench.ui.bindings import KeyAction, list_actions

_FREE = 6  # letters without a meaning that are named


class KeyDialog(ModalScreen[str | None]):
    """Gives the next key that can be taken; "" after backspace for the usual one, None after esc.

    Args:
        action: whose key it becomes.
        keys: that it has now, as they are shown.
        check: returns why a key cannot be taken, "" if it can.
    """

    CSS = """
    KeyDialog #error { color: $error; display: none; }
    """

    def __init__(self, action: KeyAction, keys: str, check: Callable[[str], str]) -> None:
        super().__init__()
        self._action = action
        self._keys = keys
        self._check = check

    def compose(self) -> ComposeResult:
        """Yield the action and what to press."""
        elsewhere = {key for action in list_actions() for key in action.keys.split(",")}
        letters = sorted(ascii_letters, key=elsewhere.__contains__)  # those of no screen first
        free = " ".join(islice((one for one in letters if not self._check(one)), _FREE))
        with Vertical(classes="dialog"):
            yield Static(Text(f"{self._action.title}  ({self._action.id})", style="bold"))
            yield Static(Text(tr("Now {keys}. Press its new key.", keys=self._keys)))
            yield Static(id="error")
            if free:
                yield Static(Text(tr("free letters, such as: {letters}", letters=free), "dim"))
            yield Static(Text(tr("backspace: its usual key   esc: leave it"), style="dim"))

    def on_key(self, event: events.Key) -> None:
        """Take the key, or say why it cannot be taken and wait for another."""
        event.stop()
        event.prevent_default()
        kept = {"escape": None, "backspace": ""}
        key = kept.get(event.key, event.key)
        if key and (problem := self._check(key)):
            line = self.query_one("#error", Static)
            line.update(Text(f"! {safe_text(problem, 300)}"))
            line.display = True
        else:
            self.dismiss(key)
