"""Bringing a deleted run back: by a key of Home, or by the command palette."""

from typing import Any

from textual.screen import Screen

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.trash import NameTaken, TrashedRun, restore
from workbench.text import safe_text
from workbench.ui.background import in_background
from workbench.ui.dialogs import Ask


def bring_back(screen: Screen[Any], workspace: Workspace, run: TrashedRun, name: str = "") -> None:
    """Brings a run back and says so; asks for a new name where another run has its own by now.

    Args:
        screen: where it is said and asked.
        name: the new one.
    """

    def work() -> RunFolder | None:
        try:
            return restore(workspace, run, name)
        except NameTaken:
            return None

    def done(folder: RunFolder | None) -> None:
        if folder:
            screen.notify(f"{safe_text(folder.name)} is back.")
            return
        taken = name or run.name
        question = f"There is another run {taken} by now. A new name for the deleted one:"
        screen.app.push_screen(Ask(question, f"{taken}-old"), answered)

    def answered(chosen: str | None) -> None:
        if chosen and chosen.strip():
            bring_back(screen, workspace, run, chosen.strip())

    in_background(screen, work, done)
