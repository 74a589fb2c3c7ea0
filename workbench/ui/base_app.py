"""What a screen may use of the app: workspace, runs, and other screens by their names."""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from textual import work
from textual.app import App

from workbench.app.draft_writer import Keeper
from workbench.paths import Workspace
from workbench.runs.standby import WarmWorker
from workbench.runs.watch import Runs, RunView

if TYPE_CHECKING:  # it imports much that the first screen does not need
    from workbench.app.lessons import TriedOn
    from workbench.app.machine_check import Checkup

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
    """The app as its screens know it; `ui.app` makes it whole.

    Attributes:
        workspace: where data and runs are.
        look_seconds: seconds between two looks at the runs, more over a slow line.
        utf8: whether the terminal shows more than ASCII.
        runs: all runs of the workspace, brought up to date twice a second.
        ladders: names of all ladders, brought up to date with the runs.
        warm: a worker for the next run, where somebody is on the way to one.
        keeper: writes drafts.
        tried_on: what lessons were tried on last; None before there was one.
    """

    workspace: Workspace
    look_seconds: float
    utf8: bool
    runs: Runs
    ladders: tuple[str, ...]
    warm: WarmWorker | None
    keeper: Keeper
    tried_on: "TriedOn | None"

    def open(
        self, route: Route, *arguments: Any, then: Callable[[Any], None] | None = None
    ) -> None:
        """Show a screen over the one in front.

        Args:
            route: name of the screen (see `ui.routes`).
            arguments: of the screen.
            then: called with what the screen gives when it closes.
        """
        raise NotImplementedError

    def open_instead(self, route: Route, *arguments: Any) -> None:
        """Show a screen in the place of the steps that led to it; home stays below it."""
        raise NotImplementedError

    @cached_property
    def checkup(self) -> "Checkup":
        """The machine check, which outlives its screen."""
        from workbench.app.machine_check import Checkup

        return Checkup()

    def find_run(self, name: str) -> RunView | None:
        """Return the newest view of a run, None where it is gone."""
        return next((view for view in self.runs if view.name == name), None)

    def action_theme(self) -> None:
        """Change between dark and light."""
        raise NotImplementedError

    @work(thread=True, exclusive=True, group="warm", exit_on_error=False)
    def warm_up(self) -> None:
        """Start a worker that imports keras while a person still chooses."""
        if self.warm is None or not self.warm.waits:
            with suppress(OSError):  # the start itself will say so
                self.warm = WarmWorker()

    def cool_down(self) -> None:
        """Let the worker go that nobody needs now; it holds half a gigabyte."""
        if self.warm is not None:
            self.warm.close()
