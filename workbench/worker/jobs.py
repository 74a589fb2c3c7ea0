"""The protocol of jobs that a command waits for (evaluate, predict, explain ...), and failures.

The request is a JSON object on stdin. Progress, then the result or a failure, are JSON lines on a
descriptor of their own, so that nothing a library prints can mix in.
"""

import errno
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from workbench.errors import DISK_FULL, UserError
from workbench.messages import tr
from workbench.text import describe_unencodable, safe_text
from workbench.worker.startup import backend_of_request, use_backend

PROGRESS_SECONDS = 0.2  # between two progress events

Request = dict[str, Any]
DISK_ERRORS = (*DISK_FULL, errno.EROFS, errno.EACCES, errno.EPERM)
# In messages of TensorFlow and XLA, torch, CUDA, C++.
_NO_MEMORY = ("RESOURCE_EXHAUSTED", "OOM when", "OutOfMemory", "out of memory", "bad_alloc")


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
            request = json.load(sys.stdin)
            use_backend(backend_of_request(request))
            result = job(request, events)
        except UserError as error:
            events.send("failed", kind="user", message=error.message, hint=error.hint)
            return 2
        except Exception as error:
            message, hint = describe_failure(error)
            events.send("failed", kind="error", message=message, hint=hint)
            return 1
        events.send("result", **result)
    return 0


class OutOfMemory(UserError):  # noqa: N818 - a state
    """A step of training needs more memory than there is."""

    kind = "memory"


def ran_out_of_memory(error: BaseException) -> bool:
    """Return True if the memory of the GPU or of the machine was not enough."""
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY)


def out_of_memory(error: BaseException, batch_size: int, smaller: int | None) -> OutOfMemory:
    """Make an error that offers a smaller batch size, or none if the batch is one image already."""
    first = _first_line(error)
    return OutOfMemory(
        tr(
            "Memory was not enough for a step of {batch_size} images ({first}). "
            "The last checkpoint is kept.",
            batch_size=batch_size,
            first=first,
        ),
        tr(
            "Continue with half the batch, {smaller}: workbench resume RUN "
            "--half-batch. Runs started with --oom retry do so automatically.",
            smaller=smaller,
        )
        if smaller
        else tr("Start again with smaller images (data.image_size) or a smaller network."),
    )


def failure_fields(error: Exception) -> dict[str, str]:
    """Return kind, message and hint of a `failed` event."""
    if isinstance(error, UserError):
        return {"kind": error.kind, "message": error.message, "hint": error.hint}
    message, hint = describe_failure(error)
    if ran_out_of_memory(error):
        hint = tr("Another program may use it: workbench check --watch. Then: workbench resume RUN")
        return {"kind": "memory", "message": message, "hint": hint}
    return {"kind": "disk" if _is_disk_error(error) else "error", "message": message, "hint": hint}


def describe_failure(error: Exception) -> tuple[str, str]:
    """Describe an error to a person: a message and a hint, which may be empty."""
    if _is_disk_error(error):
        name = getattr(error, "filename", None)
        place = " " + tr("at {name}", name=safe_text(name, 1000)) if name else ""
        return (
            tr(
                "The disk could not be written{place}: {reason}. Everything saved before is kept.",
                place=place,
                reason=_reason(error),
            ),
            tr("Make room, or fix the permissions, then continue: workbench resume RUN"),
        )
    if isinstance(error, UnicodeEncodeError):
        return describe_unencodable(error)
    return _first_line(error), ""


def _is_disk_error(error: Exception) -> bool:
    if not isinstance(error, OSError):
        return False
    # HDF5 has the number only in its text.
    return error.errno in DISK_ERRORS or "No space left on device" in str(error)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None)
    return safe_text(text) if text and len(text) < 100 else tr("No space left on device")


def _first_line(error: BaseException) -> str:
    first = safe_text(str(error).strip().split("\n", 1)[0], 1000)
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
