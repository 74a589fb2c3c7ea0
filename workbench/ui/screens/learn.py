"""The chapter's claims as experiments: which there are, what came out, and trying one."""

import subprocess
from contextlib import suppress
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ScrollableContainer
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.datasets.catalogue import fetch
from workbench.errors import UserError
from workbench.learn.catalogue import EXPERIMENTS, Experiment
from workbench.learn.keeping import newest_results
from workbench.learn.results import Results
from workbench.text import safe_lines, safe_text
from workbench.ui.learn_job import perform, setting_for
from workbench.ui.learn_text import sheet_text
from workbench.ui.screens.base import WorkbenchScreen

DATA = "digits"
BORDERS = 2  # cells beside the text: its margin and the scroll bar


class ExperimentList(OptionList):
    """Says among the keys what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Try")]


class LearnScreen(WorkbenchScreen):
    """Experiments at the left, the last results of the one under the cursor at the right.

    An experiment that is being tried ends with the screen.
    """

    CSS = """
    LearnScreen OptionList { width: 17; height: 1fr; border: none; padding: 0;
                             background: $background; }
    LearnScreen #sheet { width: 1fr; height: 1fr; scrollbar-size-vertical: 1;
                         scrollbar-size-horizontal: 1; padding: 0 0 0 1; }
    LearnScreen #results { width: auto; }
    LearnScreen #progress { height: 1; color: $secondary; }
    """

    class Told(Message):
        """How far the experiment that is being tried has come."""

        def __init__(self, phase: str, done: int, total: int) -> None:
            super().__init__()
            self.words = f"{phase} {done:,} of {total:,}" if total else phase

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, LearnScreen.Told)

    class Tried(Message):
        """An experiment has ended: with results, or with the reason why there are none."""

        def __init__(self, results: Results | None, problem: str = "") -> None:
            super().__init__()
            self.results = results
            self.problem = problem

    def __init__(self) -> None:
        super().__init__()
        self._names = tuple(EXPERIMENTS)
        self._kept: dict[str, Results | None] = {}
        self._trying: Experiment | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._left = False

    def compose_body(self) -> ComposeResult:
        """The list, the sheet beside it, and a line for what is going on."""
        with Horizontal():
            yield ExperimentList(*(Option(name) for name in self._names))
            with ScrollableContainer(id="sheet"):
                yield Static(id="results")
        yield Static(id="progress")

    def heading(self) -> Text:
        """What the screen is about."""
        text = Text("experiments", style="bold")
        return text.append("  what the chapter says, tried on small images", "not bold")

    def concepts(self) -> tuple[str, ...]:
        """Those of the experiment under the cursor."""
        at = self.query_one(OptionList).highlighted
        return EXPERIMENTS[self._names[at or 0]].concepts

    def on_mount(self) -> None:
        """Reads what was kept."""
        super().on_mount()
        workspace = self.workbench.workspace
        self._kept = {name: newest_results(workspace, name) for name in self._names}
        names = self.query_one(OptionList)
        names.focus()
        names.highlighted = 0

    def on_unmount(self) -> None:
        """Ends what is being tried."""
        super().on_unmount()
        self._left = True
        if self._process is not None:
            with suppress(OSError):
                self._process.terminate()

    def on_resize(self) -> None:
        """Text as wide as there is room."""
        super().on_resize()
        self._draw()

    @on(OptionList.OptionHighlighted)
    def _draw(self) -> None:
        at = self.query_one(OptionList).highlighted
        if at is None:
            return
        name = self._names[at]
        width = max(self.query_one("#sheet").size.width - BORDERS, 40)
        text = sheet_text(EXPERIMENTS[name], self._kept.get(name), width, self.workbench.utf8)
        self.query_one("#results", Static).update(text)
        self.query_one("#sheet").scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _try(self, event: OptionList.OptionSelected) -> None:
        if self._trying is not None:
            words = f"{self._trying.name} is still at work; escape ends it."
            self.notify(words, severity="warning")
            return
        self._trying = EXPERIMENTS[self._names[event.option_index]]
        self._perform(self._trying)

    @work(thread=True, exclusive=True, group="learn", exit_on_error=False)
    def _perform(self, experiment: Experiment) -> None:
        workspace = self.workbench.workspace

        def tell(phase: str, done: int, total: int) -> None:
            self.post_message(self.Told(phase, done, total))

        def started(process: "subprocess.Popen[bytes]") -> None:
            self._process = process
            if self._left:  # the screen went while the worker was being started
                process.terminate()

        try:
            setting = setting_for(fetch(DATA, workspace, tell), progress=tell)
            results = perform(workspace, experiment, setting, DATA, experiment.seeds, tell, started)
        except (UserError, OSError) as error:
            self.post_message(self.Tried(None, str(error)))
        else:
            self.post_message(self.Tried(results))

    @on(Told)
    def _told(self, event: Told) -> None:
        if self._trying is not None:
            words = f"{self._trying.name}: {event.words}"
            self.query_one("#progress", Static).update(Text(safe_text(words)))

    @on(Tried)
    def _tried(self, event: Tried) -> None:
        self._trying = self._process = None
        self.query_one("#progress", Static).update("")
        if event.results is None:
            self.notify(safe_lines(event.problem), severity="error", timeout=15)
            return
        self._kept[event.results.experiment] = event.results
        self._draw()
