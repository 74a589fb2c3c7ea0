"""Taking a run home: a report, its model in other formats, the script that trains the same."""

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ScrollableContainer
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.text import safe_text
from workbench.ui.background import in_background
from workbench.ui.feed import RunView
from workbench.ui.screens.base import WorkbenchScreen
from workbench.ui.take_home import KEEPSAKES


class KeepsakeList(OptionList):
    """Says among the keys what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Make")]


class TakeHomeScreen(WorkbenchScreen):
    """What there is at the left, what it is and what was made at the right.

    What is there already stays.

    Args:
        into: the folder that all of it is made in; left out: the one the app was started in.
    """

    CONCEPTS = ("preprocessing",)
    CSS = """
    TakeHomeScreen OptionList { width: 26; height: 1fr; border: none; padding: 0;
                                background: $background; background-tint: $background 0%; }
    TakeHomeScreen #sheet { width: 1fr; height: 1fr; padding: 0 0 0 1; }
    TakeHomeScreen #progress { height: 1; color: $secondary; }
    """

    def __init__(self, view: RunView, into: Path | None = None) -> None:
        super().__init__()
        self.run = view.name
        self._view = view
        self.run = view.name
        self._into = into or Path.cwd()
        self._made: dict[int, str] = {}
        self._at_work: int | None = None

    def compose_body(self) -> ComposeResult:
        """The list, the words beside it, and a line for what is going on."""
        with Horizontal():
            yield KeepsakeList(*(Option(one.title) for one in KEEPSAKES))
            with ScrollableContainer(id="sheet"):
                yield Static(id="words")
        yield Static(id="progress")

    def heading(self) -> Text:
        """The run, and where to."""
        text = Text.assemble((safe_text(self._view.name, 40), "bold"), "  take home")
        return text.append(f"   into {safe_text(self._into, 40)}", "dim")

    def on_mount(self) -> None:
        """The report first."""
        super().on_mount()
        choices = self.query_one(OptionList)
        choices.focus()
        choices.highlighted = 0

    @on(OptionList.OptionHighlighted)
    def _draw(self) -> None:
        at = self.query_one(OptionList).highlighted or 0
        text = Text(KEEPSAKES[at].words)
        if at in self._made:
            text.append(f"\n\n{self._made[at]}", self.app.theme_variables.get("success", ""))
        self.query_one("#words", Static).update(text)

    @on(OptionList.OptionSelected)
    def _make(self, event: OptionList.OptionSelected) -> None:
        if self._at_work is not None:
            title = KEEPSAKES[self._at_work].title
            self.notify(f"{title} is still at work.", severity="warning")
            return
        at = self._at_work = event.option_index
        keepsake, workspace, folder = KEEPSAKES[at], self.workbench.workspace, self._view.folder
        self._tell("", 0, 0)

        def progress(phase: str, done: int, total: int) -> None:
            self.app.call_later(self._tell, phase, done, total)

        def make() -> str:
            try:
                return keepsake.make(workspace, folder, self._into, progress)
            finally:
                self.app.call_later(self._ended)

        def made(words: str) -> None:
            self._made[at] = words
            self._draw()

        in_background(self, make, made)

    def _tell(self, phase: str, done: int, total: int) -> None:
        if self._at_work is None or not self.is_attached:
            return
        counted = f"  {done:,} of {total:,}" if total else ""
        line = f"making {KEEPSAKES[self._at_work].title}: {safe_text(phase)}{counted}"
        self.query_one("#progress", Static).update(Text(line.rstrip(": ")))

    def _ended(self) -> None:
        self._at_work = None
        for line in self.query("#progress").results(Static):
            line.update(Text())
