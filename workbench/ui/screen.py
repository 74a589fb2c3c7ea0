"""The base of every screen: a heading at the top, the keys at the bottom, and a way back."""

from typing import ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static

from workbench.runs.watch import Runs
from workbench.ui.base_app import BaseApp, Route
from workbench.ui.widgets.key_line import KeyLine

MIN_COLUMNS, MIN_ROWS = 80, 24
WIDE_COLUMNS = 110  # from here on there is room for a pane beside the main one


class WorkbenchScreen(Screen[None]):
    """A screen with a heading and a footer around its body.

    Attributes:
        CONCEPTS: names of the concepts that `?` explains here (see `ui.concepts`).
        route: the name under which it was opened; None for a screen without one.
        run: name of the run that the screen is about, "" for none; the palette offers the
            actions on it.
    """

    CONCEPTS: ClassVar[tuple[str, ...]] = ()
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="back"),
        Binding("question_mark", "show_concepts", "Explain", key_display="?", id="concepts"),
        Binding("j", "press('down')", show=False),
        Binding("k", "press('up')", show=False),
        Binding("g", "press('home')", show=False),
        Binding("G", "press('end')", show=False),
    ]

    route: Route | None = None
    run = ""
    _heading: Text | None = None

    @property
    def workbench(self) -> BaseApp:
        """The app, by its own type."""
        return cast(BaseApp, self.app)

    def compose(self) -> ComposeResult:
        """Yield heading, body and keys, and the text shown if the terminal is too small."""
        # Before there are children: a class that is set later would restyle all of them.
        self.set_class(self.app.size.width >= WIDE_COLUMNS, "-wide")
        self.set_class(not self.workbench.utf8, "-ascii")
        yield Static(id="heading")
        with Vertical(id="body"):
            yield from self.compose_body()
        yield KeyLine()
        yield Static(id="too-small")

    def compose_body(self) -> ComposeResult:
        """Yield the widgets between heading and footer."""
        yield from ()

    def heading(self) -> Text:
        """Return the line at the top."""
        return Text("workbench", style="bold")

    def refresh_heading(self) -> None:
        """Draw the heading if it changed; it always has one line."""
        heading = self.heading()
        if heading != self._heading:
            self._heading = heading
            self.query_one("#heading", Static).update(heading, layout=False)

    def on_mount(self) -> None:
        """Draw the heading."""
        self.refresh_heading()

    def on_unmount(self) -> None:
        """Unsubscribe from theme changes; Textual would keep a closed screen for the signal."""
        self.app.theme_changed_signal.unsubscribe(self)

    def runs_changed(self, runs: Runs) -> None:
        """React to changed runs; called on every screen of the stack."""

    def on_resize(self) -> None:
        """Show a message instead of the screen if the terminal is too small."""
        size = self.app.size
        small = size.width < MIN_COLUMNS or size.height < MIN_ROWS
        self.set_class(small, "-too-small")
        if small:
            self.query_one("#too-small", Static).update(
                Text(
                    f"The terminal has {size.width} x {size.height} cells; the workbench needs "
                    f"{MIN_COLUMNS} x {MIN_ROWS}.\nMake it larger, or use the commands: "
                    "workbench --help"
                )
            )

    def action_back(self) -> None:
        """Return to the screen before."""
        if len(self.app.screen_stack) > 2:  # the app's own blank one, and home
            self.app.pop_screen()

    def action_press(self, key: str) -> None:
        """Move as another key does."""
        self.app.simulate_key(key)

    def concepts(self) -> tuple[str, ...]:
        """Return the names of the concepts to list first; may depend on what is shown."""
        return self.CONCEPTS

    def action_show_concepts(self) -> None:
        """Explain the concepts of this screen."""
        if concepts := self.concepts():
            self.workbench.open("concepts", concepts)
