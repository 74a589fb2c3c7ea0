"""Files: atomic writes, and text that people edit.

An atomic write goes to a temporary file, which is synced and then renamed. Text is UTF-8, with or
without a byte order mark; other bytes are kept where a table names files (`surrogateescape`).
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from workbench.errors import UserError
from workbench.messages import tr
from workbench.text import safe_text
from workbench.words import reason_of

ENCODING = "utf-8-sig"  # the byte order mark is dropped
_CHECKED = 64  # bytes; zeros among them in a pattern show UTF-16 or UTF-32
_MIN_BYTES = 4
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_REMEDY = tr('Save it as UTF-8: "CSV UTF-8" in a spreadsheet, or the encoding UTF-8 in an editor.')


@contextmanager
def atomic_file(path: Path, synced: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the same folder that replaces `path` when the block succeeds.

    The temporary file keeps the extension of `path` (Keras chooses its format by it), is synced to
    disk before the rename, and is removed when the block fails: the old file is then untouched, and
    an OSError names `path`.
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
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)  # that a person knows
        raise
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


def decode_toml(content: bytes, path: Path) -> str:
    """Return the text of a TOML file.

    Args:
        content: Of the file.
        path: For the message.

    Raises:
        UserError: It is UTF-16 or UTF-32.
        UnicodeDecodeError: It is not UTF-8 either.
    """
    _refuse_wide(content, path, "TOML")
    return content.decode(ENCODING)


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """Open a CSV file for `csv`.

    Raises:
        UserError: It is UTF-16 or UTF-32, or a pipe or device, which could block for ever.
        OSError: It cannot be read.
    """
    with open(path, "rb", opener=nonblocking_opener) as start:
        if not stat.S_ISREG(os.fstat(start.fileno()).st_mode):
            raise UserError(
                tr("{path} is not CSV: it is not a regular file.", path=safe_text(path))
            )
        _refuse_wide(start.read(_CHECKED), path, "CSV")
    with path.open(encoding=ENCODING, errors="surrogateescape", newline="") as file:
        yield file


def is_wide(start: bytes) -> bool:
    """Return whether text has two or four bytes a character: by its mark, or zeros in ASCII."""
    pairs = start[: min(len(start), _CHECKED) // 2 * 2]
    half_empty = any(pairs[::2]) != any(pairs[1::2])
    return start.startswith(_MARKS) or (len(pairs) >= _MIN_BYTES and half_empty)


def _refuse_wide(start: bytes, path: Path, kind: str) -> None:
    if is_wide(start):
        raise UserError(
            tr(
                "{path} is not {kind}: it is not UTF-8 text but UTF-16 or UTF-32.",
                path=safe_text(path),
                kind=kind,
            ),
            _REMEDY,
        )


def cannot_read(path: Path, error: OSError) -> UserError:
    """Return the error for a file or folder that cannot be read."""
    return UserError(
        tr(
            "{path} cannot be read: {error_strerror}.",
            path=safe_text(path),
            error_strerror=safe_text(reason_of(error)),
        )
    )


def damaged_at(path: Path, number: int, error: Exception, hint: str = "") -> UserError:
    """Return the error for a table with a wrong line."""
    return UserError(
        tr(
            "{path} is damaged at line {number}: {error}.",
            path=safe_text(path),
            number=number,
            error=safe_text(error),
        ),
        hint,
    )


def boot_id() -> str:
    """Return what changes with every boot of the machine; "" where it is unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
