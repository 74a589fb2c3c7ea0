"""The workspace: the folder that holds data/ and saved_models/."""

import os
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UserError

HOME_VARIABLE = "WORKBENCH_HOME"


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


def find_workspace(given: str | Path | None = None) -> Workspace:
    """The folder given, else $WORKBENCH_HOME, else the current folder.

    Raises:
        UserError: it is no folder.
    """
    source = "--workspace" if given else HOME_VARIABLE
    chosen = given or os.environ.get(HOME_VARIABLE) or "."
    root = Path(chosen).expanduser().resolve()
    if root.exists() and not root.is_dir():
        raise UserError(f"{source}: {root} is a file, not a folder.")
    return Workspace(root)
