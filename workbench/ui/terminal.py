"""The terminal: its colors, its characters, and giving it back to the shell."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import IO, Any

import psutil
from rich.cells import cell_len
from rich.segment import Segment
from textual.app import App
from textual.color import Color
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter
from textual.theme import Theme

from workbench.messages import tr
from workbench.streams import SUBSTITUTES

# Blocks are drawn as blanks: their background shows where they are.
_SUBSTITUTES = {**SUBSTITUTES, "🔎": " ", **dict.fromkeys("▁▂▃▄▅▆▇█▉▊▋▌▍▎▏▐▔▕▀", " ")}
NO_SHELL = tr("There is no shell here to return from, so the app is not suspended.")
HUNG_UP = 128 + signal.SIGHUP  # exit code, as a shell shows it
_TRIES = 10  # to draw again; each one in the background ends in another stop


def _cursor(background: str, foreground: str) -> dict[str, str]:
    """Return the colors of the row under the cursor, in a list with or without the focus."""
    return {
        "block-cursor-background": background,
        "block-cursor-foreground": foreground,
        "block-cursor-blurred-background": background,
        "block-cursor-blurred-foreground": foreground,
    }


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
    variables=_cursor("#5fafd7 30%", "#d0d0d0"),
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
    variables=_cursor("#005f87 30%", "#1c1c1c"),
)
# A terminal of 16 colors shows the nearest of them, and soft colors become the same grey. These
# themes use the 16 themselves. Dark backgrounds are among the first eight: the Linux console has
# no others behind a text.
DARK_16 = Theme(
    name="workbench-dark-16",
    primary="#55ffff",
    secondary="#aaaaaa",
    accent="#ff55ff",
    success="#55ff55",
    warning="#ffff55",
    error="#ff5555",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#0000aa",
    dark=True,
    variables=_cursor("#0000aa", "#ffffff") | {"text-disabled": "#aaaaaa"},
)
LIGHT_16 = Theme(
    name="workbench-light-16",
    primary="#0000aa",
    secondary="#000000",
    accent="#aa00aa",
    success="#00aa00",
    warning="#aa5500",
    error="#aa0000",
    foreground="#000000",
    background="#ffffff",
    surface="#ffffff",
    panel="#aaaaaa",
    dark=False,
    variables=_cursor("#55ffff", "#000000") | {"text-disabled": "#555555"},
)
THEMES = (DARK, LIGHT, DARK_16, LIGHT_16)


def themes_for(color_system: str | None) -> tuple[Theme, Theme]:
    """Return dark and light for a terminal's color system, as Rich calls it."""
    return (DARK_16, LIGHT_16) if color_system == "standard" else (DARK, LIGHT)


def to_ascii(text: str) -> str:
    """Return the text in ASCII, as many cells wide; a "?" for what has no substitute."""
    if text.isascii():
        return text
    width = cell_len(text)
    shown = (c if c.isascii() else _SUBSTITUTES.get(c, "?") * cell_len(c) for c in text)
    return "".join(shown)[:width].ljust(width)


class AsciiFilter(LineFilter):
    """The last step before the terminal, after every widget."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in ASCII."""
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


class TerminalFile:
    """A file of a terminal that may go away, as when ssh breaks off: then nothing is written.

    Textual's thread that writes would end with an error, and the app wait for it forever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write, if the terminal is still there."""
        with contextlib.suppress(OSError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if the terminal is still there."""
        with contextlib.suppress(OSError):
            self._file.flush()


class TerminalDriver(LinuxDriver):
    """Survives the end of its terminal, so that the app can end too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file = TerminalFile(self._file)  # type: ignore[assignment,arg-type]

    def run_input_thread(self) -> None:
        """Read keys until the app ends, or end it where the terminal is gone."""
        try:
            super().run_input_thread()
        except OSError:
            self._app.call_later(self._app.exit, return_code=HUNG_UP)


class Suspension:
    """Stops the process on SIGTSTP and draws again when it continues.

    Both signals are handled by the event loop: within a handler of Python's own the app may be in
    the middle of a write.

    Args:
        app: to suspend.
        redraw: called when it has the terminal again.
    """

    def __init__(self, app: App[Any], redraw: Callable[[], object]) -> None:
        self._app = app
        self._redraw = redraw
        self._returned = False  # and the SIGCONT of the return was not handled yet

    def handle_signals(self) -> None:
        """Register the handlers; call this within the event loop, once the app draws."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._stopped)
        loop.add_signal_handler(signal.SIGCONT, self._continued)

    def suspend(self) -> None:
        """Stop all that the terminal's ctrl+z would stop, a script around the app too.

        The terminal is restored first: the shell takes it as soon as the script has stopped.
        """
        self._stop(lambda: os.killpg(0, signal.SIGSTOP))

    def _stopped(self) -> None:
        """Handle SIGTSTP from outside, which is meant for this process only."""
        self._stop(lambda: os.kill(os.getpid(), signal.SIGSTOP))

    def _stop(self, stop: Callable[[], None]) -> None:
        driver = self._app._driver
        if driver is None or not driver.can_suspend:
            return
        if has_no_shell():
            self._app.notify(NO_SHELL, severity="warning")
            return
        driver.suspend_application_mode()
        stop()  # and continues here
        self._returned = True
        self._draw()

    def _continued(self) -> None:
        """Handle SIGCONT; after a SIGSTOP the shell has changed the terminal meanwhile."""
        if not self._returned and self._app._driver is not None:
            self._app._driver.suspend_application_mode()
            self._draw()
        self._returned = False

    def _draw(self) -> None:
        """Take the terminal again, at the size that it has now."""
        driver = self._app._driver
        if driver is None:
            return
        for _ in range(_TRIES):
            driver.resume_application_mode()
            writer = getattr(driver, "_writer_thread", None)
            if writer is None or writer.is_alive():  # else it was in the background
                break
        self._redraw()


def has_no_shell() -> bool:
    """Return whether no shell of this session would notice a stop: nobody could end it.

    That is the case where the app is all that a connection, a container or a window of tmux runs.
    The kernel does not let a signal of the terminal stop such a process either.
    """
    try:
        group, session = os.getpgid(0), os.getsid(0)
        parent = os.getppid()
        while parent and os.getpgid(parent) == group:
            parent = psutil.Process(parent).ppid()
        return not parent or os.getsid(parent) != session
    except (OSError, psutil.Error):
        return True
