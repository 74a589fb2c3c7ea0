"""Starting a detached worker, asking it to stop, and following what it tells."""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.runs.events import LIFE_BEGINS, LIFE_ENDS, Event, EventWriter
from workbench.runs.folder import RunFolder
from workbench.runs.host import may_live_elsewhere, this_host
from workbench.runs.lock import is_locked, name_holder, take_lock
from workbench.runs.process import WORKER_MODULE, WORKING_FOLDER, last_lines, train_command
from workbench.runs.queue import draw_ticket
from workbench.runs.reader import EventReader
from workbench.runs.rows import number, whole
from workbench.runs.standby import WarmWorker
from workbench.text import safe_text

POLL_SECONDS = 0.2
_STOP = "stop"


class NotWritable(UserError):  # noqa: N818 - a state, not a fault
    """The run's folder cannot be written, so nothing was started."""


def launch(
    folder: RunFolder,
    resume: bool = False,
    queue: bool = False,
    environment: dict[str, str] | None = None,
    module: str = WORKER_MODULE,
    warm: WarmWorker | None = None,
    spec: str | None = None,
) -> int:
    """Starts a worker in a session of its own, which outlives this process and its terminal.

    The run's lock is taken here and handed to the worker as an open descriptor, so there is no
    moment at which a second one could start or this one look dead. Requests to an earlier
    worker are dropped.

    Args:
        queue: True to have the worker wait for runs that are at work or in the queue (see
            `queue`).
        environment: variables set for the worker beyond this process's own.
        module: what is run; tests have workers of their own.
        warm: a worker that may have been started already; taken if it is as a new one would be.
        spec: takes the place of the run's own spec.toml, once no other worker can be at it.

    Returns:
        The worker's process id.

    Raises:
        RunLocked: a worker is at it.
        NotWritable: the disk is full, or the folder is not ours to write.
        UserError: no process could be started, or the file system has no locks.
    """
    with _disk_errors_in_words(folder):
        descriptor = take_lock(folder.lock_path)
    try:
        with _disk_errors_in_words(folder):
            clear_requests(folder)
            if spec is not None:
                write_atomic(folder.spec_path, spec)
            if queue:
                draw_ticket(folder)
            command = train_command(module, folder.path, descriptor, resume)
            told = {"job": "train", "resume": resume, "queued": queue}
            process = _start(folder, command, descriptor, environment, warm, told)
        with contextlib.suppress(OSError):  # only a courtesy to others
            name_holder(descriptor, process.pid)
    finally:
        os.close(descriptor)
    # Takes note of the worker's end, so that none is left as a zombie of a long-lived app.
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid


@contextlib.contextmanager
def _disk_errors_in_words(folder: RunFolder) -> Iterator[None]:
    """Raises NotWritable for what the disk refuses."""
    try:
        yield
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise NotWritable(
            f"{safe_text(folder.name)} cannot be started, for {safe_text(folder.path)} cannot be "
            f"written: {reason}.",
            "Make room or mend the permissions; what was saved before stands.",
        ) from None


def request_stop(folder: RunFolder) -> None:
    """Asks the worker to save a checkpoint and end; it looks between its steps."""
    folder.control.mkdir(exist_ok=True)
    write_atomic(folder.control / _STOP, "")


def stop_requested(folder: RunFolder) -> bool:
    """True where a stop was asked for in the worker's lifetime."""
    return (folder.control / _STOP).exists()


def clear_requests(folder: RunFolder) -> None:
    """Drops requests; only the holder of the lock may."""
    if folder.control.is_dir():
        for request in folder.control.iterdir():
            request.unlink(missing_ok=True)


def follow(folder: RunFolder, poll: float = POLL_SECONDS, every: bool = False) -> Iterator[Event]:
    """The events of a run from its beginning, as they come, until its newest worker's end.

    Where that worker died without a word, the last event is one that is in no log:
    `{"event": "interrupted", "log": [last lines it printed]}`.

    Args:
        poll: seconds between two looks while nothing comes.
        every: True for superseded events too, see `superseded`.
    """
    reader = EventReader(folder.events_path, every=every)
    launched: Event = {}
    worker: Event = {}
    last_sign: float | None = None
    ended = False
    while True:
        # Asked before reading: all that a worker wrote before it let go is read after.
        alive = is_locked(folder.lock_path)
        quiet = True
        for event in reader.drain():
            quiet = False
            kind = event["event"]
            last_sign = number(event.get("t"))
            launched = event if kind == "launched" else launched
            worker = event if kind in LIFE_BEGINS else worker
            ended = kind in LIFE_ENDS or (ended and kind not in LIFE_BEGINS)
            yield event
        if ended:
            return
        if quiet and not alive and not may_live_elsewhere(worker, last_sign, time.time()):
            start = whole(launched.get("log_start")) or 0
            yield {"event": "interrupted", "log": last_lines(folder.log_path, start)}
            return
        if quiet:
            time.sleep(poll)


def _start(
    folder: RunFolder,
    command: list[str],
    descriptor: int,
    environment: dict[str, str] | None,
    warm: WarmWorker | None,
    told: dict[str, Any],
) -> subprocess.Popen[bytes]:
    """Writes `launched`, then starts the process, which writes all that follows."""
    events = EventWriter(folder.events_path)
    variables = {**os.environ, **(environment or {})}
    with folder.log_path.open("ab") as log:
        events.write("launched", **told, argv=command, **this_host(), log_start=log.tell())
        if warm and warm.fits(variables):
            absolute = str(folder.path.absolute())
            if warm.give(absolute, told["resume"], descriptor, log.fileno()):
                return warm.process
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=WORKING_FOLDER,
                env=variables,
                pass_fds=(descriptor,),
                start_new_session=True,
            )
        except OSError as error:
            reason = f"The worker could not be started: {safe_text(error)}."
            events.write("failed", kind="error", message=reason, hint="")
            raise UserError(reason) from None
