"""The gauges of the machine, live while they are seen."""

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
from workbench.ui.machine.text import TextStyle, format_gauges

CLOSE_SECONDS = 0.5  # at most, until polling ends after `stop_polling`


class LiveGauges(VerticalScroll, can_focus=False):
    """CPU, memory, GPUs and their processes; live between `start_polling` and `stop_polling`.

    Args:
        seconds: between two samples, at least.
    """

    DEFAULT_CSS = """
    LiveGauges { height: auto; max-height: 10; margin-top: 1; scrollbar-size-vertical: 1; }
    """

    class Sampled(Message):
        """A sample; None if its process ended, with `error` if it could not start."""

        def __init__(self, sample: live.Gauges | None, error: str = "") -> None:
            super().__init__()
            self.sample = sample
            self.error = error

        def can_replace(self, message: Message) -> bool:
            """Drop older samples."""
            return isinstance(message, LiveGauges.Sampled)

    def __init__(self, styles: TextStyle, seconds: float, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text_style = styles
        self._seconds = seconds

    def compose(self) -> ComposeResult:
        """Yield one text."""
        yield Static(Text("gauges: starting ...", "dim"), id="sample")

    @work(thread=True, exclusive=True, group="gauges", exit_on_error=False)
    def start_polling(self) -> None:
        """Post samples until `stop_polling`, or the end of the screen."""
        worker = get_current_worker()
        try:
            with closing(_samples(self._seconds)) as samples:
                for sample in samples:
                    if worker.is_cancelled:
                        return
                    if sample is not None:
                        self.post_message(self.Sampled(sample))
            self.post_message(self.Sampled(None))
        except Exception as error:  # no gauge may end the app
            self.post_message(self.Sampled(None, safe_text(f"{type(error).__name__}: {error}")))

    def stop_polling(self) -> None:
        """End polling while the gauges are not seen."""
        self.workers.cancel_group(self, "gauges")

    @on(Sampled)
    def _sampled(self, message: Sampled) -> None:
        message.stop()
        if message.sample is None:
            reason = f": {message.error}" if message.error else "; open this screen again to retry"
            text = Text(f"! the gauges have ended{reason}", self._text_style.color("warning"))
        else:
            wide = self.screen.has_class("-wide")
            text = format_gauges(message.sample, wide, self._text_style)
        self.query_one("#sample", Static).update(text)


def _samples(seconds: float) -> Generator[live.Gauges | None, None, None]:
    """Yield samples at most every so many seconds; None in between, so that the reader can end."""
    shown = 0.0
    # It reports silence early for that; the report is shown only after `live.PATIENCE`.
    process = cast("Generator[live.Gauges, None, None]", live.gauges(patience=CLOSE_SECONDS))
    with closing(process) as samples:
        for sample in samples:
            now = time.monotonic()
            known = sample.host or sample.silent > live.PATIENCE
            if known and now - shown >= seconds - CLOSE_SECONDS:
                shown = now
                yield sample
            else:
                yield None
