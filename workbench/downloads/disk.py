"""Locks, folders that appear whole or not at all, and errors of a disk."""

import errno
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import DISK_FULL, DiskFull, UserError
from workbench.files import fsync_folder
from workbench.messages import tr
from workbench.text import safe_text
from workbench.words import reason_of

# File systems without locks (some NFS and Lustre mounts): work continues there without one.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}

OTHER_WORKSPACE = tr("choose another workspace with --workspace DIR")


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder to fill, which becomes `target` when the block succeeds.

    When the block fails the folder is removed; the folder of a killed process is removed at the
    next start. Hold `locked` around it, so that two processes do not fill the same folder.
    """
    fresh = target.with_name(f"{target.name}.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        fresh.rename(target)
        fsync_folder(target.parent)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


@contextmanager
def locked(file: Path, doing: str, shared: bool = False) -> Iterator[None]:
    """Hold a lock on `file` (created if necessary); the kernel releases it with the process.

    Args:
        file: To lock.
        doing: The activity of a process that holds the lock, for the message: "downloading
            mnist.npz".
        shared: True to hold it beside others that share it.

    Raises:
        UserError: Another process holds it.
    """
    with file.open("ab") as handle:
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                tr("Another process is {doing} right now.", doing=doing),
                tr("Wait until it has ended, then try again."),
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield


@contextmanager
def disk_errors(target: Path, kept: str, elsewhere: str = OTHER_WORKSPACE) -> Iterator[None]:
    """Turn errors of a full, read-only or forbidden disk into a UserError about `target`.

    Args:
        target: The file or folder being written.
        kept: A sentence on the work that is kept.
        elsewhere: How to choose another place, the second half of a sentence.

    Raises:
        UserError: In place of any OSError of a disk.
    """
    try:
        yield
    except ConnectionError:  # not from a disk: a pipe that showed the progress was closed
        raise
    except OSError as error:
        full = error.errno in DISK_FULL
        what = tr("the disk is full") if full else safe_text(reason_of(error))
        remedy = tr("Make room there") if full else tr("Check the permissions of the folder")
        kind = DiskFull if full else UserError
        raise kind(
            tr(
                "{target} cannot be written: {what}. {kept}",
                target=safe_text(target, 2000),
                what=what,
                kept=kept,
            ),
            tr("{remedy}, or {elsewhere}.", remedy=remedy, elsewhere=elsewhere),
        ) from error
