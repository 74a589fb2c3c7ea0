"""Deleting a run: its folder moves to the trash of the workspace, from where it can come back."""

import difflib
import os
import re
import time
from dataclasses import dataclass

from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import CLOSE_MATCHES, RunFolder, check_name
from workbench.runs.lock import RunLocked, take_lock
from workbench.runs.state import ENDED, summarise
from workbench.text import safe_text

_STAMP = "%Y%m%d-%H%M%S"
_TRASHED = re.compile(r"(?P<name>.+)\.(?P<moment>\d{8}-\d{6})(~(?P<number>\d{1,9}))?")


class NameTaken(UserError):  # noqa: N818 - a state, not a fault
    """Another run has the name of the one that is to come back."""


@dataclass(frozen=True)
class TrashedRun:
    """A run in the trash.

    Attributes:
        folder: where it lies, named by the run and the moment.
        name: the run's, as it was.
        deleted: unix seconds.
    """

    folder: RunFolder
    name: str
    deleted: float


def move_to_trash(workspace: Workspace, folder: RunFolder) -> RunFolder:
    """Moves a run out of the way; nothing is lost until the trash is emptied by hand.

    Returns:
        The folder in the trash, named by the run and the moment.

    Raises:
        UserError: the run is at work, here or on another machine.
        OSError: the folder cannot be moved.
    """
    state = summarise(folder).state
    if state.word not in (*ENDED, "interrupted"):
        raise _at_work(folder, f"it is {state.word}")
    try:
        descriptor = take_lock(folder.lock_path)
    except RunLocked:  # a worker that is just starting, or just ending
        raise _at_work(folder, "a worker holds it") from None
    try:
        workspace.trash.mkdir(parents=True, exist_ok=True)
        stamped = f"{folder.name}.{time.strftime(_STAMP)}"
        target, number = workspace.trash / stamped, 1
        while target.exists():
            number += 1
            target = workspace.trash / f"{stamped}~{number}"
        folder.path.rename(target)
    finally:
        os.close(descriptor)
    return RunFolder(target)


def list_trash(workspace: Workspace) -> list[TrashedRun]:
    """The runs in the trash, the one deleted last first; what is no run is left out."""
    if not workspace.trash.is_dir():
        return []
    found = []
    for path in workspace.trash.iterdir():
        match = _TRASHED.fullmatch(path.name)
        moment = _seconds(match["moment"]) if match else None
        if match and moment is not None:
            order = (moment, int(match["number"] or 1))
            found.append((order, TrashedRun(RunFolder(path), match["name"], moment)))
    return [run for _, run in sorted(found, key=lambda one: one[0], reverse=True)]


def find_trashed(workspace: Workspace, name: str) -> TrashedRun:
    """Of the runs of that name in the trash, the one deleted last.

    Raises:
        UserError: there is none; names that are close are told.
    """
    runs = list_trash(workspace)
    for run in runs:
        if run.name == name:
            return run
    close = difflib.get_close_matches(name, {run.name for run in runs}, CLOSE_MATCHES, cutoff=0.5)
    names = ", ".join(safe_text(found) for found in close)
    raise UserError(
        f"There is no run {safe_text(repr(name))} in the trash, {safe_text(workspace.trash)}.",
        f"Did you mean {names}?" if names else "See what is there: workbench restore",
    )


def restore(workspace: Workspace, run: TrashedRun, name: str = "") -> RunFolder:
    """Brings a run back.

    Args:
        name: a new one; the run's own where left out.

    Raises:
        NameTaken: another run has the name by now.
        UserError: it is none that a run can have, or the run is not in the trash any more.
        OSError: the folder cannot be moved.
    """
    if name:
        check_name(name)
    if not run.folder.path.is_dir():
        raise UserError(f"{safe_text(run.name)} is not in the trash any more.")
    target = workspace.runs / (name or run.name)
    try:
        target.mkdir()  # takes the name; an empty folder can be moved over
    except FileExistsError:
        raise NameTaken(
            f"There is another {safe_text(target.name)} by now; the deleted one stays in the "
            "trash.",
            f"Give it a new name: workbench restore {safe_text(run.name)} --as NAME",
        ) from None
    try:
        run.folder.path.rename(target)
    except OSError:
        target.rmdir()
        raise
    return RunFolder(target)


def _at_work(folder: RunFolder, why: str) -> UserError:
    name = safe_text(folder.name)
    return UserError(
        f"{name} is at work: {why}. It is not deleted.", f"First stop it: workbench stop {name}"
    )


def _seconds(moment: str) -> float | None:
    try:
        return time.mktime(time.strptime(moment, _STAMP))
    except (ValueError, OverflowError):
        return None
