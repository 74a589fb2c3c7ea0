"""The lock that says "a worker lives here".

An open file description lock (fcntl(2), F_OFD_SETLK): it belongs to the open file and not to a
process, so the launcher takes it and hands the descriptor to the worker without a gap; it goes
when the last holder ends, however that happens; and it can be asked for without being taken.
"""

import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

from workbench.errors import UserError
from workbench.text import safe_text

_TAKEN = {errno.EAGAIN, errno.EACCES}
# File systems and kernels without such locks (some NFS, Lustre and FUSE mounts).
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, pid
_LONGEST_HOLDER = 300  # bytes


class RunLocked(UserError):  # noqa: N818 - a state, not a fault
    """Another process works on the run."""


def take_lock(path: Path) -> int:
    """Takes the lock and returns the open descriptor that holds it; closing that gives it back.

    The descriptor is not inherited by child processes unless passed on by name (`pass_fds`).

    Raises:
        RunLocked: another process holds it.
        UserError: the file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
        os.ftruncate(descriptor, 0)  # the name of an earlier holder
    except OSError as error:
        os.close(descriptor)
        if error.errno in _TAKEN:
            raise _locked(path) from None
        if error.errno in _NO_LOCKS:
            raise UserError(
                f"The file system of {safe_text(path.parent)} has no file locks "
                f"({os.strerror(error.errno)}), so two workers could damage the run.",
                "Name a workspace on a local disk with --workspace DIR.",
            ) from None
        raise
    return descriptor


def name_holder(descriptor: int, pid: int) -> None:
    """Writes who holds the lock into it, for the message to others."""
    os.pwrite(descriptor, f"{pid} {socket.gethostname()}".encode(), 0)


def is_locked(path: Path) -> bool:
    """True while a process holds the lock. Only asks: takes nothing, makes no file.

    Where there are no locks nothing can be held, so that copies can be looked at there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK))
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    finally:
        os.close(descriptor)
    kind: int = struct.unpack(_FLOCK, answer)[0]
    return kind != fcntl.F_UNLCK


def _flock(kind: int) -> bytes:
    """A lock on the whole file; the pid of an open file description lock has to be 0."""
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)


def _locked(path: Path) -> RunLocked:
    run = safe_text(path.parent.name)
    with path.open("rb") as file:
        pid, _, host = file.read(_LONGEST_HOLDER).decode("utf-8", "replace").partition(" ")
    holder = f" by process {safe_text(pid)} on {safe_text(host)}" if pid and host else ""
    return RunLocked(
        f"{run} is already being trained{holder}.", f"Watch it: workbench attach {run}"
    )
