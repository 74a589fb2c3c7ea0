"""The part of the app that screens use: workspace, runs, and other screens by their names."""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from textual import work
from textual.app import App

from workbench.app.draft_writer import DraftWriter
from workbench.paths import Workspace
from workbench.runs.process import WarmWorker
from workbench.runs.watch import Runs, RunView

if TYPE_CHECKING:  # it imports much that the first screen does not need
    from workbench.app.jobs import MachineCheck
    from workbench.app.lessons import LessonInput

Route = Literal[
    "analyze",
    "augmentation",
    "compare",
    "concepts",
    "data",
    "explain",
    "export",
    "home",
    "ladder",
    "ladder-start",
    "layers",
    "layers-step",
    "lessons",
    "lr-find",
    "machine",
    "machine-step",
    "relabel",
    "results",
    "strategy",
    "train",
    "tune",
]


class BaseApp(App[None]):
    """The app as its screens know it; implemented by `ui.app`.

    Attributes:
        workspace: where data and runs are.
        poll_seconds: seconds between two polls of the runs, more over a slow line.
        utf8: whether the terminal shows more than ASCII.
        runs: all runs of the workspace, updated twice a second.
        ladders: names of all ladders, updated with the runs.
        warm: a worker for the next run, started while a person sets up an experiment.
        draft_writer: writes drafts.
        lesson_input: images and weights of the last lesson; None before the first.
    """

    workspace: Workspace
    poll_seconds: float
    utf8: bool
    runs: Runs
    ladders: tuple[str, ...]
    warm: WarmWorker | None
    draft_writer: DraftWriter
    lesson_input: "LessonInput | None"

    def open(
        self, route: Route, *arguments: Any, then: Callable[[Any], None] | None = None
    ) -> None:
        """Show a screen over the one in front.

        Args:
            route: name of the screen (see `ui.routes`).
            arguments: of the screen.
            then: called with the screen's result when it closes.
        """
        raise NotImplementedError

    def open_instead(self, route: Route, *arguments: Any) -> None:
        """Show a screen instead of the steps that led to it; home stays below it."""
        raise NotImplementedError

    @cached_property
    def machine_check(self) -> "MachineCheck":
        """The machine check, which continues when its screen is closed."""
        from workbench.app.jobs import MachineCheck

        return MachineCheck()

    def find_run(self, name: str) -> RunView | None:
        """Return the newest view of a run, or None if it is gone."""
        return next((view for view in self.runs if view.name == name), None)

    def action_theme(self) -> None:
        """Switch between dark and light."""
        raise NotImplementedError

    @work(thread=True, exclusive=True, group="warm", exit_on_error=False)
    def warm_up(self) -> None:
        """Start a worker that imports keras while a person sets up an experiment."""
        if self.warm is None or not self.warm.is_waiting:
            with suppress(OSError):  # the start of the run will report it
                self.warm = WarmWorker()

    def cool_down(self) -> None:
        """Close the unused worker; it holds half a gigabyte."""
        if self.warm is not None:
            self.warm.close()
