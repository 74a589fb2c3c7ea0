"""Notes that a person keeps with a run: lines with their time in notes.txt of its folder."""

import time

from workbench.runs.folder import RunFolder
from workbench.text import safe_text
from workbench.text_files import ENCODING, is_wide

FILE = "notes.txt"
LONGEST = 1000  # characters of a note
_TAIL_BYTES = 8 << 10


def add_note(folder: RunFolder, note: str, now: float | None = None) -> None:
    """Appends a line.

    Raises:
        OSError: disk full, folder gone.
    """
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(now))
    line = f"{when}  {safe_text(note.strip(), LONGEST)}\n"
    with (folder.path / FILE).open("a", encoding="utf-8") as file:
        file.write(line)


def newest_note(folder: RunFolder) -> str:
    """The last line; "" where there is none. Not safe to show as it is."""
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
