"""Deleting a run: its folder moves to the trash of the workspace, where it can be found again."""

import os
import time

from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.lock import take_lock


def move_to_trash(workspace: Workspace, folder: RunFolder) -> RunFolder:
    """Moves a run out of the way; nothing is lost until the trash is emptied by hand.

    Returns:
        The folder in the trash, named by the run and the time.

    Raises:
        UserError: a worker is at it.
        OSError: the folder cannot be moved.
    """
    descriptor = take_lock(folder.lock_path)  # raises RunLocked while a worker lives
    try:
        workspace.trash.mkdir(parents=True, exist_ok=True)
        target = workspace.trash / f"{folder.name}.{time.strftime('%Y%m%d-%H%M%S')}"
        number = 1
        while target.exists():
            number += 1
            target = target.with_name(f"{target.name.split('~')[0]}~{number}")
        folder.path.rename(target)
    finally:
        os.close(descriptor)
    return RunFolder(target)


def restore(workspace: Workspace, trashed: RunFolder) -> RunFolder:
    """Brings a run back under its name.

    Raises:
        UserError: a run of that name is there by now.
    """
    target = RunFolder(workspace.runs / trashed.name.rsplit(".", 1)[0])
    if target.path.exists():
        raise UserError(f"There is a run {target.name} by now; rename it first.")
    trashed.path.rename(target.path)
    return target
