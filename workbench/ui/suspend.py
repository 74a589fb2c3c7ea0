"""Suspend the app on SIGTSTP: the shell has the terminal until `fg` brings the app back."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
from textual.app import App

NO_SHELL = "There is no shell here to return from, so the app is not suspended."
_TRIES = 10  # to draw again; each one in the background ends in another stop


class Suspension:
    """Stops the process on SIGTSTP and draws again when it continues.

    Both signals are handled by the event loop: within a handler of Python's own the app may be in
    the middle of a write.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
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
        self._app.refresh(layout=True)


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
