"""The start of a run on images whose labels a person changed, or gave."""

from collections.abc import Callable
from pathlib import Path

from workbench.app.draft import Draft
from workbench.app.run_control import start_run
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.text import safe_text
from workbench.ui.base import WorkbenchScreen, in_background


def train_again(
    screen: WorkbenchScreen, make_spec: Callable[[], ExperimentSpec], ended: Callable[[], object]
) -> None:
    """Start a run in a thread, then show it instead of the steps that led to it.

    Args:
        screen: in front.
        make_spec: returns the spec; called in the thread.
        ended: called in the thread once it started, or failed.
    """
    workspace, warm = screen.workbench.workspace, screen.workbench.warm

    def work() -> tuple[str, list[str]]:
        try:
            notes: list[str] = []
            spec = make_spec()
            stem = Draft(workspace, source=Path(spec.data.source)).stem
            return start_run(workspace, spec, stem, notes.append, warm=warm).name, notes
        finally:
            ended()

    def started(result: tuple[str, list[str]]) -> None:
        name, notes = result
        for note in notes:
            screen.notify(safe_text(note, 300), markup=False)
        screen.workbench.open_instead("train", name)

    screen.notify(tr("Checking the images and the GPU, then the run starts."))
    in_background(screen, work, started)
