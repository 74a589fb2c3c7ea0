"""What every screen has: a line at the top, the keys at the bottom, and a way back."""

from typing import ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static

from workbench.runs.watch import Runs
from workbench.ui.base_app import BaseApp
from workbench.ui.widgets.key_line import KeyLine

LEAST_COLUMNS, LEAST_ROWS = 80, 24
WIDE_COLUMNS = 110  # from here on there is room for what can be had by other ways too


class WorkbenchScreen(Screen[None]):
    """A screen with a heading and a footer; `compose_body` gives what is between.

    Attributes:
        CONCEPTS: names of the concepts that the why panel explains here (see `ui.concepts`).
        run: name of the run that the screen is about, "" for none: the palette tells what can be
            done with it.
    """

    CONCEPTS: ClassVar[tuple[str, ...]] = ()
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="back"),
        Binding("question_mark", "why", "Why?", key_display="?", id="why"),
    ]

    run = ""
    _heading: Text | None = None

    @property
    def workbench(self) -> BaseApp:
        """The app, by its own type."""
        return cast(BaseApp, self.app)

    def compose(self) -> ComposeResult:
        """Heading, body, keys; and what is shown instead where there is no room for them."""
        # Before there are children, which a class that comes later would have styled once more.
        self.set_class(self.app.size.width >= WIDE_COLUMNS, "-wide")
        self.set_class(not self.workbench.utf8, "-ascii")
        yield Static(id="heading")
        with Vertical(id="body"):
            yield from self.compose_body()
        yield KeyLine()
        yield Static(id="too-small")

    def compose_body(self) -> ComposeResult:
        """The widgets between heading and footer."""
        yield from ()

    def heading(self) -> Text:
        """The line at the top."""
        return Text("workbench", style="bold")

    def refresh_heading(self) -> None:
        """Draws the heading where it changed; it always has one line."""
        heading = self.heading()
        if heading != self._heading:
            self._heading = heading
            self.query_one("#heading", Static).update(heading, layout=False)

    def on_mount(self) -> None:
        """Draws what does not depend on anything else."""
        self.refresh_heading()

    def on_unmount(self) -> None:
        """Textual would keep a closed screen for as long as it may be told of other colours."""
        self.app.theme_changed_signal.unsubscribe(self)

    def runs_changed(self, runs: Runs) -> None:
        """Called where the runs are others than they were, for every screen there is."""

    def on_resize(self) -> None:
        """Says so where the terminal is too small, instead of showing half of everything."""
        size = self.app.size
        small = size.width < LEAST_COLUMNS or size.height < LEAST_ROWS
        self.set_class(small, "-too-small")
        if small:
            self.query_one("#too-small", Static).update(
                Text(
                    f"The terminal has {size.width} x {size.height} cells; the workbench needs "
                    f"{LEAST_COLUMNS} x {LEAST_ROWS}.\nMake it larger, or use the commands: "
                    "workbench --help"
                )
            )

    def action_back(self) -> None:
        """To the screen before."""
        if len(self.app.screen_stack) > 2:  # the app's own blank one, and home
            self.app.pop_screen()

    def concepts(self) -> tuple[str, ...]:
        """Names of the concepts to begin with, where they depend on what is shown."""
        return self.CONCEPTS

    def action_why(self) -> None:
        """Opens the explanations of this screen."""
        if concepts := self.concepts():
            self.workbench.open("concepts", concepts)
