"""A part of a screen that runs jobs in a worker, one at a time."""

import subprocess
from collections.abc import Callable
from typing import Any

from textual.containers import Vertical
from textual.message import Message
from textual.worker import get_current_worker

from workbench.app.jobs import JobEvent, run_job

STARTING = "Starting the framework: this takes a few seconds."


class JobPart(Vertical):
    """Ends its worker when another job starts, and when the screen is closed.

    `run_job` and `post_if_active` are for a thread started by Textual's `work`.
    """

    _process: subprocess.Popen[bytes] | None = None

    def on_unmount(self) -> None:
        """End a worker that nobody waits for any more."""
        self.end_job()

    def end_job(self) -> None:
        """Cancel a job that is not finished."""
        self.workers.cancel_node(self)
        if self._process:
            self._process.terminate()
            self._process = None

    def run_job(
        self, job: str, request: dict[str, Any], on_event: Callable[[JobEvent], None]
    ) -> dict[str, Any]:
        """Call `app.jobs.run_job` with a worker that ends with `end_job`."""
        thread = get_current_worker()

        def started(process: subprocess.Popen[bytes]) -> None:
            if thread.is_cancelled:
                process.terminate()
            else:
                self._process = process

        return run_job(job, request, on_event, on_start=started)

    def post_if_active(self, message: Message) -> None:
        """Post a message of the thread, unless its job was cancelled."""
        if not get_current_worker().is_cancelled:
            self.post_message(message)
