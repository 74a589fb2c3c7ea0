"""A part of a screen that has a worker do something, one thing at a time."""

import subprocess
from collections.abc import Callable
from typing import Any

from textual.containers import Vertical
from textual.message import Message
from textual.worker import get_current_worker

from workbench.runs.events import Event
from workbench.runs.jobs import run_job

STARTING = "Starting the framework: this takes a few seconds."


class JobPart(Vertical):
    """Ends its worker where another job is begun, and where the screen is left.

    `run_job` and `tell` are for a thread that Textual's `work` has started.
    """

    _process: subprocess.Popen[bytes] | None = None

    def on_unmount(self) -> None:
        """Ends a worker that nobody waits for any more."""
        self.end_job()

    def end_job(self) -> None:
        """Gives up a job that is not finished."""
        self.workers.cancel_node(self)
        if self._process:
            self._process.terminate()
            self._process = None

    def run_job(
        self, job: str, request: dict[str, Any], on_event: Callable[[Event], None]
    ) -> dict[str, Any]:
        """As `runs.jobs.run_job`; the worker ends with `end_job`."""
        thread = get_current_worker()

        def began(process: subprocess.Popen[bytes]) -> None:
            if thread.is_cancelled:
                process.terminate()
            else:
                self._process = process

        return run_job(job, request, on_event, on_start=began)

    def tell(self, message: Message) -> None:
        """Posts what the thread has to say, unless its job was given up."""
        if not get_current_worker().is_cancelled:
            self.post_message(message)
