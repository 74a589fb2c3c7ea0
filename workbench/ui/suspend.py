"""The app suspended as SIGTSTP does: the shell has the terminal until `fg` brings the app back."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
from textual.app import App

ALONE = "There is no shell here to come back from, so the app goes on."
_TRIES = 10  # to draw again; each one in the background ends in another stop


class Suspension:
    """Stops the process on SIGTSTP and draws again when it goes on.

    Both signals are taken by the event loop: within a handler of Python's own the app may be in
    the middle of a write.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._came_back = False  # and the SIGCONT that brought it was not taken yet

    def watch(self) -> None:
        """From now on; within the event loop, once the app draws."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._asked)
        loop.add_signal_handler(signal.SIGCONT, self._continued)

    def stop(self) -> None:
        """Stops all that the terminal's ctrl+z would stop, a script around the app too.

        Once the terminal is as it was: as soon as the script has stopped, the shell takes it.
        """
        self._stop(lambda: os.killpg(0, signal.SIGSTOP))

    def _asked(self) -> None:
        """From outside, this process alone."""
        self._stop(lambda: os.kill(os.getpid(), signal.SIGSTOP))

    def _stop(self, stop: Callable[[], None]) -> None:
        driver = self._app._driver
        if driver is None or not driver.can_suspend:
            return
        if is_alone():
            self._app.notify(ALONE, severity="warning")
            return
        driver.suspend_application_mode()
        stop()  # and here it goes on
        self._came_back = True
        self._draw()

    def _continued(self) -> None:
        """Where nobody asked first, as with SIGSTOP, the shell has changed the terminal since."""
        if not self._came_back and self._app._driver is not None:
            self._app._driver.suspend_application_mode()
            self._draw()
        self._came_back = False

    def _draw(self) -> None:
        """Takes the terminal again, at the size that it has now."""
        driver = self._app._driver
        if driver is None:
            return
        for _ in range(_TRIES):
            driver.resume_application_mode()
            writer = getattr(driver, "_writer_thread", None)
            if writer is None or writer.is_alive():  # else it was in the background
                break
        self._app.refresh(layout=True)


def is_alone() -> bool:
    """Whether no shell of this session would take note of a stop: nobody could end it.

    So it is where the app is all that a connection, a container or a window of tmux runs. The
    kernel too lets a signal of the terminal stop no such process.
    """
    try:
        group, session = os.getpgid(0), os.getsid(0)
        parent = os.getppid()
        while parent and os.getpgid(parent) == group:
            parent = psutil.Process(parent).ppid()
        return not parent or os.getsid(parent) != session
    except (OSError, psutil.Error):
        return True
