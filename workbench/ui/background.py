"""Work that may take a moment runs in a thread: the screen stays responsive, no error is lost."""

from collections.abc import Callable
from typing import Any, TypeVar

from textual.screen import Screen

from workbench.text import safe_lines

T = TypeVar("T")
ERROR_SECONDS = 15.0  # that an error stays on the screen


def in_background(screen: Screen[Any], work: Callable[[], T], then: Callable[[T], None]) -> None:
    """Call `work` in a thread, then `then` with its result; show the error if it fails.

    Args:
        screen: that shows errors.
        work: the function, without side effects on widgets.
        then: called on the event loop; skipped if the screen is closed by then.
    """
    app = screen.app

    def show(error: Exception) -> None:
        message = safe_lines(error) or type(error).__name__
        app.notify(message, severity="error", timeout=ERROR_SECONDS, markup=False)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # of any kind: nobody else would show it
            app.call_later(show, error)
        else:
            screen.call_later(then, result)

    # A worker of the app: a closed screen would cancel its own workers, started or not.
    app.run_worker(run, thread=True, exit_on_error=False)
