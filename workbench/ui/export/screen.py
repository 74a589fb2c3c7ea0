"""Taking a run home: a report, its model in other formats, the script that trains the same."""

from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ScrollableContainer
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.app.export import KEEPSAKES, folder_to_write
from workbench.runs.watch import RunView
from workbench.text import safe_text
from workbench.ui.background import in_background
from workbench.ui.dialogs import Ask
from workbench.ui.screen import WorkbenchScreen


class KeepsakeList(OptionList):
    """Says among the keys what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Make")]


class TakeHomeScreen(WorkbenchScreen):
    """What there is at the left, what it is and what was made at the right.

    What is there already stays.

    Args:
        into: the folder that all of it is made in, until another is asked for; left out: the one
            the app was started in.
    """

    CONCEPTS = ("preprocessing",)
    CSS = """
    TakeHomeScreen OptionList { width: 26; height: 1fr; border: none; padding: 0;
                                background: $background; background-tint: $background 0%; }
    TakeHomeScreen #sheet { width: 1fr; height: 1fr; padding: 0 0 0 1; }
    TakeHomeScreen #progress { height: 1; color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "into", "Into", id="take-home.into", tooltip="the folder it is made in"),
    ]

    def __init__(self, view: RunView, into: Path | None = None) -> None:
        super().__init__()
        self.run = view.name
        self._view = view
        self._into = into or Path.cwd()
        self._made: dict[int, str] = {}
        self._queue: list[int] = []  # the first is at work

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

    @property
    def _chosen(self) -> int:
        return self.query_one(OptionList).highlighted or 0

    @on(OptionList.OptionHighlighted)
    def _draw(self) -> None:
        at = self._chosen
        text = Text(KEEPSAKES[at].words)
        if at in self._made:
            text.append(f"\n\n{self._made[at]}", self.app.theme_variables.get("success", ""))
        self.query_one("#words", Static).update(text)

    def action_back(self) -> None:
        """Leaves; what is at work is made to its end, and no more."""
        if self._queue:
            now, *then = self._titles()
            dropped = f"; not any more: {', '.join(then)}" if then else ""
            self.app.notify(f"{now} is still made{dropped}.")
        super().action_back()

    def action_into(self) -> None:
        """Asks for the folder of what is made from now on."""

        def answered(typed: str | None) -> None:
            if typed and typed.strip():
                in_background(self, partial(folder_to_write, typed), self._take_folder)

        question = "Into which folder? It is made where it is not there yet."
        self.app.push_screen(Ask(question, str(self._into)), answered)

    def _take_folder(self, folder: Path) -> None:
        self._into = folder
        self.refresh_heading()

    @on(OptionList.OptionSelected)
    def _ask_for(self, event: OptionList.OptionSelected) -> None:
        """Makes it, once what was asked for before is made."""
        if event.option_index in self._queue:
            return
        self._queue.append(event.option_index)
        if len(self._queue) == 1:
            self._make()
        else:
            self._tell()

    def _make(self) -> None:
        """The first of the queue."""
        self._tell()
        at, into = self._queue[0], self._into
        keepsake, workspace, folder = KEEPSAKES[at], self.workbench.workspace, self._view.folder

        def progress(phase: str, done: int, total: int) -> None:
            self.app.call_later(self._tell, phase, done, total)

        def make() -> str:
            try:
                return keepsake.make(workspace, folder, into, progress)
            finally:
                self.app.call_later(self._ended)

        in_background(self, make, partial(self._took, at))

    def _took(self, at: int, words: str) -> None:
        """Shows what was made, or says so where the cursor is elsewhere."""
        self._made[at] = words
        self._draw()
        if at != self._chosen:
            self.notify(f"{KEEPSAKES[at].title} is done: {words.splitlines()[0]}")

    def _tell(self, phase: str = "", done: int = 0, total: int = 0) -> None:
        if not self._queue or not self.is_attached:
            return
        now, *then = self._titles()
        counted = f"  {done:,} of {total:,}" if total else ""
        line = f"making {now}: {safe_text(phase)}{counted}".rstrip(": ")
        if then:
            line += f"   then {', '.join(then)}"
        self.query_one("#progress", Static).update(Text(line, no_wrap=True, overflow="ellipsis"))

    def _titles(self) -> list[str]:
        """Of the queue."""
        return [KEEPSAKES[at].title for at in self._queue]

    def _ended(self) -> None:
        """Goes on with what was asked for next, unless the screen was left."""
        self._queue.pop(0)
        if not self.is_attached:
            return
        self.query_one("#progress", Static).update(Text())
        if self._queue:
            self._make()
