"""A draft was found: go on with it, or begin anew?"""

import time
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from workbench.app.draft import STEPS, Draft
from workbench.text import human_seconds, safe_text


class GoOnScreen(ModalScreen[str | None]):
    """Gives "go on", "new", or None after escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("g", "dismiss('go on')", "Go on"),
        Binding("n", "dismiss('new')", "New"),
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft

    def compose(self) -> ComposeResult:
        """What was begun, and what can be done with it."""
        draft = self._draft
        ago = human_seconds(max(time.time() - draft.saved, 0))
        done = [step for step in STEPS if step in draft.settled]
        how_far = f"settled: {', '.join(done)}" if done else "nothing is settled yet"
        with Vertical(classes="dialog"):
            yield Static(Text("An experiment was begun and not started", style="bold"))
            yield Static(Text(f"{safe_text(draft.source, 200)}\n{ago} ago; {how_far}"))
            with Horizontal(classes="buttons"):
                yield Button("Go on (g)", variant="primary", id="go-on")
                yield Button("New one (n)", id="new")

    def on_mount(self) -> None:
        """What loses nothing is the default."""
        self.query_one("#go-on", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss("go on" if event.button.id == "go-on" else "new")
