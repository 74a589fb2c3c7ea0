"""Where the queue is kept, and how its files name runs.

All of it is in the user's cache folder, one folder for each boot of a machine: runs of all
workspaces share the GPUs.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from workbench.errors import UserError
from workbench.files import boot_id
from workbench.messages import tr
from workbench.paths import cache_folder
from workbench.runs.folder import RunFolder
from workbench.runs.lock import RunLocked, take_lock

_MUTEX_SECONDS = 0.002  # between two attempts; it is held for some milliseconds


def queue_folder() -> Path:
    """Return the folder of the queue; it is a temporary one where the cache is read-only."""
    cache = cache_folder()
    there = next(folder for folder in (cache, *cache.parents) if os.path.exists(folder))  # noqa: PTH110
    if not os.access(there, os.W_OK):
        cache = Path(tempfile.gettempdir(), f"workbench-{os.getuid()}")
        cache.mkdir(mode=0o700, exist_ok=True)
    return cache / "queue" / (boot_id() or "unknown")


@contextmanager
def queue_mutex() -> Iterator[None]:
    """Wait until no other process changes the queue, and keep them out.

    Raises:
        UserError: The file cannot be locked.
    """
    path = queue_folder() / "mutex"
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


def digest_run(folder: RunFolder) -> str:
    """Return 16 characters for a run, for the name of a file."""
    return blake2b(os.fsencode(folder.path.absolute()), digest_size=8).hexdigest()


def quote_run(folder: RunFolder) -> str:
    """Return the path of a run in ASCII, since a path may hold any bytes."""
    return quote_from_bytes(os.fsencode(folder.path.absolute()))


def unquote_run(run: str) -> RunFolder:
    """Return the run of a quoted path."""
    return RunFolder(Path(os.fsdecode(unquote_to_bytes(run))))
