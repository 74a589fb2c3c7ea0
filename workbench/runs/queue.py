"""The queue: runs get their devices in the order in which they were started.

Whoever decides holds the queue's mutex and takes slots only where none of the tickets before its
own has a use for them: first come, first served, and no device idles while a run waits that may
use it. A run for several devices collects them: it leaves none of its own to later runs. Other
users' runs are seen by the memory that they hold.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from workbench.messages import tr
from workbench.progress import Progress
from workbench.runs.events import WAITING_PHASE
from workbench.runs.folder import RunFolder
from workbench.runs.queue_files import queue_mutex, unquote_run
from workbench.runs.slots import Holder, Slot, devices_in_use, holders, take_slot
from workbench.runs.tickets import (
    Ticket,
    drop_ticket,
    own_ticket,
    own_ticket_path,
    tickets_before,
    write_ticket,
)
from workbench.text import safe_text

TURN_SECONDS = 0.5  # between two polls of a run that waits
NEXT_SECONDS = 0.1  # of the one that is next, so that a device idles but a moment
# A sign of life for readers of the events on another machine, which do not see the lock.
REPEAT_SECONDS = 60.0
_NAMED = 3  # runs that are named in the reason of waiting


class DeviceFinder(Protocol):
    """What a run may use; the queue knows devices by their names alone.

    Attributes:
        count: devices that the run needs.
        share: runs that may use one at the same time.
        obstacle: why too few devices were usable when last asked, safe to print; else "".
    """

    count: int
    share: int
    obstacle: str

    def permitted(self) -> Sequence[str]:
        """Return all devices that the run may use, best first."""

    def usable(self) -> Sequence[str]:
        """Return those of them that have enough free memory now."""

    def roomy(self) -> Sequence[str]:
        """Return those of them that had enough when last asked."""


def wait_for_devices(
    folder: RunFolder,
    finder: DeviceFinder,
    progress: Progress,
    should_stop: Callable[[], bool],
    poll: float = TURN_SECONDS,
    is_next: Callable[[], None] = lambda: None,
) -> tuple[Slot, ...]:
    """Wait for the run's turn and take its devices; a run that was not queued does not wait.

    Args:
        folder: of the run.
        finder: of its devices.
        progress: called with "wait for RUN" when that changes, once a minute, and on a request to
            stop, for which it raises.
        should_stop: returns True once a stop was requested.
        poll: seconds between two polls; once the run is next, NEXT_SECONDS at most.
        is_next: called once, when no queued run is ahead; it may take long.

    Returns:
        A slot of each device, in the order of the finder; they are held until closed.
    """
    reported, last, is_later = "", 0.0, True
    while not (slots := take_devices(folder, finder)):
        path = own_ticket_path(folder)
        reason = finder.obstacle or _describe_holders(finder.permitted(), path) or reported
        now = time.monotonic()
        if should_stop() or reason != reported or now - last >= REPEAT_SECONDS:
            progress(WAITING_PHASE + (reason or tr("its turn")), 0, 0)
            reported, last = reason, now
        if is_later and not any(ahead.queued for _, ahead in tickets_before(path)):
            is_later, poll = False, min(poll, NEXT_SECONDS)
            is_next()
        time.sleep(poll)
    return slots


def take_devices(folder: RunFolder, finder: DeviceFinder) -> tuple[Slot, ...]:
    """Take the run's devices, in the order of the finder, if that is possible now; else ().

    A run that was not queued takes them at once, with enough free memory if there are any. The
    device that the fewest runs use is preferred.
    """
    path, ticket = own_ticket(folder)
    permitted = finder.permitted()
    usable = tuple(permitted)
    if ticket.queued:
        free = [name for name in permitted if _has_room(_shares(holders(name)), finder.share)]
        if len(free) >= finder.count:
            usable = tuple(finder.usable())
        elif ticket.devices is not None:  # as nearly always; the driver need not be asked
            finder.obstacle = ""
            return ()
    elif len(roomy := tuple(finder.roomy())) >= finder.count:
        usable = roomy
    wanted = {"devices": usable, "count": finder.count, "share": finder.share}
    if path and ticket.devices != usable:
        write_ticket(path, ticket.model_copy(update=wanted))
    ticket = ticket.model_copy(update=wanted)
    with queue_mutex():
        used: dict[str, list[int]] = {}
        for _, ahead in tickets_before(path) if ticket.queued else ():
            for name in _pick(ahead, usable if ahead.devices is None else ahead.devices, used):
                used[name].append(ahead.share)
        names = _pick(ticket, usable, used)
        if len(names) < ticket.count:
            return ()
        slots = tuple(take_slot(name, folder, ticket.share) for name in names)
        drop_ticket(folder)
    return slots


def take_idle(device: str, folder: RunFolder) -> Slot | None:
    """Take one more device for a run, unless a run uses it or waits for it; else None."""
    with queue_mutex():
        wanted = (ticket.devices for _, ticket in tickets_before(None))
        if holders(device) or any(devices is None or device in devices for devices in wanted):
            return None
        return take_slot(device, folder, share=1)


def expected_runs(devices: Sequence[str], share: int) -> int:
    """Return how many runs will use this machine's devices together, those that wait included.

    Args:
        devices: all that queued runs may use.
        share: runs on one of them.
    """
    running = {holder.run for found in devices_in_use().values() for holder in found}
    waiting = sum(1 for _ in tickets_before(None))
    return max(len(running), min(len(running) + waiting, len(devices) * share), 1)


def _pick(ticket: Ticket, devices: Sequence[str], used: dict[str, list[int]]) -> list[str]:
    """Return the devices that a run would take: the least used first, then the best.

    `used` holds the shares of the runs on each device, and is completed from the lock files.
    """
    for name in devices:
        if name not in used:
            used[name] = _shares(holders(name))
    free = [n for n in devices if not ticket.queued or _has_room(used[n], ticket.share)]
    return sorted(free, key=lambda name: len(used[name]))[: ticket.count]


def _has_room(shares: Sequence[int], share: int) -> bool:
    return len(shares) < min([share, *shares])


def _shares(found: Sequence[Holder]) -> list[int]:
    return [holder.share for holder in found]


def _describe_holders(devices: Sequence[str], path: Path | None) -> str:
    """Return the runs whose end is waited for: those on the devices, else the first ahead."""
    runs = [holder.run for name in devices for holder in holders(name)]
    runs = runs or [ticket.run for _, ticket in tickets_before(path)][:1] if path else runs
    names = [safe_text(unquote_run(run).name) for run in dict.fromkeys(runs)]
    if len(names) > _NAMED:
        names[_NAMED:] = ["..."]
    return ("one of " if len(names) > 1 else "") + ", ".join(names)
