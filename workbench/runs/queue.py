"""The queue: which run uses which device, in the order in which they were started.

Every device - a GPU or a slice of one by its UUID, or the CPU - has slots: lock files, numbered
from 0. A run holds a slot of each device that it uses until its process ends, however it ends. The
CPU is a device like any other, so that without a GPU queued runs train one after the other, and a
run on the CPU never waits for a GPU.

A run that is started draws a ticket, which goes when it gets its slots; a ticket counts while the
run's own lock is held. Whoever decides holds the queue's mutex and takes slots only where none of
the tickets before its own has a use for them: first come, first served, and no device idles while
a run waits that may use it. A run for several devices collects them: it leaves none of its own to
later runs.

All of it is in the user's cache folder, one folder for each boot of a machine: runs of all
workspaces share the GPUs. Other users' runs are seen by the memory that they hold.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes

from pydantic import BaseModel, ValidationError

from workbench.errors import UserError
from workbench.files import boot_id, write_atomic
from workbench.messages import tr
from workbench.paths import cache_folder
from workbench.progress import Progress
from workbench.runs.events import WAITING_PHASE
from workbench.runs.folder import RunFolder
from workbench.runs.lock import RunLocked, is_locked, take_lock
from workbench.text import safe_text
from workbench.words import reason_of

CPU = "CPU"  # the device of runs without a GPU
TURN_SECONDS = 0.5  # between two polls of a run that waits
NEXT_SECONDS = 0.1  # of the one that is next, so that a device idles but a moment
# A sign of life for readers of the events on another machine, which do not see the lock.
REPEAT_SECONDS = 60.0
_MUTEX_SECONDS = 0.002  # between two attempts; it is held for some milliseconds
_NAMED = 3  # runs that are named in the reason of waiting


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


class Holder(BaseModel, frozen=True):
    """A run that uses a device: its folder, quoted as in a ticket, and how many may share it."""

    run: str = ""
    share: int = 1

    @property
    def folder(self) -> RunFolder:
        """The run."""
        return _unquoted(self.run)


@dataclass(frozen=True)
class Slot:
    """A slot that this process holds as long as the descriptor is open."""

    device: str
    descriptor: int


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


def draw_ticket(folder: RunFolder, queued: bool) -> None:
    """Append a run to the queue; only the holder of its lock may.

    Raises:
        NotWritable: The folder of the queue cannot be written.
    """
    try:
        drop_ticket(folder)
        # This clock never goes back while the machine runs.
        path = _tickets() / f"{time.monotonic_ns():020d}-{_digest(folder)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_ticket(path, Ticket(run=_quoted(folder), queued=queued))
    except OSError as error:
        raise NotWritable(
            tr(
                "The queue of runs in {folder} cannot be written: {reason}.",
                folder=safe_text(_folder()),
                reason=safe_text(reason_of(error)),
            ),
            tr("Make room, or name another folder for it: XDG_CACHE_HOME=DIR"),
        ) from None


def drop_ticket(folder: RunFolder) -> None:
    """Take a run out of the queue."""
    for path in _tickets().glob(f"*-{_digest(folder)}.json"):
        path.unlink(missing_ok=True)


def is_waiting(folder: RunFolder) -> bool:
    """Return True if a locked run still waits for its turn."""
    return _own_ticket(folder)[1].queued


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
        path = _own_ticket_path(folder)
        reason = finder.obstacle or _describe_holders(finder.permitted(), path) or reported
        now = time.monotonic()
        if should_stop() or reason != reported or now - last >= REPEAT_SECONDS:
            progress(WAITING_PHASE + (reason or tr("its turn")), 0, 0)
            reported, last = reason, now
        if is_later and not any(ahead.queued for _, ahead in _tickets_before(path)):
            is_later, poll = False, min(poll, NEXT_SECONDS)
            is_next()
        time.sleep(poll)
    return slots


def take_devices(folder: RunFolder, finder: DeviceFinder) -> tuple[Slot, ...]:
    """Take the run's devices, in the order of the finder, if that is possible now; else ().

    A run that was not queued takes them at once, with enough free memory if there are any. The
    device that the fewest runs use is preferred.
    """
    path, ticket = _own_ticket(folder)
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
        _write_ticket(path, ticket.model_copy(update=wanted))
    ticket = ticket.model_copy(update=wanted)
    with _mutex():
        used: dict[str, list[int]] = {}
        for _, ahead in _tickets_before(path) if ticket.queued else ():
            for name in _pick(ahead, usable if ahead.devices is None else ahead.devices, used):
                used[name].append(ahead.share)
        names = _pick(ticket, usable, used)
        if len(names) < ticket.count:
            return ()
        slots = tuple(_take_slot(name, folder, ticket.share) for name in names)
        drop_ticket(folder)
    return slots


def take_idle(device: str, folder: RunFolder) -> Slot | None:
    """Take one more device for a run, unless a run uses it or waits for it; else None."""
    with _mutex():
        wanted = (ticket.devices for _, ticket in _tickets_before(None))
        if holders(device) or any(devices is None or device in devices for devices in wanted):
            return None
        return _take_slot(device, folder, share=1)


def holders(device: str) -> list[Holder]:
    """Return the runs that use a device."""
    return [holder for _, holder in _held(device)]


def devices_in_use() -> dict[str, list[Holder]]:
    """Return the runs that use each device of this machine, as far as it is in use."""
    names = {unquote(path.stem) for path in _slots().glob("*.*")}
    return {name: found for name in sorted(names) if (found := holders(name))}


def device_of(run: RunFolder, used: Mapping[str, Sequence[Holder]]) -> str | None:
    """Return the device that a run uses, by what `devices_in_use` returned; None without one."""
    own = _quoted(run)
    return next((name for name, found in used.items() if own in {h.run for h in found}), None)


def expected_runs(devices: Sequence[str], share: int) -> int:
    """Return how many runs will use this machine's devices together, those that wait included.

    Args:
        devices: all that queued runs may use.
        share: runs on one of them.
    """
    running = {holder.run for found in devices_in_use().values() for holder in found}
    waiting = sum(1 for _ in _tickets_before(None))
    return max(len(running), min(len(running) + waiting, len(devices) * share), 1)


def adopt_slot(descriptor: int) -> Slot:
    """Return the slot that an inherited descriptor holds."""
    os.set_inheritable(descriptor, False)
    return Slot(unquote(Path(f"/proc/self/fd/{descriptor}").readlink().stem), descriptor)


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


def _take_slot(device: str, folder: RunFolder, share: int) -> Slot:
    taken = {number for number, _ in _held(device)}
    number = next(n for n in range(len(taken) + 1) if n not in taken)
    path = _slot_path(device, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = take_lock(path)
    holder = Holder(run=_quoted(folder), share=share)
    os.pwrite(descriptor, holder.model_dump_json().encode(), 0)
    return Slot(device, descriptor)


def _held(device: str) -> list[tuple[int, Holder]]:
    """Return number and holder of the slots of a device that are held."""
    found = []
    for path in _slots().glob(f"{quote(device, safe='')}.*"):
        with suppress(OSError, ValueError):
            if path.stem == quote(device, safe="") and is_locked(path):
                found.append((int(path.suffix[1:]), _read_holder(path)))
    return sorted(found, key=lambda one: one[0])


def _read_holder(path: Path) -> Holder:
    try:
        return Holder.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # it is being written
        return Holder()


def _tickets_before(path: Path | None) -> Iterator[tuple[Path, Ticket]]:
    """Yield the tickets before one, all without one; those of dead runs are removed."""
    for other in sorted(_tickets().glob("*.json")):
        if path and other.name >= path.name:
            return
        with suppress(OSError, ValidationError):
            ticket = Ticket.model_validate_json(other.read_bytes())
            if is_locked(_unquoted(ticket.run).lock_path):
                yield other, ticket
            else:
                other.unlink(missing_ok=True)


def _own_ticket_path(folder: RunFolder) -> Path | None:
    return next(_tickets().glob(f"*-{_digest(folder)}.json"), None)


def _own_ticket(folder: RunFolder) -> tuple[Path | None, Ticket]:
    """Return the run's ticket; without one it is as if it was not queued."""
    path = _own_ticket_path(folder)
    with suppress(OSError, ValidationError):
        if path:
            return path, Ticket.model_validate_json(path.read_bytes())
    return None, Ticket(run=_quoted(folder), queued=False)


def _write_ticket(path: Path, ticket: Ticket) -> None:
    write_atomic(path, ticket.model_dump_json(), synced=False)


def _describe_holders(devices: Sequence[str], path: Path | None) -> str:
    """Return the runs whose end is waited for: those on the devices, else the first ahead."""
    runs = [holder.run for name in devices for holder in holders(name)]
    runs = runs or [ticket.run for _, ticket in _tickets_before(path)][:1] if path else runs
    names = [safe_text(_unquoted(run).name) for run in dict.fromkeys(runs)]
    if len(names) > _NAMED:
        names[_NAMED:] = ["..."]
    return ("one of " if len(names) > 1 else "") + ", ".join(names)


@contextmanager
def _mutex() -> Iterator[None]:
    path = _folder() / "mutex"
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            descriptor = take_lock(path)
            break
        except RunLocked:
            time.sleep(_MUTEX_SECONDS)
        except UserError as error:
            hint = tr("Name a folder on a local disk for the queue: XDG_CACHE_HOME=DIR")
            raise UserError(error.message, hint) from None
    try:
        yield
    finally:
        os.close(descriptor)


def _digest(folder: RunFolder) -> str:
    return blake2b(os.fsencode(folder.path.absolute()), digest_size=8).hexdigest()


def _slot_path(device: str, number: int) -> Path:
    return _slots() / f"{quote(device, safe='')}.{number}"


def _slots() -> Path:
    return _folder() / "slots"


def _tickets() -> Path:
    return _folder() / "tickets"


def _folder() -> Path:
    """Return the folder of the queue; it is a temporary one where the cache is read-only."""
    cache = cache_folder()
    there = next(folder for folder in (cache, *cache.parents) if os.path.exists(folder))  # noqa: PTH110
    if not os.access(there, os.W_OK):
        cache = Path(tempfile.gettempdir(), f"workbench-{os.getuid()}")
        cache.mkdir(mode=0o700, exist_ok=True)
    return cache / "queue" / (boot_id() or "unknown")


def _quoted(folder: RunFolder) -> str:
    return quote_from_bytes(os.fsencode(folder.path.absolute()))


def _unquoted(run: str) -> RunFolder:
    return RunFolder(Path(os.fsdecode(unquote_to_bytes(run))))
