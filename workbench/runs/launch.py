"""Start a detached worker, request it to stop, let it wait for its turn, follow its events.

Only one of the queued runs of a workspace uses the GPU at a time. A queued run has its worker, and
so its lock, from the start, and a ticket: a file in its control folder with the time at which it
was queued. A locked run without a ticket is running; of the locked ones with a ticket the earliest
is next. A worker removes its ticket when its turn comes.

Two workers never start at once: tickets are drawn from one clock after the lock was taken, so a
run that appears only after another has listed the runs has a later ticket; and a worker that lists
them again sees the lock of the run that went ahead, with an earlier ticket or with none.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.event_log import EventReader, EventWriter, read_status
from workbench.runs.events import (
    WAITING_PHASE,
    End,
    Event,
    Interrupted,
    Launched,
    Preparing,
    RunFailed,
    RunStopped,
    Session,
)
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.lock import is_locked, may_run_elsewhere, name_holder, take_lock, this_host
from workbench.runs.process import (
    WORKER_MODULE,
    WarmWorker,
    last_lines,
    start_worker,
    train_command,
)
from workbench.runs.slurm_queue import JobState, find_job, job_state
from workbench.runs.slurm_state import describe_pending, log_path
from workbench.text import safe_text

POLL_SECONDS = 0.2  # between two polls of a run that is followed
_STOP = "stop"
TURN_SECONDS = 0.5  # between two polls of a run that waits
# A sign of life for readers of the events on another machine, which do not see the lock.
REPEAT_SECONDS = 60.0
_TICKET = "queued"


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
    gpu_report: str | None = None,
) -> int:
    """Start a worker in a session of its own, which outlives this process and its terminal.

    This process takes the run's lock and passes it to the worker as an open descriptor: at no
    moment could a second worker start or this one look dead. Requests to an earlier worker are
    dropped.

    Args:
        folder: of the run.
        resume: True to continue at the last checkpoint.
        queue: True if the worker waits for runs that are running or queued (see `wait_for_turn`).
        environment: variables of the worker in addition to those of this process.
        module: Python module to run; tests have workers of their own.
        warm: a worker on standby, used if it is as a new one would be.
        spec: replaces the run's spec.toml, once no other worker can read it.
        gpu_report: what the driver just reported, so that the worker need not ask it again.

    Returns:
        The worker's process id.

    Raises:
        RunLocked: A worker trains the run.
        NotWritable: The disk is full, or the folder is not writable.
        UserError: No process could be started, or the file system has no locks.
    """
    with _disk_errors(folder):
        descriptor = take_lock(folder.lock_path)
    try:
        with _disk_errors(folder):
            clear_requests(folder)
            if spec is not None:
                write_atomic(folder.spec_path, spec)
            if gpu_report is not None:
                folder.control.mkdir(exist_ok=True)
                write_atomic(folder.gpu_report_path, gpu_report)
            if queue:
                draw_ticket(folder)
            command = train_command(module, folder.path, descriptor, resume)
            launched = Launched.read(
                {"resume": resume, "queued": queue, "argv": command, **this_host()}
            )
            process = _start(folder, command, descriptor, environment, warm, launched)
        with contextlib.suppress(OSError):  # only names the holder in the messages of others
            name_holder(descriptor, process.pid)
    finally:
        os.close(descriptor)
    return process.pid


@contextlib.contextmanager
def _disk_errors(folder: RunFolder) -> Iterator[None]:
    """Raise NotWritable for an OSError."""
    try:
        yield
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise NotWritable(
            tr(
                "{folder_name} cannot be started, for {folder_path} cannot be written: {reason}.",
                folder_name=safe_text(folder.name),
                folder_path=safe_text(folder.path),
                reason=reason,
            ),
            tr("Make room or fix the permissions; everything saved before is kept."),
        ) from None


def request_stop(folder: RunFolder) -> None:
    """Request the worker to save a checkpoint and end; it polls between its steps."""
    folder.control.mkdir(exist_ok=True)
    write_atomic(folder.control / _STOP, "")


def stop_requested(folder: RunFolder) -> bool:
    """Return True if a stop was requested since the worker was launched."""
    return (folder.control / _STOP).exists()


def clear_requests(folder: RunFolder) -> None:
    """Drop all requests; only the holder of the lock may."""
    if folder.control.is_dir():
        for request in folder.control.iterdir():
            request.unlink(missing_ok=True)


def follow(folder: RunFolder, poll: float = POLL_SECONDS) -> Iterator[Event]:
    """Yield a run's events from its beginning, as they come, until its newest worker ends.

    Those of its status come when they are new. If the worker died without a final event, the last
    one yielded is Interrupted, which is in no log. A job that SLURM starts again is followed from
    one worker to the next.

    Args:
        folder: of the run.
        poll: seconds between two polls while nothing comes.
    """
    reader = EventReader(folder.events_path)
    log_start = 0
    worker: Session | None = None
    last_sign: float | None = None
    end: End | None = None
    shown: list[Event] = []  # of the status
    waits = ""
    while True:
        # Queried before reading: everything a worker wrote before it released the lock is read.
        alive = is_locked(folder.lock_path)
        job = None if alive else job_state(folder)
        quiet = True
        for event in reader.drain():
            quiet = False
            last_sign = event.t
            log_start = event.log_start if isinstance(event, Launched) else log_start
            worker = event if isinstance(event, Session) else worker
            end = event if isinstance(event, End) else None if isinstance(event, Session) else end
            yield event
        pending, job_runs = _what_follows(job, end)
        if end and not (pending or job_runs):
            return
        alive = alive or job_runs
        if job and pending and waits != (waits := describe_pending(job, time.time())):
            yield Preparing(t=time.time(), phase=waits)
        news = read_status(folder.status_path) if quiet else []
        for event in news:
            last_sign = max(event.t or 0.0, last_sign or 0.0)
            if alive and event not in shown:
                yield event
        shown = news or shown
        gone = job is not None and job.phase == "ended"
        elsewhere = not gone and may_run_elsewhere(worker, last_sign, time.time())
        if quiet and not (alive or pending or elsewhere):
            yield Interrupted(log=tuple(_last_output(folder, worker, log_start)))
            return
        if quiet:
            time.sleep(poll)


def _what_follows(job: JobState | None, end: End | None) -> tuple[bool, bool]:
    """Return whether a run's job is pending, and whether a worker of it runs or will soon.

    A worker that was stopped may be followed by another, when its job is requeued.
    """
    if job is None or job.phase != "running":
        return job is not None and job.phase == "pending", False
    earlier = end is not None and (end.t or 0.0) < (job.start or 0.0)
    return False, end is None or earlier or isinstance(end, RunStopped)


def _last_output(folder: RunFolder, worker: Session | None, log_start: int) -> list[str]:
    """Return the last lines of the worker, or of a job that did not come to it."""
    job = find_job(folder)
    if job and (worker is None or (worker.t or 0.0) < job.submitted):
        return last_lines(log_path(job))
    return last_lines(folder.log_path, log_start)


def _start(
    folder: RunFolder,
    command: list[str],
    descriptor: int,
    environment: dict[str, str] | None,
    warm: WarmWorker | None,
    launched: Launched,
) -> subprocess.Popen[bytes]:
    """Write `launched`, then start the process, which writes all other events."""
    events = EventWriter(folder.events_path)
    variables = {**os.environ, **(environment or {})}
    with folder.log_path.open("ab") as log:
        events.write(replace(launched, log_start=log.tell()))
        if warm and warm.matches(variables):
            absolute = str(folder.path.absolute())
            if warm.assign(absolute, launched.resume, descriptor, log.fileno()):
                return warm.process
        try:
            return start_worker(
                command, log, descriptors=(descriptor,), environment=variables, detached=True
            )
        except OSError as error:
            reason = f"The worker could not be started: {safe_text(error)}."
            events.write(RunFailed(message=reason))
            raise UserError(reason) from None


def draw_ticket(folder: RunFolder) -> None:
    """Append a run to the queue; only the holder of its lock may."""
    folder.control.mkdir(exist_ok=True)
    # This clock never goes back; tickets from before a reboot belong to locks that are gone.
    write_atomic(_ticket_path(folder), str(time.monotonic_ns()))


def is_waiting(folder: RunFolder) -> bool:
    """Return True if a locked run still waits for its turn."""
    return _ticket(folder) is not None


def wait_for_turn(
    folder: RunFolder,
    progress: Progress,
    should_stop: Callable[[], bool],
    poll: float = TURN_SECONDS,
    is_next: Callable[[], None] = lambda: None,
) -> None:
    """Return once no run is ahead; at once if the run was not queued.

    Args:
        folder: of the run.
        progress: called with "wait for RUN" when that changes, once a minute, and on a request to
            stop, for which it raises.
        should_stop: returns True once a stop was requested.
        poll: seconds between two polls.
        is_next: called once, when all runs ahead are running; it may take long.
    """
    reported, last, is_later = "", 0.0, True
    while ahead := all_ahead(folder):
        _, _, first = ahead[0]
        now = time.monotonic()
        if should_stop() or first.name != reported or now - last >= REPEAT_SECONDS:
            progress(WAITING_PHASE + first.name, 0, 0)
            reported, last = first.name, now
        if is_later and all(ticket is None for ticket, _, _ in ahead):
            is_later = False
            is_next()
        time.sleep(poll)
    _ticket_path(folder).unlink(missing_ok=True)


def all_ahead(folder: RunFolder) -> list[tuple[int | None, str, RunFolder]]:
    """Return ticket, name and folder of all runs ahead of a queued run, running ones first.

    [] if it is not queued.
    """
    own = _ticket(folder)
    if own is None:
        return []
    ahead = []
    for other in list_runs(Workspace(folder.path.parent.parent)):
        if other.name == folder.name or not _is_locked(other):
            continue
        ticket = _ticket(other)
        if ticket is None or (ticket, other.name) < (own, folder.name):
            ahead.append((ticket, other.name, other))
    return sorted(ahead, key=lambda one: (one[0] or 0, one[1]))


def _ticket_path(folder: RunFolder) -> Path:
    return folder.control / _TICKET


def _ticket(folder: RunFolder) -> int | None:
    """Return when the run was queued; None if it is not, or if the ticket is unreadable."""
    with contextlib.suppress(OSError, ValueError):
        return int(_ticket_path(folder).read_text(encoding="ascii"))
    return None


def _is_locked(folder: RunFolder) -> bool:
    """Return False also for a run of another user whose lock cannot be read."""
    try:
        return is_locked(folder.lock_path)
    except PermissionError:
        return False
