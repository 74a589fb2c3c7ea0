"""Jobs of a worker that a person waits for: progress, cancelling, and trial training."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import spec_tree
from workbench.machine.preflight import check_before_training
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs import jobs
from workbench.runs.jobs import JobEvent


class JobHandle:
    """Cancels a job from another thread: its worker, or the downloads and reading before it.

    Attributes:
        cancelled: True once `cancel` was called.
    """

    def __init__(self) -> None:
        self.cancelled = False
        self._process: subprocess.Popen[bytes] | None = None

    def cancel(self) -> None:
        """Cancel the job."""
        self.cancelled = True
        if self._process is not None:
            with suppress(OSError):
                self._process.terminate()

    def attach(self, process: "subprocess.Popen[bytes]") -> None:
        """Attach the worker's process; end it if the job was cancelled while it started."""
        self._process = process
        if self.cancelled:
            process.terminate()

    def interruptible(self, progress: Progress) -> Progress:
        """Return a Progress that raises UserError once the job is cancelled."""

        def report(phase: str, done: int, total: int) -> None:
            if self.cancelled:
                raise UserError("Stopped.")
            progress(phase, done, total)

        return report


def report_progress(
    progress: Progress, on_event: Callable[[JobEvent], None] = lambda event: None
) -> Callable[[JobEvent], None]:
    """Return an event handler that passes progress events to `progress`, others to `on_event`."""

    def handle(event: JobEvent) -> None:
        if event.get("event") == "progress":
            progress(str(event["phase"]), int(event["done"]), int(event["total"]))
        else:
            on_event(event)

    return handle


def run_trial_job(
    workspace: Workspace,
    job: str,
    spec: ExperimentSpec,
    request: dict[str, Any],
    on_event: Callable[[JobEvent], None],
    handle: JobHandle | None = None,
) -> dict[str, Any]:
    """Let a worker train on a spec without making a run; return its result.

    The `request` has the job's parameters beside the spec; the `handle` cancels the job.

    Raises:
        UserError: the spec cannot be trained here, or the worker failed.
    """
    check_before_training(spec)
    request = {"spec": spec_tree(spec), **request}
    on_start = (handle or JobHandle()).attach
    return jobs.run_in_scratch(workspace, job, request, on_event, on_start)
