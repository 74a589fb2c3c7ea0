"""Runs that wait for others of the workspace, so that only one of them has the GPU at a time.

A queued run has its worker, and so its lock, from the start, and beside it a ticket: a file in
its control folder that says when it was queued. A run that is locked without a ticket is at work;
among locked ones with a ticket the earliest is next. A worker throws its ticket away when its
turn comes.

Why two can never think so at once: tickets are drawn from one clock after the lock was taken, so a
run that appears only after another has looked around has a later ticket; and whoever looks again
sees the lock of the one that went ahead, with an earlier ticket or with none.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from workbench.files import write_atomic
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.lock import is_locked
from workbench.runs.rows import WAITING_PHASE

POLL_SECONDS = 0.5
# A sign of life for those who see the events alone, from another machine.
REPEAT_SECONDS = 60.0
_TICKET = "queued"


def draw_ticket(folder: RunFolder) -> None:
    """Puts a run at the queue's end; only the holder of its lock may."""
    folder.control.mkdir(exist_ok=True)
    # This clock never goes back; tickets of an earlier boot belong to locks that are gone.
    write_atomic(_ticket_path(folder), str(time.monotonic_ns()))


def is_waiting(folder: RunFolder) -> bool:
    """True where a run that is locked has yet to wait for its turn."""
    return _ticket(folder) is not None


def wait_for_turn(
    folder: RunFolder,
    progress: Progress,
    stop_asked: Callable[[], bool],
    poll: float = POLL_SECONDS,
    is_next: Callable[[], None] = lambda: None,
) -> None:
    """Returns once nothing is ahead of the run; at once where it was not queued.

    Args:
        progress: told "wait for RUN" when that changes, once a minute, and when a stop was asked
            for; it raises then, which ends the waiting.
        poll: seconds between two looks.
        is_next: called once, when all that is ahead is at work; it may take its time.
    """
    told, last, waits = "", 0.0, True
    while ahead := _all_ahead(folder):
        _, _, first = ahead[0]
        now = time.monotonic()
        if stop_asked() or first.name != told or now - last >= REPEAT_SECONDS:
            progress(WAITING_PHASE + first.name, 0, 0)
            told, last = first.name, now
        if waits and all(ticket is None for ticket, _, _ in ahead):
            waits = False
            is_next()
        time.sleep(poll)
    _ticket_path(folder).unlink(missing_ok=True)


def first_ahead(folder: RunFolder) -> RunFolder | None:
    """The run that a queued run waits for: one at work, else the earliest in the queue.

    None where its turn has come, or where it is not queued.
    """
    ahead = _all_ahead(folder)
    return ahead[0][-1] if ahead else None


def _all_ahead(folder: RunFolder) -> list[tuple[int | None, str, RunFolder]]:
    """Ticket, name and folder of all that come before a queued run; those at work first.

    [] where it is not queued.
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
    """When the run was queued; None where it is not, or cannot be told."""
    with contextlib.suppress(OSError, ValueError):
        return int(_ticket_path(folder).read_text(encoding="ascii"))
    return None


def _is_locked(folder: RunFolder) -> bool:
    """False too where another person's run keeps its lock to itself: nobody could wait for it."""
    try:
        return is_locked(folder.lock_path)
    except PermissionError:
        return False
