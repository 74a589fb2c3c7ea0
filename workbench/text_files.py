"""Text files that people edit: UTF-8, with or without the mark that some editors put before it.

Bytes that are no UTF-8 stay as they are where a table names files (`surrogateescape`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from workbench.errors import UserError
from workbench.text import safe_text

ENCODING = "utf-8-sig"  # the mark (BOM) is dropped
_LOOKED_AT = 64  # bytes; a zero among them, in text of one's own, is UTF-16 or UTF-32
_FEWEST = 4
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_REMEDY = 'Save it as UTF-8: "CSV UTF-8" in a spreadsheet, or the encoding UTF-8 in an editor.'


def decode_text(content: bytes, path: Path, kind: str) -> str:
    """The text in a file's content.

    Args:
        kind: what the file should be, for the message: TOML, CSV.

    Raises:
        UserError: it is UTF-16 or UTF-32.
        UnicodeDecodeError: it is no UTF-8 either.
    """
    _refuse_wide(content, path, kind)
    return content.decode(ENCODING)


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """A CSV file, opened as `csv` wants it.

    Raises:
        UserError: it is UTF-16 or UTF-32.
        OSError: it cannot be read.
    """
    with path.open("rb") as start:
        _refuse_wide(start.read(_LOOKED_AT), path, "CSV")
    with path.open(encoding=ENCODING, errors="surrogateescape", newline="") as file:
        yield file


def is_wide(start: bytes) -> bool:
    """True where text has two or four bytes a character: by its mark, or zeros in its ASCII."""
    pairs = start[: min(len(start), _LOOKED_AT) // 2 * 2]
    half_empty = any(pairs[::2]) != any(pairs[1::2])
    return start.startswith(_MARKS) or (len(pairs) >= _FEWEST and half_empty)


def _refuse_wide(start: bytes, path: Path, kind: str) -> None:
    if is_wide(start):
        raise UserError(
            f"{safe_text(path)} is no {kind}: it is no UTF-8 text but UTF-16 or UTF-32.", _REMEDY
        )
