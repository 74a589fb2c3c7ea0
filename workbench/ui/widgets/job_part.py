"""Jobs that run while a person waits: progress, the result or the problem, and a way to cancel."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.message import Message
from textual.widget import Widget

from workbench.app.jobs import JobEvent, JobHandle, report_progress, run_job
from workbench.messages import tr
from workbench.runs.work_titles import work_title
from workbench.ui.base import T, notify_error

STARTING = tr("Starting the framework: this takes a few seconds.")


class Job(JobHandle):
    """A job in a thread of its own, which reports to the part of the screen that started it.

    Args:
        part: receives what the job reports, on the event loop, until it is closed.
    """

    def __init__(self, part: "JobPart") -> None:
        super().__init__()
        self._part = part

    def progress(self, phase: str, done: int, total: int) -> None:
        """Report progress."""
        self._part.post_message(JobPart.Progressed(self, phase, done, total))

    def call(self, show: Callable[[T], object], value: T) -> None:
        """Let the part show something."""
        self._part.post_message(JobPart.Reported(self, partial(show, value)))

    def run_worker(
        self,
        name: str,
        request: dict[str, Any],
        on_event: Callable[[JobEvent], None] = lambda event: None,
    ) -> dict[str, Any]:
        """Call `runs.jobs.run_job` with a worker that ends when the job is cancelled.

        Args:
            name: of the worker's job.
            request: arguments of the worker's job.
            on_event: called in the thread for every event but progress.
        """
        return run_job(
            name, request, report_progress(self.progress, on_event), on_start=self.attach
        )


class JobPart(Widget):
    """A screen, or a part of one, that runs jobs, one at a time.

    Attributes:
        CANCELS: whether a job is cancelled when the part is closed.
        job: the running job.
    """

    CANCELS: ClassVar[bool] = True
    job: Job | None = None

    @dataclass
    class Progressed(Message, bubble=False):
        """Progress of a job."""

        job: Job
        phase: str
        done: int
        total: int

        def can_replace(self, message: Message) -> bool:
            """Keep only the newest."""
            return isinstance(message, JobPart.Progressed)

    @dataclass
    class Reported(Message, bubble=False):
        """Anything else that a job reports: what shows it, and the problem that ended the job."""

        job: Job
        show: Callable[[], object]
        problem: str = ""

    def start_job(
        self, work: Callable[[Job], T], then: Callable[[T], object], failed: Callable[[str], object]
    ) -> None:
        """Start a job instead of the running one.

        Args:
            work: the function, called in a thread.
            then: called with its result.
            failed: called with the problem, "" if the job was cancelled.
        """
        self.drop_job()
        job = self.job = Job(self)

        def end(show: Callable[[T], object] | Callable[[str], object], value: Any) -> None:
            self.job = None
            show(value)

        def run() -> None:
            try:
                result = work(job)
            except Exception as error:  # of any kind: nobody else would show it
                problem = "" if job.cancelled else str(error) or type(error).__name__
                message = self.Reported(job, partial(end, failed, problem), problem)
                if not self.post_message(message) and problem:  # the part is closed
                    app.call_later(notify_error, app, problem)
            else:
                job.call(partial(end, then), result)

        # A worker of the app: a closed part would cancel its own workers, started or not.
        app = self.app
        app.run_worker(run, thread=True, exit_on_error=False)

    def cancel_job(self) -> None:
        """Cancel the running job; what it reports until it ends is still shown."""
        if self.job:
            self.job.cancel()

    def drop_job(self) -> None:
        """Cancel the running job; nothing that it reports is shown any more."""
        self.cancel_job()
        self.job = None

    def on_unmount(self) -> None:
        """Cancel a job that nobody waits for any more."""
        if self.CANCELS:
            self.drop_job()

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show the progress of the running job."""

    @on(Progressed)
    def _progressed(self, message: Progressed) -> None:
        if message.job is self.job and self.is_attached:
            self.show_progress(message.phase, message.done, message.total)

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        if message.job is not self.job:
            return
        if self.is_attached:
            message.show()
        elif message.problem:
            notify_error(self.app, message.problem)


def format_progress(phase: str, done: int, total: int) -> str:
    """Return the phase of a job, with its counts where the total is known."""
    phase = work_title(phase)
    return (
        tr("{phase} {done:,} of {total:,}", phase=phase, done=done, total=total) if total else phase
    )
