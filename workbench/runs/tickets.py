"""Tickets: the runs that were started and wait for their devices, first come, first served.

A run that is started draws a ticket, which goes when it gets its slots; a ticket counts while the
run's own lock is held.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.folder import RunFolder
from workbench.runs.lock import is_locked
from workbench.runs.queue_files import digest_run, queue_folder, quote_run, unquote_run
from workbench.text import safe_text
from workbench.words import reason_of


class NotWritable(UserError):  # noqa: N818 - a state, not a fault
    """What a run needs to start cannot be written, so nothing was started."""


class Ticket(BaseModel, frozen=True):
    """What a run that was started wants.

    Attributes:
        run: path of its folder, quoted, since a path may hold any bytes.
        queued: False if it takes its devices at once, shared with other runs if need be.
        share: runs that may use a device together with it, itself included.
        devices: that it can use now, best first; None until its worker has looked.
        count: how many of them it needs.
    """

    run: str
    queued: bool
    share: int = 1
    devices: tuple[str, ...] | None = None
    count: int = 1


def draw_ticket(folder: RunFolder, queued: bool) -> None:
    """Append a run to the queue; only the holder of its lock may.

    Raises:
        NotWritable: The folder of the queue cannot be written.
    """
    try:
        drop_ticket(folder)
        # This clock never goes back while the machine runs.
        path = _tickets() / f"{time.monotonic_ns():020d}-{digest_run(folder)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ticket(path, Ticket(run=quote_run(folder), queued=queued))
    except OSError as error:
        raise NotWritable(
            tr(
                "The queue of runs in {folder} cannot be written: {reason}.",
                folder=safe_text(queue_folder()),
                reason=safe_text(reason_of(error)),
            ),
            tr("Make room, or name another folder for it: XDG_CACHE_HOME=DIR"),
        ) from None


def drop_ticket(folder: RunFolder) -> None:
    """Take a run out of the queue."""
    for path in _tickets().glob(f"*-{digest_run(folder)}.json"):
        path.unlink(missing_ok=True)


def is_waiting(folder: RunFolder) -> bool:
    """Return True if a locked run still waits for its turn."""
    return own_ticket(folder)[1].queued


def own_ticket(folder: RunFolder) -> tuple[Path | None, Ticket]:
    """Return the run's ticket; without one it is as if it was not queued."""
    path = own_ticket_path(folder)
    with suppress(OSError, ValidationError):
        if path:
            return path, Ticket.model_validate_json(path.read_bytes())
    return None, Ticket(run=quote_run(folder), queued=False)


def own_ticket_path(folder: RunFolder) -> Path | None:
    """Return the file of the run's ticket, None without one."""
    return next(_tickets().glob(f"*-{digest_run(folder)}.json"), None)


def tickets_before(path: Path | None) -> Iterator[tuple[Path, Ticket]]:
    """Yield the tickets before one, all without one; those of dead runs are removed."""
    for other in sorted(_tickets().glob("*.json")):
        if path and other.name >= path.name:
            return
        with suppress(OSError, ValidationError):
            ticket = Ticket.model_validate_json(other.read_bytes())
            if is_locked(unquote_run(ticket.run).lock_path):
                yield other, ticket
            else:
                other.unlink(missing_ok=True)


def write_ticket(path: Path, ticket: Ticket) -> None:
    """Write a ticket; it need not outlive the machine."""
    write_atomic(path, ticket.model_dump_json(), synced=False)


def _tickets() -> Path:
    return queue_folder() / "tickets"
