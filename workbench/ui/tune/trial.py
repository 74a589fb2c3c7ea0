"""Trying settings before training: what the learning-rate test and the search share."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from workbench.app.draft import Draft
from workbench.app.jobs import JobEvent, report_progress, run_trial_job
from workbench.experiment.estimate import reading_seconds
from workbench.experiment.facts import DataFacts
from workbench.experiment.int_range import IntRange
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.messages import tr
from workbench.render.strategy import UNKNOWN_TIME
from workbench.text import format_seconds, safe_text
from workbench.ui.base import WorkbenchScreen
from workbench.ui.dialogs import Prompt, show_error
from workbench.ui.guide import rail_heading
from workbench.ui.widgets.concept_notes import ConceptNotes
from workbench.ui.widgets.job_part import Job, JobPart, format_progress

ApplySettings = Callable[[dict[str, Any]], None]


class TrialScreen(WorkbenchScreen, JobPart):
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
    """

    AUTO_FOCUS = ""  # enter starts the job; a focused table would take the key
    JOB: ClassVar[str]
    BOUNDS: ClassVar[IntRange]
    COUNTED: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "start", tr("Start"), id="trial.start"),
        Binding("enter", "use", tr("Use"), id="trial.use"),
        Binding("r", "restart", tr("Again"), id="trial.restart"),
        Binding("x", "stop", tr("Stop"), id="trial.stop"),
    ]

    def __init__(
        self, draft: Draft, benchmark: BenchmarkResult | None, apply: ApplySettings
    ) -> None:
        super().__init__()
        self.draft = draft
        self.spec = draft.spec()
        self.check(self.spec)
        self.benchmark = benchmark
        self.count = self.BOUNDS.default
        self._apply = apply

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

    @property
    def running(self) -> bool:
        """Whether the worker is running."""
        return self.job is not None

    def compose_body(self) -> ComposeResult:
        """Yield description and result, on a wide terminal what they rest on, and progress."""
        yield Static(id="about")
        yield from self.compose_result()
        yield ConceptNotes(self.CONCEPTS, id="notes")
        yield Static(id="progress")

    def heading(self) -> Text:
        """Return the rail of steps."""
        return rail_heading(self.draft, "strategy", self.workbench.utf8)

    def on_mount(self) -> None:
        """Show what the job does."""
        self._show_description()

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
        bounds = self.BOUNDS

        def answered(typed: str | None) -> None:
            if typed is not None:
                self.count = bounds.read(typed)
                self._show_description()

        def check(typed: str) -> str:
            return str(bounds.read(typed.strip()))

        question = tr(
            "How many {counted}, from {min:,} to {max:,}?",
            counted=self.COUNTED,
            min=bounds.min,
            max=bounds.max,
        )
        self.app.push_screen(Prompt(question, str(self.count), check), answered)

    def action_use(self) -> None:
        """Apply what was chosen, and return to the options."""
        if settings := self.chosen():
            self.action_back()
            self._apply(settings)

    def action_stop(self) -> None:
        """Stop the worker; its results so far stay."""
        self.cancel_job()

    def action_restart(self) -> None:
        """Run the job again."""
        self.action_start()

    def action_start(self) -> None:
        """Run the job."""
        self.clear_result()
        request = {self.COUNTED: self.count, **self.request()}
        self._show_progress(tr("Starting a worker."))
        self.start_job(partial(self._run, request), self._ended, self._failed)
        self.refresh_bindings()
        self._show_description()

    def _run(self, request: dict[str, Any], job: Job) -> dict[str, Any]:
        on_event = report_progress(job.progress, partial(job.call, self._receive))
        return self.run_job(request, on_event, job)

    def run_job(
        self, request: dict[str, Any], on_event: Callable[[JobEvent], None], job: Job
    ) -> dict[str, Any]:
        """Run the job and return its result; called in a thread."""
        workspace = self.workbench.workspace
        return run_trial_job(workspace, self.JOB, self.spec, request, on_event, job)

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show the progress of the worker."""
        self._show_progress(format_progress(phase, done, total))

    def _receive(self, event: JobEvent) -> None:
        if event["event"] == "notice":
            self.notify(safe_text(event.get("message", ""), 300))
        else:
            self.receive_event(event)
            self.refresh_bindings()

    def _ended(self, result: dict[str, Any]) -> None:
        self._show_progress("")
        self.show_result(result)
        self.refresh_bindings()

    def _failed(self, problem: str) -> None:
        self._show_progress("" if problem else tr("Stopped."))
        if problem:
            show_error(self, problem)
        self.show_result({})  # of the trials before
        self.refresh_bindings()


def format_time(seconds: float | None, facts: DataFacts, benchmark: BenchmarkResult | None) -> str:
    """Return the time of all epochs, with the reading of images that are not packed yet.

    Args:
        seconds: of the computation; None if unknown.
        facts: of the images.
        benchmark: of this machine; None if it was not measured.
    """
    if seconds is None or benchmark is None:
        return UNKNOWN_TIME
    if benchmark.images_per_second:
        seconds += reading_seconds(facts, benchmark.images_per_second)
    device = tr("the CPU") if benchmark.kind == "cpu" else safe_text(benchmark.device, 24)
    return tr(
        "about {seconds} on {device}, plus the start of Keras",
        seconds=format_seconds(seconds),
        device=device,
    )
