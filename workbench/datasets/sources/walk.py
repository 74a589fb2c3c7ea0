"""Walk through the folders of a source once, and notice later whether they have changed.

What a folder holds shows in its times: adding, removing or renaming changes them. So a listing is
good as long as its folders, and the tables in them that were read, have the stamps they had.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

# Two changes within one tick of a file system's clock leave the same time. Those that keep no
# fractions of a second may tick every two seconds, the others every ten milliseconds.
_SECOND = 1_000_000_000
_TICK = 20_000_000
_COARSE_TICK = 2 * _SECOND

PathStamp = tuple[int, ...]


@dataclass
class Walk:
    """One walk: each folder is read once, however often it is asked for.

    Attributes:
        stamps: Of the folders and tables read so far, by absolute path; taken before reading.
        whole: False once something could not be read: its error would not be noticed.
    """

    stamps: dict[str, PathStamp] = field(default_factory=dict)
    whole: bool = True
    _started: int = field(default_factory=time.time_ns)
    _entries: dict[str, tuple[tuple[str, bool], ...]] = field(default_factory=dict)

    def entries(self, path: str | Path) -> tuple[tuple[str, bool], ...]:
        """Return the names in a folder, sorted, each with whether it is a folder.

        Raises:
            OSError: It cannot be read.
        """
        key = os.path.abspath(path)  # noqa: PTH100 - of many folders
        if key not in self._entries:
            self.note(path)
            try:
                with os.scandir(path) as entries:
                    found = [(entry, _is_folder(entry)) for entry in entries]
            except OSError:
                self.whole = False
                raise
            # What a link leads to can appear without a trace in the folder of the link.
            if any(e.is_symlink() and not os.path.exists(e) for e, _ in found):  # noqa: PTH110
                self.whole = False
            self._entries[key] = tuple(sorted((e.name, is_folder) for e, is_folder in found))
        return self._entries[key]

    def note(self, path: str | Path) -> None:
        """Keep the stamp of something that is about to be read."""
        key = os.path.abspath(path)  # noqa: PTH100 - of many folders
        if key not in self.stamps:
            self.stamps[key] = _stamp(key)

    def evidence(self) -> dict[str, PathStamp]:
        """Return the stamps; {} where a later change might leave the same ones."""
        certain = self.whole and all(_is_certain(s, self._started) for s in self.stamps.values())
        return dict(self.stamps) if certain else {}


def is_unchanged(evidence: dict[str, PathStamp]) -> bool:
    """Return whether everything has its stamp still; False without any evidence."""
    return bool(evidence) and all(_stamp(path) == stamp for path, stamp in evidence.items())


def _stamp(path: str) -> PathStamp:
    """Return what shows a change; () for what cannot be found."""
    try:
        s = os.stat(path)  # noqa: PTH116 - of many folders
    except (OSError, ValueError):
        return ()
    return s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev, s.st_size


def _is_certain(stamp: PathStamp, started: int) -> bool:
    """Return whether any change since a moment shows in a stamp."""
    if not stamp:
        return False
    newest = max(stamp[:2])
    return newest < started - (_TICK if newest % _SECOND else _COARSE_TICK)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into a folder that may not be entered, or one that leads in circles
        return False
