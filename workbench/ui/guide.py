"""The guided way of a new experiment: where it begins, goes on, and ends in a run."""

from typing import TYPE_CHECKING

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


def show_run(app: "WorkbenchApp", name: str) -> None:
    """Shows a run that was just started in the place of the steps that led to it."""
    from workbench.ui.screens.train import TrainScreen

    with app.batch_update():
        while len(app.screen_stack) > _BOTTOM:
            app.pop_screen()
        app.push_screen(TrainScreen(name))
