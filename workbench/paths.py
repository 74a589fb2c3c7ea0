"""The workspace: the folder that holds data/ and saved_models/; and paths as people give them."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from workbench.errors import UserError

HOME_VARIABLE = "WORKBENCH_HOME"
_QUOTES = ("''", '""', "“”", "‘’", "„“", "«»", "``", "<>")


@dataclass(frozen=True)
class Workspace:
    """Where the workbench writes. Nothing is made until something is to be kept."""

    root: Path

    @property
    def data(self) -> Path:
        """One folder for each data set: scan, audit, manifest, packs."""
        return self.root / "data"

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.root / "saved_models"

    @property
    def trash(self) -> Path:
        """Runs that were deleted, until someone empties it."""
        return self.runs / ".trash"

    @property
    def drafts(self) -> Path:
        """Experiments that were begun and not started."""
        return self.runs / ".drafts"


def given_path(given: str | Path, start: Path | None = None, new: bool = False) -> Path:
    """The path that a person gave: typed, completed, pasted or dropped into a terminal.

    It is taken as it stands where something is there. Else it may be in quotes, have backslashes
    before its blanks, or be a file:// address: it is understood so where something is there then.
    ~ is somebody's home.

    Args:
        start: where relative paths begin; the current folder where left out.
        new: True for what is to be made: it is enough that the folder it belongs in is there.

    Returns:
        As given, from `start` on, where nothing is there in any way; not always absolute.
    """
    literal = _at(given, start)
    others = [_at(text, start) for text in _meant(str(given))]
    for path in (literal, *others):
        if _exists(path):
            return path
    made = [path for path in (literal, *others) if new and _exists(path.parent)]
    return made[0] if made else literal


def _meant(text: str) -> Iterator[str]:
    """What a pasted text may stand for, beside itself."""
    trimmed = text.strip()
    yield trimmed
    if len(trimmed) > 2 and trimmed[0] + trimmed[-1] in _QUOTES:
        trimmed = trimmed[1:-1]
        yield trimmed
    plain = re.sub(r"\\(.)", r"\1", trimmed)
    yield plain
    try:  # as a shell would: 'it'"'"'s', my\ photos
        words = shlex.split(text)
    except ValueError:  # an apostrophe in a name
        words = []
    if len(words) == 1:
        yield words[0]
    for address in (trimmed, plain):
        if address[:5].lower() == "file:":
            yield from _of_address(address[5:])


def _of_address(rest: str) -> Iterator[str]:
    """The path in file:///home/me/a%20b, file://localhost/home or file:/home."""
    if rest.startswith("//"):
        rest = rest[2:]
        rest = rest[rest.find("/") :] if "/" in rest else ""  # a host: a mount of this machine
    if rest.startswith("/"):
        yield unquote(rest, errors="surrogateescape")
        yield rest


def _at(given: str | Path, start: Path | None) -> Path:
    path = Path(given)
    with suppress(RuntimeError):  # ~name, and there is no such user
        path = path.expanduser()
    return Path(start or "", path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, a zero byte
        return False


def find_workspace(given: str | Path | None = None) -> Workspace:
    """The folder given, else $WORKBENCH_HOME, else the current folder.

    Raises:
        UserError: it is no folder.
    """
    source = "--workspace" if given else HOME_VARIABLE
    chosen = given or os.environ.get(HOME_VARIABLE) or "."
    root = given_path(chosen, new=True).resolve()
    if root.exists() and not root.is_dir():
        raise UserError(f"{source}: {root} is a file, not a folder.")
    return Workspace(root)
