"""Folders that appear whole or not at all, made by one process at a time."""

import errno
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import DISK_FULL, DiskFull, UserError
from workbench.files import sync_folder
from workbench.text import safe_text

# File systems without locks (some NFS and Lustre mounts): work goes on there without one.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}

OTHER_WORKSPACE = "choose another workspace with --workspace DIR"


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `target` when the block ends well.

    When the block fails the folder is removed; what a killed process left is removed at the next
    start. Hold `locked` around it, so that two processes do not fill the same folder.
    """
    fresh = target.with_name(f"{target.name}.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        fresh.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


@contextmanager
def locked(file: Path, doing: str) -> Iterator[None]:
    """Holds `file` (made if need be) for this process; the kernel lets go when the process ends.

    Args:
        file: what to lock.
        doing: what another process is doing when it holds the lock, for the message:
            "downloading mnist.npz".

    Raises:
        UserError: another process holds it.
    """
    with file.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"Another process is {doing} at this moment.",
                "Wait until it has ended, then try again.",
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield


@contextmanager
def disk_faults(target: Path, kept: str, elsewhere: str = OTHER_WORKSPACE) -> Iterator[None]:
    """Tells what a full, read-only or forbidden disk means for `target`.

    Args:
        target: what was being written.
        kept: what remains of the work so far, one sentence.
        elsewhere: how to have it written to another place, the second half of a sentence.

    Raises:
        UserError: in place of any OSError of a disk.
    """
    try:
        yield
    except ConnectionError:  # no disk raises it: a pipe that showed the progress was closed
        raise
    except OSError as error:
        full = error.errno in DISK_FULL
        what = "the disk is full" if full else safe_text(error.strerror or error)
        remedy = "Make room there" if full else "Check the permissions of the folder"
        kind = DiskFull if full else UserError
        raise kind(
            f"{safe_text(target, 2000)} cannot be written: {what}. {kept}",
            f"{remedy}, or {elsewhere}.",
        ) from error
