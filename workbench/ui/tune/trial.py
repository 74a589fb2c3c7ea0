"""Trying before training: what a range test and a search have in common on the screen."""

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from workbench.app.draft import Draft
from workbench.app.stopping import Stop
from workbench.errors import UserError
from workbench.experiment.bounds import Bounds
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import spec_tree
from workbench.machine.benchmark_store import Figures
from workbench.machine.preflight import look_before_training
from workbench.runs import jobs
from workbench.runs.events import Event
from workbench.text import safe_text
from workbench.ui.dialogs import Ask, tell_problem
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.widgets.step_rail import rail_heading

Use = Callable[[dict[str, Any]], None]


class TuneScreen(WorkbenchScreen):
    """Says what it will do and cost, does it in a worker, and hands over what was chosen.

    The worker ends with the screen.

    Args:
        draft: with images and their facts; it is not changed here.
        figures: what this machine can do; None where it was not measured.
        use: takes settings over, by their keys.

    Raises:
        UserError: the draft does not allow it.

    Attributes:
        JOB: of the worker.
        BOUNDS: of the count that a person may change.
        COUNTED: what is counted, as the worker's request has it.
        at_work: whether the worker is.
    """

    AUTO_FOCUS = ""  # enter begins; a table that had it would take the key
    JOB: ClassVar[str]
    BOUNDS: ClassVar[Bounds]
    COUNTED: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "begin", "Begin", id="tune.begin"),
        Binding("x", "stop", "Stop", id="tune.stop"),
    ]

    class Told(Message):
        """How far the worker has come."""

        def __init__(self, phase: str, done: int, total: int) -> None:
            super().__init__()
            self.words = f"{phase} {done:,} of {total:,}" if total else phase

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, TuneScreen.Told)

    class Came(Message):
        """Another event of the worker."""

        def __init__(self, event: Event) -> None:
            super().__init__()
            self.event = event

    class Ended(Message):
        """The worker's answer, or why there is none: "" where it was stopped."""

        def __init__(self, result: dict[str, Any] | None, problem: str = "") -> None:
            super().__init__()
            self.result = result
            self.problem = problem

    def __init__(self, draft: Draft, figures: Figures | None, use: Use) -> None:
        super().__init__()
        self.draft = draft
        self.spec = draft.spec()
        self.check(self.spec)
        self.figures = figures
        self.count = self.BOUNDS.usual
        self.at_work = False
        self._use = use
        self._stop = Stop()

    # What each kind has of its own

    @staticmethod
    def check(spec: ExperimentSpec) -> None:
        """Looks whether it can be done with a spec.

        Raises:
            UserError: it cannot, in words.
        """

    def about(self) -> str:
        """What it will do and cost."""
        raise NotImplementedError

    def request(self) -> dict[str, Any]:
        """What the worker is asked beside the spec and the count."""
        raise NotImplementedError

    def chosen(self) -> dict[str, Any]:
        """The settings to take over, {} while there are none."""
        raise NotImplementedError

    def came(self, event: Event) -> None:
        """Takes an event over."""

    def ended(self, result: dict[str, Any]) -> None:
        """Takes the answer over; {} where there is none."""

    def compose_result(self) -> ComposeResult:
        """The widgets for what came out."""
        raise NotImplementedError

    # The screen

    def compose_body(self) -> ComposeResult:
        """What it is about, what came out, how far it has come."""
        yield Static(id="about")
        yield from self.compose_result()
        yield Static(id="progress")

    def heading(self) -> Text:
        """The rail."""
        return rail_heading(self.draft.name, "strategy", self.draft.settled, self.workbench.utf8)

    def on_mount(self) -> None:
        """Says what it will do."""
        super().on_mount()
        self.show_about(self.about())

    def on_unmount(self) -> None:
        """Ends the worker, whose answer nobody would see."""
        super().on_unmount()
        self.action_stop()

    def show_about(self, words: str) -> None:
        """The words on top."""
        self.query_one("#about", Static).update(Text(words))

    def _say(self, words: str) -> None:
        self.query_one("#progress", Static).update(Text(safe_text(words)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers what can be done now."""
        offered = {
            "begin": not self.at_work,
            "count": not self.at_work,
            "stop": self.at_work,
            "use": bool(self.chosen()),
        }
        return offered.get(action, True)

    def action_count(self) -> None:
        """Asks how many."""

        def answered(typed: str | None) -> None:
            if typed is None:
                return
            try:
                self.count = self.BOUNDS.read(typed.strip())
            except UserError as error:
                self.notify(safe_text(error.message, 200), severity="error")
                return
            self.show_about(self.about())

        bounds = self.BOUNDS
        question = f"How many {self.COUNTED}, from {bounds.fewest:,} to {bounds.most:,}?"
        self.app.push_screen(Ask(question, str(self.count)), answered)

    def action_use(self) -> None:
        """Takes over what was chosen, and goes back to the options."""
        if settings := self.chosen():
            self.action_back()
            self._use(settings)

    def action_stop(self) -> None:
        """Ends the worker; what came so far stays."""
        self._stop.ask()

    def action_begin(self) -> None:
        """Has a worker do it."""
        self.at_work, self._stop = True, Stop()
        self.refresh_bindings()
        self.show_about(self.about())
        self._say("Starting a worker.")
        asked = {"spec": spec_tree(self.spec), self.COUNTED: self.count, **self.request()}
        self._perform(asked)

    @work(thread=True, exclusive=True, group="tune", exit_on_error=False)
    def _perform(self, request: dict[str, Any]) -> None:
        stop, workspace = self._stop, self.workbench.workspace

        def on_event(event: Event) -> None:
            if event["event"] == "progress":
                told = self.Told(str(event["phase"]), int(event["done"]), int(event["total"]))
                self.post_message(told)
            else:
                self.post_message(self.Came(event))

        try:
            look_before_training(self.spec)
            result = jobs.run_in_scratch(workspace, self.JOB, request, on_event, stop.started)
        except (UserError, OSError) as error:
            self.post_message(self.Ended(None, "" if stop.asked else str(error)))
        else:
            self.post_message(self.Ended(result))

    @on(Told)
    def _told(self, event: Told) -> None:
        if self.at_work:
            self._say(event.words)

    @on(Came)
    def _came(self, message: Came) -> None:
        if message.event["event"] == "notice":
            self.notify(safe_text(message.event.get("message", ""), 300))
        else:
            self.came(message.event)
            self.refresh_bindings()

    @on(Ended)
    def _ended(self, event: Ended) -> None:
        self.at_work = False
        self._say("Stopped." if self._stop.asked else "")
        if event.problem:
            tell_problem(self, event.problem)
        self.ended(event.result or {})
        self.refresh_bindings()
