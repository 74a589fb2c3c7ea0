"""Start a detached worker, request it to stop, follow its events.

A queued run has its worker, and so its lock, from the start; see `queue`.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.event_log import EventReader, EventWriter, read_status
from workbench.runs.events import (
    End,
    Event,
    Interrupted,
    Launched,
    Preparing,
    RunFailed,
    RunStopped,
    Session,
)
from workbench.runs.folder import RunFolder
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
from workbench.runs.tickets import NotWritable, draw_ticket
from workbench.text import safe_text
from workbench.words import reason_of

POLL_SECONDS = 0.2  # between two polls of a run that is followed
_STOP = "stop"


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
        queue: True if the worker waits for a device that no other run uses (see `queue`).
        environment: variables of the worker in addition to those of this process.
        module: Python module to run; tests have workers of their own.
        warm: a worker on standby, used if it is as a new one would be.
        spec: replaces the run's spec.toml, once no other worker can read it.
        gpu_report: what the driver just reported, so that the worker need not ask it again.

    Returns:
        The worker's process id.

    Raises:
        RunLocked: A worker trains the run.
        NotWritable: The disk is full, or the folder of the run or of the queue is not writable.
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
            draw_ticket(folder, queue)
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
        reason = safe_text(reason_of(error))
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


def prepare_resubmit(folder: RunFolder, spec: str | None = None) -> None:
    """Drop the requests to a run's earlier worker, and replace its spec.toml if one is given.

    Raises:
        RunLocked: The run has a worker.
    """
    descriptor = take_lock(folder.lock_path)
    try:
        clear_requests(folder)
        if spec is not None:
            write_atomic(folder.spec_path, spec)
    finally:
        os.close(descriptor)


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
            reason = tr("The worker could not be started: {error}.", error=safe_text(error))
            events.write(RunFailed(message=reason))
            raise UserError(reason) from None
