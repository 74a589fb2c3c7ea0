"""The workspace, the folder with data/ and saved_models/; and paths as people type them."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from workbench.errors import UserError
from workbench.messages import tr

HOME_VARIABLE = "WORKBENCH_HOME"
_QUOTES = ("''", '""', "“”", "‘’", "„“", "«»", "``", "<>")


@dataclass(frozen=True)
class Workspace:
    """The folder that the workbench writes to; nothing is created before it is needed.

    Attributes:
        root: The folder.
    """

    root: Path

    @property
    def data(self) -> Path:
        """The folder with one folder for each data set: scan, audit, manifest, packs."""
        return self.root / "data"

    @property
    def runs(self) -> Path:
        """The folder with one folder for each run."""
        return self.root / "saved_models"

    @property
    def trash(self) -> Path:
        """The folder for deleted runs, until it is emptied."""
        return self.runs / ".trash"

    @property
    def drafts(self) -> Path:
        """The folder for experiments that were not started yet."""
        return self.runs / ".drafts"


def parse_path(given: str | Path, start: Path | None = None, new: bool = False) -> Path:
    """Return the path that a person typed, completed, pasted or dropped into a terminal.

    It is taken literally where that exists. Else it may be in quotes, have backslashes before its
    blanks, or be a file:// address: the first of these that exists is taken. ~ is a home folder.

    Args:
        given: The text.
        start: Where relative paths start; the current folder by default.
        new: True for a path to create: it is enough that its parent folder exists.

    Returns:
        The literal path, from `start` on, where nothing exists; not always absolute.
    """
    literal = _at(given, start)
    others = [_at(text, start) for text in _interpretations(str(given))]
    for path in (literal, *others):
        if _exists(path):
            return path
    creatable = (path for path in (literal, *others) if new and _exists(path.parent))
    return next(creatable, literal)


def _interpretations(text: str) -> Iterator[str]:
    """Yield the paths that a pasted text may mean."""
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
            yield from _from_address(address[5:])


def _from_address(rest: str) -> Iterator[str]:
    """Yield the path in file:///home/me/a%20b, file://localhost/home or file:/home."""
    if rest.startswith("//"):
        rest = rest[2:]
        rest = (
            rest[rest.find("/") :] if "/" in rest else ""
        )  # after a host: a mount of this machine
    if rest.startswith("/"):
        yield unquote(rest, errors="surrogateescape")
        yield rest


def _at(given: str | Path, start: Path | None) -> Path:
    path = Path(given)
    with suppress(RuntimeError):  # ~name of an unknown user
        path = path.expanduser()
    return Path(start or "", path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, a zero byte
        return False


def find_workspace(given: str | Path | None = None) -> Workspace:
    """Return the given folder, else $WORKBENCH_HOME, else the current folder.

    Args:
        given: The value of --workspace.

    Raises:
        UserError: It is not a folder.
    """
    source = "--workspace" if given else HOME_VARIABLE
    chosen = given or os.environ.get(HOME_VARIABLE) or "."
    root = parse_path(chosen, new=True).resolve()
    if root.exists() and not root.is_dir():
        raise UserError(tr("{source}: {root} is a file, not a folder.", source=source, root=root))
    return Workspace(root)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return $XDG_CACHE_HOME/workbench, else ~/.cache/workbench, without making it."""
    return _xdg_folder(environment, "XDG_CACHE_HOME", ".cache")


def config_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return $XDG_CONFIG_HOME/workbench, else ~/.config/workbench, without making it."""
    return _xdg_folder(environment, "XDG_CONFIG_HOME", ".config")


def _xdg_folder(environment: Mapping[str, str], variable: str, usual: str) -> Path:
    """Return the folder; the XDG specification ignores a value that is not an absolute path."""
    folder = environment.get(variable, "")
    if folder.startswith("/"):
        return Path(folder, "workbench")
    home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - never raises
    return Path(home, usual, "workbench")
