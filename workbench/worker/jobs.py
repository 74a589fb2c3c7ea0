"""The protocol of jobs that a command waits for: evaluate, predict, explain and others.

The request is a JSON object on stdin. Progress, then the result or a failure, are JSON lines on a
descriptor of their own, so that nothing a library prints can mix in.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from workbench.errors import UserError
from workbench.worker.failures import describe_failure

PROGRESS_SECONDS = 0.2  # between two progress events

Request = dict[str, Any]


class JobEvents:
    """Writes the events of a job. It is a `Progress`: calls write progress, a few a second."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last = 0.0

    def send(self, event: str, **fields: Any) -> None:
        """Write an event."""
        self._out.write(json.dumps({"event": event, **fields}) + "\n")
        self._out.flush()

    def notice(self, message: str) -> None:
        """Write a message for the user."""
        self.send("notice", message=message)

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Write the progress of a phase."""
        now = time.monotonic()
        if done == total or now - self._last > PROGRESS_SECONDS:
            self._last = now
            self.send("progress", phase=phase, done=done, total=total)


Job = Callable[[Request, JobEvents], dict[str, Any]]


def serve(job: Job, events_fd: int) -> int:
    """Run a job with the request on stdin; return the process's exit code."""
    os.set_inheritable(events_fd, False)
    with os.fdopen(events_fd, "w", encoding="utf-8") as out:
        events = JobEvents(out)
        try:
            result = job(json.load(sys.stdin), events)
        except UserError as error:
            events.send("failed", kind="user", message=error.message, hint=error.hint)
            return 2
        except Exception as error:
            message, hint = describe_failure(error)
            events.send("failed", kind="error", message=message, hint=hint)
            return 1
        events.send("result", **result)
    return 0
