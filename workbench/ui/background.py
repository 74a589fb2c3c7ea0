"""What may take a moment, done in a thread: the screen stays quick, and no error is lost."""

from collections.abc import Callable
from typing import Any, TypeVar

from textual.screen import Screen

from workbench.text import safe_lines

T = TypeVar("T")
PATIENCE = 15.0  # seconds that an error stays on the screen


def in_background(screen: Screen[Any], work: Callable[[], T], then: Callable[[T], None]) -> None:
    """Calls `work` in a thread, then `then` with what it gave; says what went wrong instead.

    Args:
        then: called on the event loop, and not at all where the screen is gone by then.
    """
    app = screen.app

    def say(problem: Exception) -> None:
        words = safe_lines(problem) or type(problem).__name__
        app.notify(words, severity="error", timeout=PATIENCE, markup=False)

    def run() -> None:
        try:
            done = work()
        except Exception as problem:  # whatever it is: nobody else would show it
            app.call_later(say, problem)
        else:
            screen.call_later(then, done)

    # Of the app: a screen that is left would take its own workers along, begun or not.
    app.run_worker(run, thread=True, exit_on_error=False)
