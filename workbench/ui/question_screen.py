"""A screen that asks about one image after another, and trains on the answers."""

from collections.abc import Callable
from pathlib import Path

from workbench.app.draft import Draft
from workbench.app.run_control import start_run
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.text import safe_text
from workbench.ui.base import RunScreen, in_background, notify_error
from workbench.ui.dialogs import Confirm
from workbench.ui.widgets.job_part import JobPart


class QuestionScreen(RunScreen, JobPart):
    """Write each answer as it is given; start a run on all of them.

    Args:
        run: whose images are asked about.
    """

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self._progress = ""  # of the worker that looks for what to ask
        self._starting = False

    def show_next(self) -> None:
        """Show what is asked now."""
        raise NotImplementedError

    def change(self, change: Callable[[], object]) -> None:
        """Write an answer at once, so that quick keys are answered in their order; ask the next."""
        try:
            change()
        except (UserError, OSError) as error:
            notify_error(self.app, error)
        self.show_next()

    def train(self, question: str, make_spec: Callable[[], ExperimentSpec]) -> None:
        """Ask, then start a run in a thread and show it instead of the steps that led to it.

        Args:
            question: to confirm.
            make_spec: returns the spec; called in the thread.
        """
        workspace, warm = self.workbench.workspace, self.workbench.warm

        def work() -> tuple[str, list[str]]:
            try:
                notes: list[str] = []
                spec = make_spec()
                stem = Draft(workspace, source=Path(spec.data.source)).stem
                return start_run(workspace, spec, stem, notes.append, warm=warm).name, notes
            finally:
                self._starting = False

        def started(result: tuple[str, list[str]]) -> None:
            name, notes = result
            for note in notes:
                self.notify(safe_text(note, 300), markup=False)
            self.workbench.open_instead("train", name)

        def confirmed(yes: bool | None) -> None:
            if yes and not self._starting:
                self._starting = True
                self.notify(tr("Checking the images and the machine, then the run starts."))
                in_background(self, work, started)

        self.app.push_screen(Confirm(question, tr("Train"), harmless=True), confirmed)
