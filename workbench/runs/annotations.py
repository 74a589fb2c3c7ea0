"""What a person says of a run: its tags, and notes with a time. Files of their own in its folder.

A running worker never reads or writes them.
"""

import json
import re
import time
from collections.abc import Iterable
from pathlib import Path

from workbench.errors import UserError
from workbench.files import ENCODING, is_wide, write_atomic
from workbench.messages import tr
from workbench.runs.folder import RunFolder
from workbench.text import safe_text

NOTES_FILE = "notes.txt"  # lines with a time
TAGS_FILE = "tags.json"  # a list of strings
MAX_NOTE_LENGTH = 1000  # characters of a note
MAX_TAGS = 32
_TAG = re.compile(r"\w[\w.-]{0,31}")
_TAIL_BYTES = 8 << 10


def add_note(folder: RunFolder, note: str, now: float | None = None) -> None:
    """Append a person's note on a run, with the time.

    Raises:
        OSError: The disk is full or the folder is gone.
    """
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(now))
    line = f"{when}  {safe_text(note.strip(), MAX_NOTE_LENGTH)}\n"
    with (folder.path / NOTES_FILE).open("a", encoding="utf-8") as file:
        file.write(line)


def read_notes(folder: RunFolder) -> list[str]:
    """Return the last notes, the oldest first; not safe to print."""
    content = _tail(folder.path / NOTES_FILE)
    if is_wide(content):
        return [
            tr("{notes_file} is UTF-16 text and not shown; save it as UTF-8", notes_file=NOTES_FILE)
        ]
    lines = content.decode(ENCODING, "replace").split("\n")
    return [line.strip() for line in lines if line.strip()]


def newest_note(folder: RunFolder) -> str:
    """Return the last note, "" without one; not safe to print."""
    return (read_notes(folder) or [""])[-1]


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(file.seek(0, 2) - _TAIL_BYTES, 0))
            return file.read()
    except OSError:
        return b""


def read_tags(folder: RunFolder) -> tuple[str, ...]:
    """Return the tags of a run, sorted; what is no tag is left out."""
    try:
        kept = json.loads(_tail(folder.path / TAGS_FILE))
    except (ValueError, RecursionError):
        return ()
    listed = kept if isinstance(kept, list) else []
    return tuple(sorted({tag for tag in listed if isinstance(tag, str) and _TAG.fullmatch(tag)}))


def write_tags(folder: RunFolder, tags: Iterable[str]) -> tuple[str, ...]:
    """Replace the tags of a run; return them sorted.

    Raises:
        UserError: A tag has other characters than are allowed, or there are too many.
        OSError: The disk is full or the folder is gone; the old ones are kept.
    """
    wanted = sorted(set(tags))
    for tag in wanted:
        if not _TAG.fullmatch(tag):
            raise UserError(
                tr("{tag} cannot be a tag.", tag=safe_text(repr(tag), 60)),
                tr("Allowed: up to 32 letters, digits, dots, dashes and underscores, beginning "
                   "with a letter or digit; between several tags a blank, no comma."),
            )  # fmt: skip
    if len(wanted) > MAX_TAGS:
        raise UserError(
            tr("A run has at most {most} tags; received {count}.", most=MAX_TAGS, count=len(wanted))
        )
    if wanted or (folder.path / TAGS_FILE).exists():
        write_atomic(folder.path / TAGS_FILE, json.dumps(wanted, ensure_ascii=False) + "\n")
    return tuple(wanted)


def change_tags(folder: RunFolder, changes: Iterable[str]) -> tuple[str, ...]:
    """Add tags ("+night" or "night") and remove others ("-night"); return those of the run.

    Raises:
        UserError: As of `write_tags`.
        OSError: As of `write_tags`.
    """
    tags = set(read_tags(folder))
    for change in changes:
        if change.startswith("-"):
            tags.discard(change[1:])
        else:
            tags.add(change.removeprefix("+"))
    return write_tags(folder, tags)


class AnnotationReader:
    """Reads tags and the newest note of a run again only after their files have changed."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._stamps: tuple[int, ...] = ()
        self.tags: tuple[str, ...] = ()
        self.note = ""

    def poll(self) -> bool:
        """Return True if they changed since the last call."""
        stamps = tuple(_stamp(self._folder.path / name) for name in (TAGS_FILE, NOTES_FILE))
        if stamps == self._stamps or not any((*stamps, *self._stamps)):
            return False
        self._stamps = stamps
        self.tags, self.note = read_tags(self._folder), newest_note(self._folder)
        return True


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
