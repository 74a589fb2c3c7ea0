"""The guided way of a new experiment: where it begins, goes on, and ends in a run."""

from typing import TYPE_CHECKING

from workbench.errors import UserError
from workbench.text import safe_lines
from workbench.ui.draft import Draft, newest_draft

if TYPE_CHECKING:
    from workbench.ui.app import WorkbenchApp

_BOTTOM = 2  # screens of the stack that stay: the app's own blank one, and home


def begin_experiment(app: "WorkbenchApp") -> None:
    """Begins a new experiment, or offers to go on with the one that was begun last."""
    from workbench.ui.screens.go_on import GoOnScreen

    found = newest_draft(app.workspace)
    if found is None or found.source is None:
        go_on(app, found or Draft(app.workspace))
        return

    def answered(answer: str | None) -> None:
        if answer == "go on":
            go_on(app, found)
        elif answer == "new":
            found.discard()
            go_on(app, Draft(app.workspace))

    app.push_screen(GoOnScreen(found), answered)


def go_on(app: "WorkbenchApp", draft: Draft) -> None:
    """Shows the step that a draft has come to; escape leads to the one before."""
    if draft.source is None and "machine" not in draft.settled:
        from workbench.ui.screens.machine_step import MachineStep

        app.push_screen(MachineStep(draft))
        return
    from workbench.ui.screens.data import DataScreen

    app.push_screen(DataScreen(draft, onward="data" in draft.settled))


def begin_demo(app: "WorkbenchApp") -> None:
    """Starts the demo's two runs on handwritten digits and shows the first."""
    from workbench.ui.start import start_demo

    def work() -> None:
        try:
            first, *_ = start_demo(app.workspace)
        except UserError as error:
            words = safe_lines(str(error))
            app.call_from_thread(app.notify, words, severity="error", timeout=15, markup=False)
        else:
            app.call_from_thread(show_run, app, first.name)

    app.notify("Making the digits; then a dense network trains, and a convnet after it.")
    app.run_worker(work, thread=True, exclusive=True, group="demo", exit_on_error=False)


def show_run(app: "WorkbenchApp", name: str) -> None:
    """Shows a run that was just started in the place of the steps that led to it."""
    from workbench.ui.screens.train import TrainScreen

    with app.batch_update():
        while len(app.screen_stack) > _BOTTOM:
            app.pop_screen()
        app.push_screen(TrainScreen(name))
