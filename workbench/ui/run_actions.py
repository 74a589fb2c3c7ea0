"""What is asked before something is done with a run: by a key of Home, or by the palette."""

from typing import TYPE_CHECKING

from workbench.runs.launch import request_stop
from workbench.text import safe_text
from workbench.ui.background import in_background
from workbench.ui.feed import RunView
from workbench.ui.screens.dialogs import Confirm

if TYPE_CHECKING:
    from workbench.ui.screens.base import WorkbenchScreen


def stop_run(screen: "WorkbenchScreen", view: RunView) -> None:
    """Asks, then asks the run's worker."""

    def stop() -> str:
        request_stop(view.folder)
        return f"{safe_text(view.name)} saves a checkpoint and ends."

    def answered(yes: bool | None) -> None:
        if yes:
            in_background(screen, stop, screen.notify)

    question = f"Stop {view.name}? Everything is saved, and r goes on with it."
    screen.app.push_screen(Confirm(question, "Stop"), answered)


def compare_run(screen: "WorkbenchScreen", view: RunView) -> None:
    """Asks which runs, and holds them beside this one."""
    from workbench.ui.screens.compare import CompareScreen, PickRuns

    others = [one for one in screen.workbench.runs if one.name != view.name]

    def answered(names: tuple[str, ...] | None) -> None:
        if names:
            screen.app.push_screen(CompareScreen((view.name, *names)))

    question = f"Compare {view.name} with which runs?"
    screen.app.push_screen(PickRuns(question, view, others), answered)
