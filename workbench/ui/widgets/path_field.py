"""A field for a path, with completion by tab, as shells have it."""

import asyncio
import os
from itertools import islice
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input

from workbench.messages import tr
from workbench.paths import parse_path
from workbench.text import safe_text

MAX_ENTRIES = 4000  # of a folder that are read; a folder of images may hold a million
MAX_CHECKED = 100  # folders that are offered, of which it is asked whether they are our own
RUNS_NAME, OWN_FILES = "saved_models", ("preprocessing.json", "events.jsonl")
FILES = (".csv", ".npz")  # besides folders, what a data source can be
WEIGHTS = (".h5", ".hdf5")  # of a base


def completions(value: str, start: Path | None = None, files: tuple[str, ...] = FILES) -> list[str]:
    """Return the paths that start with the typed text: folders (ending in /), and some files.

    Names that a terminal would not show as they are (control characters, no UTF-8) are left
    out: typed text must be what it seems. Folders of the workbench's own come last: exported
    models, runs and the folder of runs hold no images to train on.

    Args:
        value: the typed text.
        start: where relative paths start; by default the current folder.
        files: endings of the files' names, in lower case.
    """
    head, slash, typed = value.rpartition("/")
    if value == "~":
        return ["~/"]
    folder = parse_path(f"{head}{slash}", start)
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, MAX_ENTRIES):
                name = entry.name
                fits = name.startswith(typed) and (typed.startswith(".") or name[0] != ".")
                if fits and safe_text(name, 1000) == name and (kind := _kind(entry, files)):
                    found.append(f"{head}{slash}{name}" + ("/" if kind == "folder" else ""))
    except (OSError, ValueError):  # no such folder, or a text that is no path
        return []
    checked = found if len(found) <= MAX_CHECKED else []  # each asks the disk twice
    own = {path for path in checked if path.endswith("/") and _is_own(parse_path(path, start))}
    return sorted(found, key=lambda path: (path in own, path.rstrip("/") != value, path))


def _is_own(folder: Path) -> bool:
    """Return whether a folder is an exported model, a run, or holds the runs of a workspace."""
    if folder.name == RUNS_NAME:
        return True
    return any(os.path.lexists(folder / name) for name in OWN_FILES)


def _kind(entry: os.DirEntry[str], files: tuple[str, ...]) -> str:
    try:
        if entry.is_dir():
            return tr("folder")
    except OSError:
        return ""
    return tr("file") if entry.name.lower().endswith(files) else ""


class PathSuggester(Suggester):
    """Suggests the rest of a name behind the cursor; reads the folder in a thread."""

    def __init__(self, files: tuple[str, ...]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._files = files

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first completion that adds something; None behind a whole folder's name."""
        if not value or value.endswith("/"):
            return None
        found = await asyncio.to_thread(completions, value, files=self._files)
        if f"{value}/" in found or value in found:
            return None
        return next(iter(found), None)


class PathField(Input):
    """A field in which tab completes as in a shell; down, and tab while it is empty, leave it.

    What was typed in full stays as it is: enter takes it, whatever tab was pressed before.

    Args:
        files: endings of the files that are completed besides folders.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", tr("Complete")),
        Binding("down", "leave", show=False),
    ]

    def __init__(
        self,
        value: str = "",
        placeholder: str = tr("/path/to/images, or a name below"),
        files: tuple[str, ...] = FILES,
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(value, placeholder=placeholder, id=id, suggester=PathSuggester(files))
        self.compact = True
        self._completing = ""  # the text for which tab was pressed without a suggestion

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Leave "?" to the screen while nothing is typed."""
        return super().check_consume_key(key, character) and not self._is_question(character)

    def on_key(self, event: events.Key) -> None:
        """Do not type a "?" first: it explains, as on every screen."""
        if self._is_question(event.character):
            event.prevent_default()

    def _is_question(self, character: str | None) -> bool:
        return character == "?" and not self.value

    def action_complete(self) -> None:
        """Accept the suggestion behind the cursor, also one that is still looked for."""
        if self._suggestion and self.cursor_at_end:
            self.action_cursor_right()
        elif not self.value:
            self.action_leave()
        else:
            self._completing = self.value

    def watch__suggestion(self, suggestion: str) -> None:
        """Accept a suggestion that tab was pressed for before it was found."""
        if suggestion and self._completing == self.value:
            self.action_cursor_right()

    def watch_value(self) -> None:
        """Forget a tab that was pressed for another text."""
        self._completing = ""

    def action_leave(self) -> None:
        """Focus what is below."""
        self.screen.focus_next()
