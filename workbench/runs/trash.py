"""Delete a run by moving its folder to the trash of the workspace, and restore it from there."""

import os
import re
import time
from dataclasses import dataclass

from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, check_name, suggest_names
from workbench.runs.lock import RunLocked, take_lock
from workbench.runs.state import ENDED
from workbench.runs.summary import summarize
from workbench.text import safe_text
from workbench.words import shown

_STAMP = "%Y%m%d-%H%M%S"
_TRASHED = re.compile(r"(?P<name>.+)\.(?P<moment>\d{8}-\d{6})(~(?P<number>\d{1,9}))?")


class NameTaken(UserError):  # noqa: N818 - a state, not a fault
    """Another run has the name of the one to restore."""


@dataclass(frozen=True)
class TrashedRun:
    """A run in the trash.

    Attributes:
        folder: its folder in the trash, named by run and time.
        name: former name of the run.
        deleted: unix seconds.
    """

    folder: RunFolder
    name: str
    deleted: float


def move_to_trash(workspace: Workspace, folder: RunFolder) -> RunFolder:
    """Move a run to the trash, which only a person empties.

    Returns:
        The folder in the trash, named by run and time.

    Raises:
        UserError: The run is running, here or on another machine.
        OSError: The folder cannot be moved.
    """
    state = summarize(folder).state
    if state.phase not in (*ENDED, "interrupted"):
        raise _running_error(folder, tr("it is {phase}", phase=shown(state.phase)))
    try:
        descriptor = take_lock(folder.lock_path)
    except RunLocked:  # by a worker that is about to start or to end
        raise _running_error(folder, tr("a worker holds it")) from None
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
    """Return the runs in the trash, the one deleted last first; other files are ignored."""
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
    """Return the run of that name that was deleted last.

    Raises:
        UserError: There is none; the message suggests similar names.
    """
    runs = list_trash(workspace)
    for run in runs:
        if run.name == name:
            return run
    raise UserError(
        tr(
            "There is no run {name} in the trash, {trash}.",
            name=safe_text(repr(name)),
            trash=safe_text(workspace.trash),
        ),
        suggest_names(name, (run.name for run in runs))
        or tr("See what is there: workbench restore"),
    )


def restore(workspace: Workspace, run: TrashedRun, name: str = "") -> RunFolder:
    """Restore a run.

    Args:
        workspace: of the trash.
        run: to restore.
        name: a new name; "" for the former one.

    Raises:
        NameTaken: Another run has the name now.
        UserError: The name is invalid, or the run is no longer in the trash.
        OSError: The folder cannot be moved.
    """
    if name:
        check_name(name)
    if not run.folder.path.is_dir():
        raise UserError(
            tr("{run_name} is not in the trash any more.", run_name=safe_text(run.name))
        )
    target = workspace.runs / (name or run.name)
    try:
        target.mkdir()  # reserves the name; a rename may replace an empty folder
    except FileExistsError:
        raise NameTaken(
            tr(
                "There is another {target} by now; the deleted one stays in the trash.",
                target=safe_text(target.name),
            ),
            tr("Give it a new name: workbench restore {run} --as NAME", run=safe_text(run.name)),
        ) from None
    try:
        run.folder.path.rename(target)
    except OSError:
        target.rmdir()
        raise
    return RunFolder(target)


def _running_error(folder: RunFolder, why: str) -> UserError:
    name = safe_text(folder.name)
    return UserError(
        tr("{name} is running: {why}. It is not deleted.", name=name, why=why),
        tr("First stop it: workbench stop {name}", name=name),
    )


def _seconds(moment: str) -> float | None:
    try:
        return time.mktime(time.strptime(moment, _STAMP))
    except (ValueError, OverflowError):
        return None
