"""Trying settings before training: what the learning-rate test and the search share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from workbench.app.draft import Draft
from workbench.app.jobs import JobHandle
from workbench.errors import UserError
from workbench.experiment.estimate import reading_seconds
from workbench.experiment.facts import DataFacts
from workbench.experiment.int_range import IntRange
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import spec_tree
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.machine.preflight import check_before_training
from workbench.render.strategy import UNKNOWN_TIME
from workbench.runs import jobs
from workbench.runs.jobs import JobEvent
from workbench.text import format_seconds, safe_text
from workbench.ui.base import WorkbenchScreen
from workbench.ui.dialogs import Prompt, show_error
from workbench.ui.guide import rail_heading

ApplySettings = Callable[[dict[str, Any]], None]


class TrialScreen(WorkbenchScreen):
    """Describe a job and its cost, run it in a worker, and apply the chosen result.

    The worker ends with the screen.

    Args:
        draft: with images and their facts; it is not changed here.
        benchmark: of this machine; None if it was not measured.
        apply: stores settings, by their keys.

    Raises:
        UserError: the draft does not allow it.

    Attributes:
        JOB: name of the worker's job.
        BOUNDS: of the count that can be changed.
        COUNTED: what is counted, as in the worker's request.
        running: whether the worker is running.
    """

    AUTO_FOCUS = ""  # enter starts the job; a focused table would take the key
    JOB: ClassVar[str]
    BOUNDS: ClassVar[IntRange]
    COUNTED: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", "Start", id="trial.start"),
        Binding("enter", "use", "Use", id="trial.use"),
        Binding("r", "restart", "Again", id="trial.restart"),
        Binding("x", "stop", "Stop", id="trial.stop"),
    ]

    @dataclass
    class Progress(Message):
        """Progress of the worker."""

        phase: str
        done: int
        total: int

        def can_replace(self, message: Message) -> bool:
            """Keep only the newest."""
            return isinstance(message, TrialScreen.Progress)

    @dataclass
    class Received(Message):
        """Another event of the worker."""

        event: JobEvent

    @dataclass
    class Ended(Message):
        """The worker's result, or the problem: "" if it was stopped."""

        result: dict[str, Any] | None
        problem: str = ""

    def __init__(
        self, draft: Draft, benchmark: BenchmarkResult | None, apply: ApplySettings
    ) -> None:
        super().__init__()
        self.draft = draft
        self.spec = draft.spec()
        self.check(self.spec)
        self.benchmark = benchmark
        self.count = self.BOUNDS.default
        self.running = False
        self._apply = apply
        self._stop = JobHandle()

    # What each kind implements

    @staticmethod
    def check(spec: ExperimentSpec) -> None:
        """Check whether a spec allows it.

        Raises:
            UserError: it does not.
        """

    def describe(self, facts: DataFacts) -> str:
        """Return what the job does and costs."""
        raise NotImplementedError

    def request(self) -> dict[str, Any]:
        """Return what the worker's request has beside the spec and the count."""
        raise NotImplementedError

    def chosen(self) -> dict[str, Any]:
        """Return the settings to apply, {} if there are none."""
        raise NotImplementedError

    def has_result(self) -> bool:
        """Return whether there is a result, also one without settings to apply."""
        raise NotImplementedError

    def clear_result(self) -> None:
        """Drop the result of the job before."""
        raise NotImplementedError

    def receive_event(self, event: JobEvent) -> None:
        """Process an event."""

    def show_result(self, result: dict[str, Any]) -> None:
        """Show the result; {} if there is none."""

    def compose_result(self) -> ComposeResult:
        """Yield the widgets of the result."""
        raise NotImplementedError

    # The screen

    def compose_body(self) -> ComposeResult:
        """Yield description, result and progress."""
        yield Static(id="about")
        yield from self.compose_result()
        yield Static(id="progress")

    def heading(self) -> Text:
        """Return the rail of steps."""
        return rail_heading(self.draft.name, "strategy", self.draft.completed, self.workbench.utf8)

    def on_mount(self) -> None:
        """Show what the job does."""
        super().on_mount()
        self._show_description()

    def on_unmount(self) -> None:
        """Stop the worker."""
        super().on_unmount()
        self.action_stop()

    def _show_description(self) -> None:
        facts = self.draft.facts
        self.show_about(self.describe(facts) if facts else "")

    def show_about(self, text: str) -> None:
        """Show the text at the top."""
        self.query_one("#about", Static).update(Text(text))

    def _show_progress(self, text: str) -> None:
        self.query_one("#progress", Static).update(Text(safe_text(text)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done now."""
        offered = {
            "start": not self.running and not self.has_result(),
            "restart": not self.running and self.has_result(),
            "count": not self.running,
            "stop": self.running,
            "use": bool(self.chosen()),
        }
        return offered.get(action, True)

    def action_count(self) -> None:
        """Ask for the count."""

        def answered(typed: str | None) -> None:
            if typed is None:
                return
            try:
                self.count = self.BOUNDS.read(typed.strip())
            except UserError as error:
                self.notify(safe_text(error.message, 200), severity="error")
                return
            self._show_description()

        bounds = self.BOUNDS
        question = f"How many {self.COUNTED}, from {bounds.min:,} to {bounds.max:,}?"
        self.app.push_screen(Prompt(question, str(self.count)), answered)

    def action_use(self) -> None:
        """Apply what was chosen, and return to the options."""
        if settings := self.chosen():
            self.action_back()
            self._apply(settings)

    def action_stop(self) -> None:
        """Stop the worker; its results so far stay."""
        self._stop.cancel()

    def action_restart(self) -> None:
        """Run the job again."""
        self.action_start()

    def action_start(self) -> None:
        """Run the job."""
        self.clear_result()
        self.running, self._stop = True, JobHandle()
        self.refresh_bindings()
        self._show_description()
        self._show_progress("Starting a worker.")
        self._run({"spec": spec_tree(self.spec), self.COUNTED: self.count, **self.request()})

    @work(thread=True, exclusive=True, group="trial", exit_on_error=False)
    def _run(self, request: dict[str, Any]) -> None:
        stop, workspace = self._stop, self.workbench.workspace

        def on_event(event: JobEvent) -> None:
            if event["event"] == "progress":
                counts = int(event["done"]), int(event["total"])
                self.post_message(self.Progress(str(event["phase"]), *counts))
            else:
                self.post_message(self.Received(event))

        try:
            check_before_training(self.spec)
            result = jobs.run_in_scratch(workspace, self.JOB, request, on_event, stop.attach)
        except (UserError, OSError) as error:
            self.post_message(self.Ended(None, "" if stop.cancelled else str(error)))
        else:
            self.post_message(self.Ended(result))

    @on(Progress)
    def _progressed(self, event: Progress) -> None:
        if self.running:
            counted = f" {event.done:,} of {event.total:,}" if event.total else ""
            self._show_progress(f"{event.phase}{counted}")

    @on(Received)
    def _received(self, message: Received) -> None:
        if message.event["event"] == "notice":
            self.notify(safe_text(message.event.get("message", ""), 300))
        else:
            self.receive_event(message.event)
            self.refresh_bindings()

    @on(Ended)
    def _ended(self, event: Ended) -> None:
        self.running = False
        self._show_progress("Stopped." if self._stop.cancelled else "")
        if event.problem:
            show_error(self, event.problem)
        self.show_result(event.result or {})
        self.refresh_bindings()


def format_time(seconds: float | None, facts: DataFacts, benchmark: BenchmarkResult | None) -> str:
    """Return an upper bound of the time, with the reading of images that are not packed yet.

    Args:
        seconds: of the computation; None if unknown.
        facts: of the images.
        benchmark: of this machine; None if it was not measured.
    """
    if seconds is None or benchmark is None:
        return UNKNOWN_TIME
    if benchmark.images_per_second:
        seconds += reading_seconds(facts, benchmark.images_per_second)
    device = "the CPU" if benchmark.kind == "cpu" else safe_text(benchmark.device, 24)
    return f"at most about {format_seconds(seconds)} on {device}, plus the start of Keras"
