"""What every screen stands on: the app as screens know it, work in a thread, the base class."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from workbench.app.draft_writer import DraftWriter
from workbench.hosts.mirror import HostView
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.process import WarmWorker
from workbench.runs.sweep_record import SweepRecord
from workbench.runs.watch import Runs, RunView
from workbench.settings import Place, Settings
from workbench.text import safe_lines
from workbench.ui.keys import KeyLine
from workbench.ui.pixels import PixelLayer

if TYPE_CHECKING:  # it imports much that the first screen does not need
    from workbench.app.jobs import MachineCheck
    from workbench.app.lessons import LessonInput

T = TypeVar("T")
ERROR_SECONDS = 10.0  # that an error stays on the screen
MIN_COLUMNS, MIN_ROWS = 80, 24
WIDE_COLUMNS = 110  # from here on there is room for a pane beside the main one
HIGH_ROWS = 32  # from here on there is room for more below it
Route = Literal[
    "analyze",
    "augmentation",
    "compare",
    "concepts",
    "data",
    "explain",
    "export",
    "home",
    "label",
    "ladder",
    "ladder-start",
    "layers",
    "layers-step",
    "lessons",
    "lr-find",
    "machine",
    "machine-step",
    "map",
    "results",
    "review",
    "settings",
    "strategy",
    "sweep",
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
        reads_runs: whether these are the newest alone, because there are many, and the others
            are being read.
        hosts: other machines of the settings and their runs, updated in the background.
        sweeps: records of all ladders and sweeps, updated with the runs.
        pixels: draws pictures in pixels where the terminal can.
        started_run: name of the run that was started here last, until Home has shown it.
        warm: a worker for the next run, started while a person sets up an experiment.
        draft_writer: writes drafts.
        settings: of the person.
        lesson_input: images and weights of the last lesson; None before the first.
    """

    workspace: Workspace
    poll_seconds: float
    utf8: bool
    runs: Runs
    reads_runs: bool
    hosts: Sequence[HostView]
    sweeps: tuple[SweepRecord, ...]
    pixels: PixelLayer
    started_run: str = ""
    warm: WarmWorker | None
    draft_writer: DraftWriter
    settings: Settings
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

    def copy_one(self, choices: Sequence[tuple[str, str]]) -> None:
        """Copy one of these texts, each with a word for it, to the clipboard; ask which."""
        raise NotImplementedError

    def change_settings(self, changes: Mapping[Place, object]) -> None:
        """Keep changes of the settings, see `workbench.settings`, and use them from now on."""
        raise NotImplementedError

    def restart(self) -> None:
        """End the app and start it again with the same arguments, as for another language."""
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


def notify_error(app: App[Any], error: Exception | str) -> None:
    """Show an error for a while; its text is made safe here."""
    message = safe_lines(error) or type(error).__name__
    app.notify(message, severity="error", timeout=ERROR_SECONDS, markup=False)


def in_background(screen: Screen[Any], work: Callable[[], T], then: Callable[[T], None]) -> None:
    """Call `work` in a thread, then `then` with its result; show the error if it fails.

    Args:
        screen: that shows errors.
        work: the function, without side effects on widgets.
        then: called on the event loop; skipped if the screen is closed by then.
    """
    app = screen.app

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # of any kind: nobody else would show it
            app.call_later(notify_error, app, error)
        else:
            screen.call_later(then, result)

    # A worker of the app: a closed screen would cancel its own workers, started or not.
    app.run_worker(run, thread=True, exit_on_error=False)


class WorkbenchScreen(Screen[None]):
    """A screen with a heading and a footer around its body.

    Attributes:
        CONCEPTS: names of the concepts that `?` explains here (see `ui.concepts`).
        route: the name under which it was opened; None for a screen without one.
        run: name of the run that the screen is about, "" for none; the palette offers the
            actions on it.
        PAGED: what page up and page down scroll, "#sheet"; for screens that bind them.
    """

    PAGED: ClassVar[str] = ""
    CONCEPTS: ClassVar[tuple[str, ...]] = ()
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", tr("Back"), id="back"),
        Binding("question_mark", "show_concepts", tr("Concepts"), key_display="?", id="concepts"),
        Binding(
            "y",
            "copy",
            tr("Copy"),
            id="copy",
            show=False,
            tooltip=tr("a path, a name or a command, to the clipboard"),
        ),
        Binding("j", "press('down')", id="move.down", show=False),
        Binding("k", "press('up')", id="move.up", show=False),
        Binding("g", "press('home')", id="move.first", show=False),
        Binding("G", "press('end')", id="move.last", show=False),
    ]

    route: Route | None = None
    run = ""
    _heading: Text | None = None
    _hidden_focus: Widget | None = None

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
        return Text(tr("workbench"), style="bold")

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

    @property
    def is_too_small(self) -> bool:
        """Whether a message is shown instead, behind which no key may act."""
        return self.app.size.width < MIN_COLUMNS or self.app.size.height < MIN_ROWS

    def on_resize(self) -> None:
        """Show a message instead of the screen if the terminal is too small."""
        size, was_too_small = self.app.size, self.has_class("-too-small")
        if self.is_too_small and not was_too_small:
            self._hidden_focus = self.focused  # which loses it while it is hidden
        self.set_class(self.is_too_small, "-too-small")
        if was_too_small and not self.is_too_small and self._hidden_focus:
            self.call_after_refresh(self.set_focus, self._hidden_focus)
        if self.is_too_small:
            self.query_one("#too-small", Static).update(
                Text(
                    tr(
                        "The terminal has {width} x {height} cells; the workbench needs "
                        "{min_columns} x {min_rows}.\n"
                        "Make it larger, or use the commands: workbench --help",
                        width=size.width,
                        height=size.height,
                        min_columns=MIN_COLUMNS,
                        min_rows=MIN_ROWS,
                    )
                )
            )

    def action_back(self) -> None:
        """Return to the screen before."""
        if len(self.app.screen_stack) > 2:  # the app's own blank one, and home
            self.app.pop_screen()

    def action_press(self, key: str) -> None:
        """Move as another key does."""
        self.app.simulate_key(key)

    def action_page(self, step: int) -> None:
        """Scroll by a page, down for 1, up for -1."""
        pane = self.query_one(self.PAGED)
        if step > 0:
            pane.scroll_page_down(animate=False)
        else:
            pane.scroll_page_up(animate=False)

    def copyable(self) -> list[tuple[str, str]]:
        """Return what can be copied here, each with a word for it, the likeliest first."""
        view = self.workbench.find_run(self.run) if self.run else None
        if view is None:
            return [(tr("folder"), str(self.workbench.workspace.root))]
        return [
            (tr("folder"), str(view.folder.path)),
            (tr("name"), view.name),
            (tr("command"), f"workbench attach {view.name}"),
        ]

    def action_copy(self) -> None:
        """Copy a value of this screen, or ask which."""
        self.workbench.copy_one(self.copyable())

    def color(self, name: str) -> str:
        """Return a color of the theme."""
        return self.app.theme_variables.get(name, "")

    def concepts(self) -> tuple[str, ...]:
        """Return the names of the concepts to list first; may depend on what is shown."""
        return self.CONCEPTS

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer an explanation where there is one."""
        return action != "show_concepts" or bool(self.concepts())

    def action_show_concepts(self) -> None:
        """Explain the concepts of this screen."""
        if concepts := self.concepts():
            self.workbench.open("concepts", concepts)


class RunScreen(WorkbenchScreen):
    """A screen about a run, whose files are read once the run is known.

    Args:
        run: name of the run.

    Attributes:
        view: the run when its files were read; None before.
    """

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self.view: RunView | None = None

    def on_mount(self) -> None:
        """Read the run's files if it is known already."""
        self.runs_changed(self.workbench.runs)

    def runs_changed(self, runs: Runs) -> None:
        """Read the run's files, once."""
        view = self.workbench.find_run(self.run)
        if view is not None and self.view is None:
            self.view = view
            self.read_files(view)

    def read_files(self, view: RunView) -> None:
        """Read the run's files in the background and show them."""
        raise NotImplementedError
