"""The app: its workspace, the feed of its runs, and navigation between screens."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from rich.console import RenderableType
from textual import events, work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.screen import ModalScreen, Screen
from textual.worker import get_current_worker

from workbench.app.draft_writer import DraftWriter
from workbench.hosts.feed import HostFeed
from workbench.hosts.mirror import HostView
from workbench.machine.terminal_graphics import Graphics
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.render.marks import ASCII_KEYS
from workbench.runs.sweep_record import LADDER, SWEEP, SweepRecord, list_records
from workbench.runs.watch import POLL_SECONDS, RunFeed, Runs
from workbench.streams import supports_utf8
from workbench.ui.base import Route, WorkbenchScreen, notify_error
from workbench.ui.bindings import MEANINGS
from workbench.ui.keys import KeyBuffer, is_of_another_script, is_typed
from workbench.ui.person import PersonalApp
from workbench.ui.pixels import PixelLayer
from workbench.ui.routes import (
    COLLECT_SECONDS,
    IdleCollector,
    make_screen,
    postpone_collections,
    preload_screens,
)
from workbench.ui.terminal import HUNG_UP, THEMES, AsciiFilter, Suspension
from workbench.ui.terminal_answers import filter_answers

_BOTTOM = 2  # screens of the stack that stay: the app's own blank one, and home
SAID_SECONDS = 10.0  # between two equal messages about a key
LOW_BANDWIDTH_SECONDS = 2.0  # between two polls, and so two redraws, over a slow line


def _command_provider() -> type[Provider]:
    """Import the palette when it is first opened."""
    from workbench.ui.palette import CommandProvider

    return CommandProvider


class RunsChanged(Message):
    """The newest runs; replaces an older message of its kind."""

    def __init__(self, runs: Runs, sweeps: tuple[SweepRecord, ...], complete: bool) -> None:
        super().__init__()
        self.runs = runs
        self.sweeps = sweeps
        self.complete = complete

    def can_replace(self, message: Message) -> bool:
        """Drop older messages."""
        return isinstance(message, RunsChanged)


class HostsChanged(Message):
    """What is known of the other machines; replaces an older message of its kind."""

    def __init__(self, hosts: Sequence[HostView]) -> None:
        super().__init__()
        self.hosts = hosts

    def can_replace(self, message: Message) -> bool:
        """Drop older messages."""
        return isinstance(message, HostsChanged)


class WorkbenchApp(PersonalApp):
    """From a folder of images to a trained, understood classifier.

    Args:
        low_bandwidth: poll and redraw less often, without animation.
        graphics: of the terminal; half blocks if not given.
        unread: keys, and perhaps the beginning of an answer, that came before; None if nothing
            did and no answer of the terminal can be late.
    """

    # The styles of all screens, so that none has to be parsed when a screen opens.
    CSS_PATH: ClassVar = ["workbench.tcss", "layers/layers.tcss", "strategy/strategy.tcss"]
    TITLE = "workbench"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {_command_provider}
    HORIZONTAL_BREAKPOINTS = [(110, "-wide")]  # noqa: RUF012 - as Textual has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", tr("Quit"), id="app.quit", show=False, priority=True),
        Binding(
            "ctrl+z", "suspend_process", tr("Suspend"), id="suspend", show=False, priority=True
        ),
        Binding("ctrl+p", "command_palette", tr("Menu"), id="palette", show=False, priority=True),
    ]

    def __init__(
        self,
        workspace: Workspace,
        low_bandwidth: bool = False,
        graphics: Graphics | None = None,
        unread: str | None = None,
    ) -> None:
        super().__init__()
        if unread is not None:
            filter_answers(unread)
        self.workspace = workspace
        self.low_bandwidth = low_bandwidth
        self.first: tuple[Any, ...] = ()  # route and arguments of a screen to open over home
        self.notes: Sequence[str] = ()  # to show when it opens
        self.utf8 = supports_utf8()
        self._ascii = AsciiFilter()  # a single one: Textual caches drawn lines by their filters
        self.pixels = PixelLayer(self, graphics or Graphics())
        self.runs = ()
        self.reads_runs = False
        self.hosts = ()
        self._host_feed = HostFeed({}, lambda hosts: None)
        self.sweeps = ()
        self.warm = None
        self.lesson_input = None
        self.draft_writer = DraftWriter(self._show_write_error)
        self._collector = IdleCollector()
        self._preloads = False
        self._said = "", -SAID_SECONDS  # the newest message about a key, and when
        self._key_buffer = KeyBuffer(self)
        self._suspension = Suspension(self, self._redraw)
        self.poll_seconds = LOW_BANDWIDTH_SECONDS if low_bandwidth else POLL_SECONDS
        if low_bandwidth:
            self.animation_level = "none"

    def on_mount(self) -> None:
        """Show the runs and start to watch them."""
        for theme in THEMES:
            self.register_theme(theme)
        self._handle_signals()
        self.screen_change_signal.subscribe(self, self.pixels.screen_changed, immediate=True)
        self.use_settings()
        self.open("home")
        if self.first:
            self.open(*self.first)
        for note in self.notes:
            self.notify(note, severity="warning")
        self._watch_runs()
        self._watch_hosts()
        if not self.is_headless:
            postpone_collections()
            self.set_interval(COLLECT_SECONDS, self._collector.poll)

    async def on_event(self, event: events.Event) -> None:
        """Put garbage collection off while keys are pressed; take the keys that no screen gets."""
        if isinstance(event, (events.Key, events.MouseDown)):
            self._collector.key_pressed()
        if isinstance(event, events.Key) and (
            self._is_of_another_script(event)
            or self._acts_unseen(event.key)
            or self._dismisses(event)
            or self._key_buffer.intercepts(event)
        ):
            return
        if isinstance(event, events.Key) and event.is_forwarded:
            self._explain_unused(event.key)
        await super().on_event(event)

    def _is_of_another_script(self, event: events.Key) -> bool:
        """Return whether a letter of another script was pressed where none is typed; say so."""
        letter = event.character or ""
        if len(letter) != 1 or not is_of_another_script(letter):
            return False
        if is_typed(self.screen, event.key, letter):
            return False
        self._say_once(tr("The keys are Latin letters: switch the keyboard to them."))
        return True

    def _explain_unused(self, key: str) -> None:
        """Say what a letter that the screen in front did not take does on other screens."""
        screen = self.screen
        if not isinstance(screen, WorkbenchScreen) or len(key) > 1 or key not in MEANINGS:
            return
        if key not in screen.active_bindings:
            meaning = MEANINGS[key][0]
            self._say_once(
                tr("{key} does nothing here now; elsewhere: {meaning}.", key=key, meaning=meaning)
            )

    def _say_once(self, message: str) -> None:
        """Show a message about a key, unless it was the newest one, a moment ago."""
        now = time.monotonic()
        if message != self._said[0] or now - self._said[1] > SAID_SECONDS:
            self._said = message, now
            self.notify(message)

    def _acts_unseen(self, key: str) -> bool:
        """Return whether a key would act behind the message that the terminal is too small."""
        screen = self.screen
        if key == "ctrl+c" or not (isinstance(screen, WorkbenchScreen) and screen.is_too_small):
            return False
        bound = screen.active_bindings.get(key)
        return bound is None or bound.binding.action not in ("quit", "suspend_process")

    def _dismisses(self, key: events.Key) -> bool:
        """Remove what is over the screen by escape, which does nothing else then.

        A dialog goes first, then the notifications, then the list of keys.
        """
        if key.key != "escape" or key.is_forwarded or isinstance(self.screen, ModalScreen):
            return False
        if len(self._notifications) and not self._disable_notifications:
            self.clear_notifications()
            return True
        has_panel = bool(self.screen.query("HelpPanel"))  # importing it takes a Markdown reader
        self.action_hide_help_panel()
        return has_panel

    def _leave_notices(self) -> None:
        """Remove the notifications of the screen before; an error stays, and what was just sent."""
        for notice in [one for one in self._notifications if one.severity != "error"]:
            del self._notifications[notice]
        self._refresh_notifications()

    def on_unmount(self) -> None:
        """Close the warm worker and finish writing drafts."""
        self._host_feed.stop()
        self.cool_down()
        self.draft_writer.flush()

    def on_resize(self, event: events.Resize) -> None:
        """Measure the cells again."""
        self.pixels.resized(event.pixel_size)

    def exit(self, *arguments: Any, **options: Any) -> None:
        """End the app; delete its pictures in the terminal first."""
        self.pixels.close()
        self.restore_title()
        super().exit(*arguments, **options)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Draw cells, and pictures over them; Textual has no public hook after each update."""
        super()._display(screen, self.pixels.over(screen, renderable))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Return the entries of the command palette."""
        from workbench.ui.commands import list_commands

        return list_commands(self, screen)

    def get_key_display(self, binding: Binding) -> str:
        """Return the name of a key for the footer and the list of keys."""
        shown = super().get_key_display(binding)
        return shown if self.utf8 else shown.translate(ASCII_KEYS)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters of drawn lines; without UTF-8 one that replaces all but ASCII."""
        filters = super().get_line_filters()
        return filters if self.utf8 else [*filters, self._ascii]

    async def action_quit(self) -> None:
        """Quit once the screen in front is built; it would fail to find its widgets before."""
        self.screen.call_later(self.exit)

    def action_command_palette(self) -> None:
        """Open the palette, of which there is one at a time."""
        from workbench.ui.palette import Palette

        if isinstance(self.screen, Palette):
            return
        if isinstance(self.screen, ModalScreen):  # whose keys are all that there is
            self.notify(tr("Answer this dialog first; esc closes it."), severity="warning")
        else:
            self.push_screen(Palette())

    def action_show_help_panel(self) -> None:
        """List the keys of the screen at its right."""
        from workbench.ui.palette import KeyPanel

        if not self.screen.query(KeyPanel):
            self.screen.mount(KeyPanel())

    def action_lessons(self) -> None:
        """Show the lessons."""
        self.open("lessons")

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a message for a moment; never as markup, which a name from outside may look like."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def open(
        self, route: Route, *arguments: Any, then: Callable[[Any], None] | None = None
    ) -> None:
        """Show a screen over the one in front, see `BaseApp`."""
        self._leave_notices()
        self.push_screen(make_screen(route, *arguments), then)

    def open_instead(self, route: Route, *arguments: Any) -> None:
        """Show a screen instead of the steps that led to it, see `BaseApp`."""
        with self.batch_update():
            while len(self.screen_stack) > _BOTTOM:
                self.pop_screen()
            self.open(route, *arguments)
        self.started_run = str(arguments[0]) if route == "train" else ""

    def on_runs_changed(self, message: RunsChanged) -> None:
        """Store the newest runs and notify the screens."""
        self.sweeps = message.sweeps
        self.runs = message.runs
        self.reads_runs = not message.complete
        self.runs_seen(message.runs)
        self._show_runs()
        if message.complete and not (self._preloads or self.is_headless):  # it delays their reading
            self._preloads = True
            self.call_after_refresh(self._preload)

    def on_hosts_changed(self, message: HostsChanged) -> None:
        """Store what is known of the other machines and notify the screens."""
        self.hosts = message.hosts
        self._show_runs()

    def _show_runs(self) -> None:
        if not self.is_running:  # it is closing, and its screens have lost widgets
            return
        for screen in self.screen_stack:
            if isinstance(screen, WorkbenchScreen) and screen.is_mounted:
                screen.runs_changed(self.runs)

    def _show_write_error(self, message: str) -> None:
        """Show an error of the writer's thread."""
        self.call_later(notify_error, self, message)

    @work(thread=True, exclusive=True, group="preload", exit_on_error=False)
    def _preload(self) -> None:
        preload_screens()

    @work(thread=True, exclusive=True, group="feed", exit_on_error=False)
    def _watch_runs(self) -> None:
        worker = get_current_worker()

        def post(runs: Runs) -> None:
            sweeps = list_records(self.workspace, LADDER, SWEEP)
            self.post_message(RunsChanged(runs, tuple(sweeps), feed.complete))

        feed = RunFeed(self.workspace, post)
        feed.run(lambda: worker.is_cancelled, self.poll_seconds)

    def _watch_hosts(self) -> None:
        """Start to read the runs of the machines in the settings."""

        def post(hosts: Sequence[HostView]) -> None:
            self.post_message(HostsChanged(hosts))

        self._host_feed = HostFeed(self.settings.hosts, post)
        self._host_feed.start()

    def action_suspend_process(self) -> None:
        """Give the terminal back to the shell until `fg`."""
        self.restore_title()
        self._suspension.suspend()

    def _redraw(self) -> None:
        """Draw all again; the terminal has lost it."""
        self.pixels.draw_again()
        self.set_title()
        self.refresh(layout=True)

    def _handle_signals(self) -> None:
        """Suspend on SIGTSTP; exit on SIGHUP, else the app would run on without a terminal."""
        if self.is_headless:
            return
        self._suspension.handle_signals()
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGHUP, lambda: self.exit(return_code=HUNG_UP)
        )
