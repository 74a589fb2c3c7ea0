"""The app: its workspace, its runs as they change, and the way from screen to screen."""

import signal
from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.reactive import var
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import get_current_worker

from workbench.paths import Workspace
from workbench.ui.feed import LOOK_SECONDS, RunFeed, Runs, RunView
from workbench.ui.marks import speaks_utf8
from workbench.ui.screens.home import HomeScreen

LOW_BANDWIDTH_SECONDS = 2.0  # between two looks, and so two redraws, over a slow line

DARK = Theme(
    name="workbench-dark",
    primary="#5fafd7",
    secondary="#8787af",
    accent="#5fd7af",
    success="#87d787",
    warning="#d7af5f",
    error="#ff8787",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
)
LIGHT = Theme(
    name="workbench-light",
    primary="#005f87",
    secondary="#5f5f87",
    accent="#00785f",
    success="#186818",
    warning="#875f00",
    error="#af0000",
    foreground="#1c1c1c",
    background="#ffffff",
    surface="#f4f4f4",
    panel="#e4e4e4",
    dark=False,
)


class RunsChanged(Message):
    """What the feed saw; a newer one makes this one needless."""

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self.runs = runs

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, RunsChanged)


class WorkbenchApp(App[None]):
    """From a folder of images to a trained, understood classifier.

    Args:
        low_bandwidth: look and redraw less often, without animation.

    Attributes:
        runs: all runs of the workspace, brought up to date twice a second.
        utf8: whether the terminal shows more than ASCII.
    """

    CSS_PATH = "workbench.tcss"
    TITLE = "workbench"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="quit", show=False, priority=True),
    ]

    runs: var[Runs] = var(())  # a reactive would draw the whole screen anew at each look

    def __init__(self, workspace: Workspace, low_bandwidth: bool = False) -> None:
        super().__init__()
        self.workspace = workspace
        self.low_bandwidth = low_bandwidth
        self.utf8 = speaks_utf8()
        self.look_seconds = LOW_BANDWIDTH_SECONDS if low_bandwidth else LOOK_SECONDS
        if low_bandwidth:
            self.animation_level = "none"

    def on_mount(self) -> None:
        """Shows the runs and begins to watch them."""
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name
        self._end_with_the_terminal()
        self.push_screen(HomeScreen())
        self._watch_runs()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the command palette offers beside the keys of the screen."""
        yield from super().get_system_commands(screen)
        yield SystemCommand("Light or dark", "Change between the two themes", self.action_theme)
        for view in self.runs:
            yield SystemCommand(
                f"Open {view.name}", f"{view.summary.state.word}", lambda v=view: self.open_run(v)
            )

    def action_theme(self) -> None:
        """Changes between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Shows words for a moment; never as markup, for names from outside may look like it."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def find_run(self, name: str) -> RunView | None:
        """The newest look at a run, None where it is gone."""
        return next((view for view in self.runs if view.name == name), None)

    def open_run(self, view: RunView) -> None:
        """Shows a run: its curves while it trains, its results afterwards."""
        from workbench.ui.screens.train import TrainScreen

        self.push_screen(TrainScreen(view.name))

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Takes over what the feed saw; screens watch `runs`."""
        self.runs = message.runs

    @work(thread=True, exclusive=True, group="feed", exit_on_error=False)
    def _watch_runs(self) -> None:
        worker = get_current_worker()

        def tell(runs: Runs) -> None:
            self.post_message(RunsChanged(runs))

        RunFeed(self.workspace, tell).run(lambda: worker.is_cancelled, self.look_seconds)

    def _end_with_the_terminal(self) -> None:
        """Without it the app would live on, unseen, when the connection breaks."""
        if self.is_headless:
            return

        def hang_up(number: int, frame: object) -> None:
            self.exit(return_code=128 + number)

        signal.signal(signal.SIGHUP, hang_up)
