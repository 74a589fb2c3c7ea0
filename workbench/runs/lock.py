"""Whether a worker of a run is alive: by a lock on this machine, by its last event elsewhere.

The lock is an open file description lock (fcntl(2), F_OFD_SETLK). It belongs to the open file and
not to a process, so the launcher takes it and passes the descriptor to the worker without a gap;
it ends with its last holder, however that ends; and it can be queried without being taken.
"""

import errno
import fcntl
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UserError
from workbench.files import boot_id
from workbench.messages import tr
from workbench.runs.events import Session
from workbench.text import safe_text

# A worker that trains writes an event every second; after such a silence it has ended.
SILENCE_SECONDS = 600.0
_TAKEN = {errno.EAGAIN, errno.EACCES}
# File systems and kernels without such locks (some NFS, Lustre and FUSE mounts).
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, pid
_MAX_HOLDER_BYTES = 300


class RunLocked(UserError):  # noqa: N818 - a state, not a fault
    """Another process works on the run."""


def take_lock(path: Path) -> int:
    """Take the lock and return the open descriptor that holds it; closing it releases the lock.

    Child processes inherit the descriptor only when it is passed on by name (`pass_fds`).

    Raises:
        RunLocked: Another process holds it.
        UserError: The file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
        os.ftruncate(descriptor, 0)  # the name of an earlier holder
    except OSError as error:
        os.close(descriptor)
        if error.errno in _TAKEN:
            raise _locked_error(path) from None
        if error.errno in _NO_LOCKS:
            raise _no_locks(path, error.errno) from None
        raise
    return descriptor


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Wait for the lock, and hold it for the block; also between threads of one process.

    Raises:
        UserError: The file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _flock(fcntl.F_WRLCK))
    except OSError as error:
        os.close(descriptor)
        if error.errno in _NO_LOCKS:
            raise _no_locks(path, error.errno) from None
        raise
    try:
        yield
    finally:
        os.close(descriptor)


def _no_locks(path: Path, number: int) -> UserError:
    return UserError(
        tr(
            "The file system of {parent} has no file locks ({strerror}), so two "
            "workers could damage the run.",
            parent=safe_text(path.parent),
            strerror=os.strerror(number),
        ),
        tr("Name a workspace on a local disk with --workspace DIR."),
    )


def name_holder(descriptor: int, pid: int) -> None:
    """Write the holder's process id and host into the lock file, for error messages of others."""
    os.pwrite(descriptor, f"{pid} {socket.gethostname()}".encode(), 0)


def is_locked(path: Path) -> bool:
    """Return True while a process holds the lock; takes nothing and makes no file.

    Return False on a file system without locks, so that copies of runs can be read there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        flock = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK))
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    finally:
        os.close(descriptor)
    kind: int = struct.unpack(_FLOCK, flock)[0]
    return kind != fcntl.F_UNLCK


@dataclass(frozen=True)
class Observer:
    """The machine from which a run is seen: its name, its locks and its clock.

    Attributes:
        host: the machine's name, "" if its locks cannot be seen: then the age of events decides.
        boot_id: changes with every boot.
        holds_lock: whether a lock is held on that machine.
        now: its clock, in unix seconds.
    """

    host: str
    boot_id: str
    holds_lock: Callable[[Path], bool]
    now: Callable[[], float]


def this_observer() -> Observer:
    """Return this machine."""
    return Observer(**this_host(), holds_lock=is_locked, now=lambda: time.time())


def this_host() -> dict[str, str]:
    """Return `host`, the machine's name, and `boot_id`, which changes with every boot.

    Containers have names of their own, but share boot id and locks with their machine.
    """
    return {"host": socket.gethostname(), "boot_id": boot_id()}


def on_another_host(worker: Session, here: Observer | None = None) -> bool:
    """Return True if a worker ran on another machine, whose locks are not visible here."""
    here = here or this_observer()
    known = bool(worker.host)
    return known and worker.host != here.host and worker.boot_id != here.boot_id


def may_run_elsewhere(
    worker: Session | None, last_sign: float | None, now: float, here: Observer | None = None
) -> bool:
    """Return True if a worker on another machine wrote an event not long ago.

    An event from the future was written by a wrong clock: a small difference counts as any other;
    a large one counts as silence, or a clock set back would make a run look alive for ever.
    Times are unix seconds.
    """
    if last_sign is None or worker is None or not on_another_host(worker, here):
        return False
    return abs(now - last_sign) < SILENCE_SECONDS


def lock_range(descriptor: int, first: int, count: int = 1, wait: bool = False) -> bool:
    """Lock bytes of a file, which need not exist, for an open descriptor of it.

    A file system without locks refuses none.

    Args:
        descriptor: open for writing.
        first: the first of the bytes.
        count: how many.
        wait: True to wait until no other descriptor has one of them.

    Returns:
        False if another descriptor has one of them.
    """
    command = fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK
    try:
        fcntl.fcntl(descriptor, command, _flock(fcntl.F_WRLCK, first, count))
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        if error.errno not in _NO_LOCKS:
            raise
    return True


def unlock_range(descriptor: int, first: int, count: int = 1) -> None:
    """Release bytes that `lock_range` has locked."""
    with suppress(OSError):  # a file system without locks
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, first, count))


def _flock(kind: int, first: int = 0, count: int = 0) -> bytes:
    """Return a lock, on the whole file by default; an open file description's has pid 0."""
    return struct.pack(_FLOCK, kind, os.SEEK_SET, first, count, 0)


def _locked_error(path: Path) -> RunLocked:
    run = safe_text(path.parent.name)
    with path.open("rb") as file:
        pid, _, host = file.read(_MAX_HOLDER_BYTES).decode("utf-8", "replace").partition(" ")
    holder = (
        " " + tr("by process {pid} on {host}", pid=safe_text(pid), host=safe_text(host))
        if pid and host
        else ""
    )
    return RunLocked(
        tr("{run} is already being trained{holder}.", run=run, holder=holder),
        tr("Watch it: workbench attach {run}", run=run),
    )
