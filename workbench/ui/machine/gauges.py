"""The gauges of the box, live for as long as somebody looks."""

import time
from collections.abc import Generator
from contextlib import closing
from typing import cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from workbench.machine import live
from workbench.text import safe_text
from workbench.ui.machine.text import Pen, gauge_text

CLOSE_SECONDS = 0.5  # so soon the gauges notice that nobody looks any more


class LiveGauges(VerticalScroll, can_focus=False):
    """CPU, memory, GPUs and their processes; live between `start_looking` and `stop_looking`.

    Args:
        seconds: between two looks, at least.
    """

    DEFAULT_CSS = """
    LiveGauges { height: auto; max-height: 10; margin-top: 1; scrollbar-size-vertical: 1; }
    """

    class Looked(Message):
        """A look; None where its process ended, `error` where it could not start."""

        def __init__(self, look: live.Gauges | None, error: str = "") -> None:
            super().__init__()
            self.look = look
            self.error = error

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, LiveGauges.Looked)

    def __init__(self, pen: Pen, seconds: float, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._pen = pen
        self._seconds = seconds

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(Text("gauges: looking ...", "dim"), id="look")

    @work(thread=True, exclusive=True, group="gauges", exit_on_error=False)
    def start_looking(self) -> None:
        """Looks until `stop_looking`, or the end of the screen."""
        worker = get_current_worker()
        try:
            with closing(_looks(self._seconds)) as looks:
                for look in looks:
                    if worker.is_cancelled:
                        return
                    if look is not None:
                        self.post_message(self.Looked(look))
            self.post_message(self.Looked(None))
        except Exception as error:  # no gauge is worth the app
            self.post_message(self.Looked(None, safe_text(f"{type(error).__name__}: {error}")))

    def stop_looking(self) -> None:
        """Ends the looking: nobody sees the gauges any more."""
        self.workers.cancel_group(self, "gauges")

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        """Draws a look."""
        message.stop()
        if message.look is None:
            why = f": {message.error}" if message.error else "; leave and come back to try again"
            text = Text(f"! the gauges have ended{why}", self._pen.color("warning"))
        else:
            text = gauge_text(message.look, self.screen.has_class("-wide"), self._pen)
        self.query_one("#look", Static).update(text)


def _looks(seconds: float) -> Generator[live.Gauges | None, None, None]:
    """Looks at the gauges at most so often; None in between, so that the reader can end."""
    shown = 0.0
    # Its words for silence come early for that; they are shown only once they are worth it.
    process = cast("Generator[live.Gauges, None, None]", live.gauges(patience=CLOSE_SECONDS))
    with closing(process) as looks:
        for look in looks:
            now = time.monotonic()
            known = look.box or look.silent > live.PATIENCE
            if known and now - shown >= seconds - CLOSE_SECONDS:
                shown = now
                yield look
            else:
                yield None
