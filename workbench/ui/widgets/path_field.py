"""A field to type a path, and a tree to find one; names are completed from the file system."""

import asyncio
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import ClassVar

from rich.text import Text, TextType
from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import DirectoryTree, Input

from workbench.paths import parse_path
from workbench.text import safe_text

MAX_ENTRIES = 4000  # of a folder that are read; a folder of images may hold a million
FILES = (".csv", ".npz")  # besides folders, what a data source can be
WEIGHTS = (".h5", ".hdf5")  # of a base


def completions(value: str, start: Path | None = None, files: tuple[str, ...] = FILES) -> list[str]:
    """Return the paths that start with the typed text: folders (ending in /), and some files.

    Names that a terminal would not show as they are (control characters, no UTF-8) are left
    out: typed text must be what it seems.

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
    return sorted(found)


def _kind(entry: os.DirEntry[str], files: tuple[str, ...]) -> str:
    try:
        if entry.is_dir():
            return "folder"
    except OSError:
        return ""
    return "file" if entry.name.lower().endswith(files) else ""


class PathSuggester(Suggester):
    """Suggests the rest of a name behind the cursor; reads the folder in a thread."""

    def __init__(self, files: tuple[str, ...]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._files = files

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first completion that adds something."""
        if not value:
            return None
        found = await asyncio.to_thread(completions, value, files=self._files)
        return next((path for path in found if path != value), None)


class PathField(Input):
    """A field in which tab completes as in a shell; without a suggestion it moves the focus.

    Args:
        files: endings of the files that are completed besides folders.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", "Complete")]

    def __init__(
        self,
        value: str = "",
        placeholder: str = "/path/to/images, or a name below",
        files: tuple[str, ...] = FILES,
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(value, placeholder=placeholder, id=id, suggester=PathSuggester(files))
        self.compact = True

    def action_complete(self) -> None:
        """Accept the suggestion behind the cursor."""
        if self._suggestion and self.cursor_at_end:
            self.action_cursor_right()
        else:
            self.screen.focus_next()


class FolderTree(DirectoryTree):
    """Folders, CSV and npz files, without hidden ones. Backspace shows the folder above.

    Args:
        utf8: False for ASCII symbols only.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("backspace", "up", "Folder above")]
    ICON_FILE = "  "  # no pictographs: terminals do not agree on their width

    def __init__(self, path: Path, utf8: bool = True) -> None:
        super().__init__(path)
        self.ICON_NODE, self.ICON_NODE_EXPANDED = ("▸ ", "▾ ") if utf8 else ("+ ", "- ")
        self.show_guides = False
        self.auto_expand = False  # enter chooses a folder, space opens it

    def action_up(self) -> None:
        """Show the folder above."""
        self.path = Path(self.path).parent

    def process_label(self, label: TextType) -> Text:
        """Return a name on one line, made safe."""
        return Text(safe_text(label, 60))

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Return the paths that can be a data source; called in a thread."""
        return [
            path
            for path in islice(paths, MAX_ENTRIES)
            if not path.name.startswith(".")
            and (path.suffix.lower() in FILES or self._safe_is_dir(path))
        ]
