"""A line to type a path into, and a tree to find one; names are completed from the file system."""

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

from workbench.paths import given_path
from workbench.text import safe_text

MOST_ENTRIES = 4000  # of a folder that are looked at; a folder of images may hold a million
MOST_SHOWN = 40
FILES = (".csv", ".npz")  # beside folders, what a data source can be
WEIGHTS = (".h5", ".hdf5")  # of a base


def completions(value: str, start: Path | None = None, files: tuple[str, ...] = FILES) -> list[str]:
    """Paths that begin with what was typed: folders (with / at the end), and some files.

    Names that a terminal would not show as they are (control characters, no UTF-8) are left
    out: typed text has to be what it seems.

    Args:
        start: where relative paths begin; the current folder where left out.
        files: how their names end, in small letters.
    """
    head, slash, typed = value.rpartition("/")
    if value == "~":
        return ["~/"]
    folder = given_path(f"{head}{slash}", start)
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, MOST_ENTRIES):
                name = entry.name
                fits = name.startswith(typed) and (typed.startswith(".") or name[0] != ".")
                if fits and safe_text(name, 1000) == name and (kind := _kind(entry, files)):
                    found.append(f"{head}{slash}{name}" + ("/" if kind == "folder" else ""))
    except (OSError, ValueError):  # no such folder, or typed text that no path can be
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
    """Shows the rest of a name behind the cursor; looks into the folder in a thread."""

    def __init__(self, files: tuple[str, ...]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._files = files

    async def get_suggestion(self, value: str) -> str | None:
        """The first completion that adds something."""
        if not value:
            return None
        found = await asyncio.to_thread(completions, value, files=self._files)
        return next((path for path in found if path != value), None)


class PathField(Input):
    """Tab takes over the suggestion, as shells do; without one it goes on to the next widget.

    Args:
        files: endings of what is completed beside folders.
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
        """Takes over what is shown behind the cursor."""
        if self._suggestion and self.cursor_at_end:
            self.action_cursor_right()
        else:
            self.screen.focus_next()


class FolderTree(DirectoryTree):
    """Folders, CSV and npz files; hidden ones are left out. Backspace leads to the folder above.

    Args:
        utf8: False for signs of ASCII alone.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("backspace", "up", "Folder above")]
    ICON_FILE = "  "  # no pictographs: terminals do not agree on their width

    def __init__(self, path: Path, utf8: bool = True) -> None:
        super().__init__(path)
        self.ICON_NODE, self.ICON_NODE_EXPANDED = ("▸ ", "▾ ") if utf8 else ("+ ", "- ")
        self.show_guides = False
        self.auto_expand = False  # enter chooses a folder, space opens it

    def action_up(self) -> None:
        """Shows the folder that this one lies in."""
        self.path = Path(self.path).parent

    def process_label(self, label: TextType) -> Text:
        """Any name on one line, harmless."""
        return Text(safe_text(label, 60))

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """What a data source can be; called in a thread."""
        return [
            path
            for path in islice(paths, MOST_ENTRIES)
            if not path.name.startswith(".")
            and (path.suffix.lower() in FILES or self._safe_is_dir(path))
        ]
