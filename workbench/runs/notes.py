"""A person's notes on a run: lines with a time in notes.txt of its folder."""

import time

from workbench.runs.folder import RunFolder
from workbench.text import safe_text
from workbench.text_files import ENCODING, is_wide

FILE = "notes.txt"
MAX_LENGTH = 1000  # characters of a note
_TAIL_BYTES = 8 << 10


def add_note(folder: RunFolder, note: str, now: float | None = None) -> None:
    """Append a line.

    Raises:
        OSError: The disk is full or the folder is gone.
    """
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(now))
    line = f"{when}  {safe_text(note.strip(), MAX_LENGTH)}\n"
    with (folder.path / FILE).open("a", encoding="utf-8") as file:
        file.write(line)


def newest_note(folder: RunFolder) -> str:
    """Return the last line, "" without one; not safe to print."""
    try:
        with (folder.path / FILE).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _TAIL_BYTES, 0))
            content = file.read()
    except OSError:
        return ""
    if is_wide(content):
        return f"{FILE} is UTF-16 text and not shown; save it as UTF-8"
    lines = content.decode(ENCODING, "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
