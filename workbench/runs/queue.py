"""The queue of a workspace, so that only one of its queued runs uses the GPU at a time.

A queued run has its worker, and so its lock, from the start, and a ticket: a file in its control
folder with the time at which it was queued. A locked run without a ticket is running; of the
locked ones with a ticket the earliest is next. A worker removes its ticket when its turn comes.

Two workers never start at once: tickets are drawn from one clock after the lock was taken, so a
run that appears only after another has listed the runs has a later ticket; and a worker that lists
them again sees the lock of the run that went ahead, with an earlier ticket or with none.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from workbench.files import write_atomic
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.events import WAITING_PHASE
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.lock import is_locked

POLL_SECONDS = 0.5
# A sign of life for readers of the events on another machine, which do not see the lock.
REPEAT_SECONDS = 60.0
_TICKET = "queued"


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
    poll: float = POLL_SECONDS,
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
    while ahead := _all_ahead(folder):
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


def first_ahead(folder: RunFolder) -> RunFolder | None:
    """Return the run that a queued run waits for: a running one, else the first in the queue.

    None if its turn has come, or if it is not queued.
    """
    ahead = _all_ahead(folder)
    return ahead[0][-1] if ahead else None


def _all_ahead(folder: RunFolder) -> list[tuple[int | None, str, RunFolder]]:
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
