"""Atomic writes: to a temporary file, synced, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path, synced: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the same folder that replaces `path` when the block succeeds.

    The temporary file keeps the extension of `path` (Keras chooses its format by it), is synced to
    disk before the rename, and is removed when the block fails: the old file is then untouched.
    Without `synced`, a power cut may leave an empty file.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        if synced:
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
        temporary.replace(path)
        if synced:
            fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: str | bytes, synced: bool = True) -> None:
    """Write a small file: after a crash it holds the old content or the new (see `atomic_file`)."""
    content = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    with atomic_file(path, synced) as temporary:
        temporary.write_bytes(content)


def nonblocking_opener(path: str, flags: int) -> int:
    """Open without blocking, as an opener for `open`: a pipe would block forever."""
    return os.open(path, flags | os.O_NONBLOCK)


def fsync_folder(folder: Path) -> None:
    """Make a rename in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
