"""The app: its workspace, its runs as they change, and the way from screen to screen."""

import signal
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from textual import events, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import get_current_worker

from workbench.app.draft_writer import Keeper
from workbench.app.watch import LOOK_SECONDS, RunFeed
from workbench.paths import Workspace
from workbench.render.marks import ASCII_KEYS, speaks_utf8
from workbench.runs.ladder import list_ladders
from workbench.runs.watch import Runs
from workbench.text import safe_text
from workbench.ui import preload
from workbench.ui.ascii_filter import AsciiFilter
from workbench.ui.base_app import BaseApp, Route
from workbench.ui.key_buffer import TypedAhead
from workbench.ui.routes import make_screen
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.suspend import Suspension
from workbench.ui.themes import THEMES, themes_for

_BOTTOM = 2  # screens of the stack that stay: the app's own blank one, and home
LOW_BANDWIDTH_SECONDS = 2.0  # between two looks, and so two redraws, over a slow line


def _palette() -> type[Provider]:
    """Imported once it is asked for: it leads to every screen."""
    from workbench.ui.palette import Commands

    return Commands


class RunsChanged(Message):
    """What the feed saw; a newer one makes this one needless."""

    def __init__(self, runs: Runs, ladders: tuple[str, ...]) -> None:
        super().__init__()
        self.runs = runs
        self.ladders = ladders

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, RunsChanged)


class WorkbenchApp(BaseApp):
    """From a folder of images to a trained, understood classifier.

    Args:
        low_bandwidth: look and redraw less often, without animation.
    """

    # All that screens need, so that none has to read its part when it opens.
    CSS_PATH: ClassVar = ["workbench.tcss", "layers/layers.tcss", "strategy/strategy.tcss"]
    TITLE = "workbench"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {_palette}
    HORIZONTAL_BREAKPOINTS = [(110, "-wide")]  # noqa: RUF012 - as Textual has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True),
        Binding(App.COMMAND_PALETTE_BINDING, "command_palette", "Menu", show=False, priority=True),
    ]

    def __init__(self, workspace: Workspace, low_bandwidth: bool = False) -> None:
        super().__init__()
        self.workspace = workspace
        self.low_bandwidth = low_bandwidth
        self.utf8 = speaks_utf8()
        self._ascii = AsciiFilter()  # one for all: what is drawn is kept by its filters
        self.runs = ()
        self.ladders = ()
        self.warm = None
        self.tried_on = None
        self.keeper = Keeper(self._tell_fault)
        self._rounds = preload.QuietRounds()
        self._typed_ahead = TypedAhead(self)
        self._suspension = Suspension(self)
        self.look_seconds = LOW_BANDWIDTH_SECONDS if low_bandwidth else LOOK_SECONDS
        if low_bandwidth:
            self.animation_level = "none"

    def on_mount(self) -> None:
        """Shows the runs and begins to watch them."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self._dark_and_light[0].name
        self._heed_signals()
        self.open("home")
        self._watch_runs()
        if not self.is_headless:
            self.call_after_refresh(self._make_ready)
            self.set_interval(preload.LOOK_SECONDS, self._rounds.look)

    async def on_event(self, event: events.Event) -> None:
        """Nothing else is done while a person presses keys; keys wait for a dialog that opens."""
        if isinstance(event, (events.Key, events.MouseDown)):
            self._rounds.key_pressed()
        if isinstance(event, events.Key) and self._typed_ahead.keeps(event):
            return
        await super().on_event(event)

    def on_unmount(self) -> None:
        """Takes along what belongs to the app alone."""
        self.cool_down()
        self.keeper.flush()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the command palette offers."""
        from workbench.ui.palette import commands

        return commands(self, screen)

    def get_key_display(self, binding: Binding) -> str:
        """What a key is called in the footer and in the list of keys."""
        shown = super().get_key_display(binding)
        return shown if self.utf8 else shown.translate(ASCII_KEYS)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What is done to all that is drawn; nothing but ASCII is left where there is no more."""
        filters = super().get_line_filters()
        return filters if self.utf8 else [*filters, self._ascii]

    async def action_quit(self) -> None:
        """Ends once the screen in front is built, which would go on to look for its widgets."""
        self.screen.call_later(self.exit)

    def action_show_help_panel(self) -> None:
        """Lists the keys of the screen at its right."""
        from workbench.ui.widgets.key_panel import KeysPanel

        if not self.screen.query(KeysPanel):
            self.screen.mount(KeysPanel())

    def action_theme(self) -> None:
        """Changes between dark and light."""
        dark, light = self._dark_and_light
        self.theme = light.name if self.theme == dark.name else dark.name

    def action_learn(self) -> None:
        """Shows the experiments."""
        self.open("lessons")

    @property
    def _dark_and_light(self) -> tuple[Theme, Theme]:
        """The two themes that suit the terminal; a picture of a screen has all colours."""
        return themes_for(None if self.is_headless else self.console.color_system)

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

    def open(
        self, route: Route, *arguments: Any, then: Callable[[Any], None] | None = None
    ) -> None:
        """Show a screen over the one in front, see `BaseApp`."""
        self.push_screen(make_screen(route, *arguments), then)

    def open_instead(self, route: Route, *arguments: Any) -> None:
        """Show a screen in the place of the steps that led to it, see `BaseApp`."""
        with self.batch_update():
            while len(self.screen_stack) > _BOTTOM:
                self.pop_screen()
            self.open(route, *arguments)

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Takes over what the feed saw, and tells the screens."""
        self.ladders = message.ladders
        self.runs = message.runs
        if not self.is_running:  # it closes, and its screens have lost widgets
            return
        for screen in self.screen_stack:
            if isinstance(screen, WorkbenchScreen) and screen.is_mounted:
                screen.runs_changed(self.runs)

    def _tell_fault(self, words: str) -> None:
        """From the keeper's thread."""
        self.call_later(self.notify, safe_text(words, 400), severity="error", timeout=15)

    @work(thread=True, exclusive=True, group="ready", exit_on_error=False)
    def _make_ready(self) -> None:
        preload.make_ready()

    @work(thread=True, exclusive=True, group="feed", exit_on_error=False)
    def _watch_runs(self) -> None:
        worker = get_current_worker()

        def tell(runs: Runs) -> None:
            self.post_message(RunsChanged(runs, tuple(list_ladders(self.workspace))))

        RunFeed(self.workspace, tell).run(lambda: worker.is_cancelled, self.look_seconds)

    def action_suspend_process(self) -> None:
        """Gives the terminal back to the shell until `fg`, wherever the key is pressed."""
        self._suspension.stop()

    def _heed_signals(self) -> None:
        """Without the terminal the app would live on, unseen, when the connection breaks."""
        if self.is_headless:
            return
        self._suspension.watch()

        def hang_up(number: int, frame: object) -> None:
            self.exit(return_code=128 + number)

        signal.signal(signal.SIGHUP, hang_up)
