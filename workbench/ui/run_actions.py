"""What is asked before something is done with a run: by a key of Home, or by the palette."""

from collections.abc import Callable

from workbench.runs.launch import request_stop
from workbench.runs.watch import RunView
from workbench.text import safe_text
from workbench.ui.background import in_background
from workbench.ui.dialogs import Confirm
from workbench.ui.screen import WorkbenchScreen


def confirm_and_do(
    screen: WorkbenchScreen,
    question: str,
    yes: str,
    deed: Callable[[], str],
    then: Callable[[str], None] | None = None,
) -> None:
    """Asks; where the person is sure, does it in a thread and tells what came of it.

    Args:
        yes: what the button that does it says.
        deed: returns what came of it, in words.
        then: given the words; left out, they are shown for a moment.
    """

    def answered(sure: bool | None) -> None:
        if sure:
            in_background(screen, deed, then or screen.notify)

    screen.app.push_screen(Confirm(question, yes), answered)


def stop_run(
    screen: WorkbenchScreen, view: RunView, then: Callable[[str], None] | None = None
) -> None:
    """Asks, then asks the run's worker; `then` as `confirm_and_do` has it."""

    def stop() -> str:
        request_stop(view.folder)
        return f"{safe_text(view.name)} saves a checkpoint and ends."

    question = f"Stop {view.name}? Everything is saved, and r goes on with it."
    confirm_and_do(screen, question, "Stop", stop, then)


def compare_run(screen: WorkbenchScreen, view: RunView) -> None:
    """Asks which runs, and holds them beside this one."""
    from workbench.ui.pick_run import PickRuns

    others = [one for one in screen.workbench.runs if one.name != view.name]

    def answered(names: tuple[str, ...] | None) -> None:
        if names:
            screen.workbench.open("compare", (view.name, *names))

    question = f"Compare {view.name} with which runs?"
    screen.app.push_screen(PickRuns(question, view, others), answered)
