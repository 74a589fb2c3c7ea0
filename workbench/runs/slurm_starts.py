"""Starts of a job without progress, after which it is not requeued for ever.

SLURM may signal a job up to a minute early, so a job with a short time limit can be stopped before
its first step, be requeued, and be stopped again. What counts is a new record of the run: a further
position saved, or more images prepared; time itself does not.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.event_log import EventReader, EventWriter, read_status
from workbench.runs.events import Event, RunFailed, Work
from workbench.runs.fields import Position
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold
from workbench.runs.lock import take_lock
from workbench.text import safe_text

MAX_STARTS = 3
Record = tuple[int, ...]


@dataclass(frozen=True)
class Starts:
    """Starts of one job.

    Attributes:
        job: its id.
        best: the furthest that the run has come.
        without: starts since then.
    """

    job: str
    best: Record
    without: int = 0


def check_progress(folder: RunFolder, job: str, starts: bool = False) -> None:
    """Count the starts of a job in which its run did not come further.

    Args:
        folder: of the run, which has no worker.
        job: its id.
        starts: True at the start of the job; False after it was stopped.

    Raises:
        UserError: MAX_STARTS of them made no progress; this is recorded as the run's failure.
    """
    events = EventReader(folder.events_path).drain()
    reached = record(fold(events), read_status(folder.status_path))
    before = _read(folder)
    if before is None or before.job != job or reached > before.best:
        before = Starts(job, reached)
    if before.without >= MAX_STARTS:
        _fail(folder, job)
    counted = Starts(job, before.best, before.without + starts)
    write_atomic(folder.starts_path, json.dumps(asdict(counted)) + "\n")


def record(history: History, status: Sequence[Event]) -> Record:
    """Return how far a run has come, to compare: what is saved, then what is prepared.

    The status counts also if its session has ended: a feature pass goes on where it stopped.
    """
    work = [one.done for one in status if isinstance(one, Work)]
    saved = history.checkpoint or Position(0, 1)  # which is where a first session begins too
    return (
        saved.stage,
        saved.epoch,
        saved.step,
        int(bool(history.data.labels)),
        max(work, default=0),
    )


def _read(folder: RunFolder) -> Starts | None:
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        tree = json.loads(folder.starts_path.read_text(encoding="utf-8"))
        best = tuple(int(part) for part in tree["best"])
        return Starts(str(tree["job"]), best, int(tree["without"]))
    return None


def _fail(folder: RunFolder, job: str) -> None:
    message = tr(
        "{count} starts of SLURM job {job} made no progress: each was stopped before anything "
        "more was saved.",
        count=MAX_STARTS,
        job=safe_text(job, 40),
    )
    hint = tr(
        "Give it more time: workbench resume RUN --slurm-set time=HH:MM:SS. What it printed: {log}",
        log=safe_text(folder.log_path, 1000),
    )
    descriptor = take_lock(folder.lock_path)  # only its holder writes
    try:
        EventWriter(folder.events_path).write(RunFailed(kind="user", message=message, hint=hint))
    finally:
        os.close(descriptor)
    raise UserError(message, hint)
