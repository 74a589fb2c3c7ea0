"""Work that a person waits for: short jobs of a worker, trial training, the machine check."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import spec_tree
from workbench.machine import check as machine_check
from workbench.machine.check import MachineReport
from workbench.machine.preflight import check_before_training
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.job import JobEvent as JobEvent
from workbench.runs.job import run_job as run_job
from workbench.text import safe_text


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
                raise UserError(tr("Stopped."))
            progress(phase, done, total)

        return report


def run_trial_job(
    workspace: Workspace,
    job: str,
    spec: ExperimentSpec,
    request: dict[str, Any],
    on_event: Callable[[JobEvent], None],
    handle: JobHandle | None = None,
) -> dict[str, Any]:
    """Let a worker train on a spec without making a run; return its result.

    The `request` has the job's parameters beside the spec; the `handle` cancels the job. The files
    that the worker writes are removed.

    Raises:
        UserError: the spec cannot be trained here, or the worker failed.
    """
    check_before_training(spec)
    on_start = (handle or JobHandle()).attach
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        shared = {"workspace": str(workspace.root), "scratch": scratch, "spec": spec_tree(spec)}
        return run_job(job, {**shared, **request}, on_event, on_start=on_start)


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


@dataclass(frozen=True)
class CheckState:
    """The state of the machine check.

    Attributes:
        report: the last one, None before the first.
        when: unix seconds of the report.
        error: why the last check failed, "" if it did not.
        phase: the current question, "" if no check is running.
        step, steps: its progress.
    """

    report: MachineReport | None = None
    when: float = 0.0
    error: str = ""
    phase: str = ""
    step: int = 0
    steps: int = 0

    @property
    def busy(self) -> bool:
        """True while a check is running."""
        return bool(self.phase)


class MachineCheck:
    """The machine check of one app, in a thread. It outlives the screens that poll it."""

    def __init__(self) -> None:
        self.state = CheckState()

    def start(self, workspace: Workspace, measure: bool) -> None:
        """Start a check, unless one is running.

        In a daemon thread: a probe that hangs takes up to its limit, and quitting the app must
        not wait for it.
        """
        if self.state.busy:
            return
        self.state = replace(self.state, error="", phase="ask the machine", step=0, steps=0)
        threading.Thread(target=self._run, args=(workspace, measure), daemon=True).start()

    def _run(self, workspace: Workspace, measure: bool) -> None:
        try:
            report = machine_check.check(workspace, measure=measure, progress=self._progress)
        except Exception as error:  # any kind: it is shown, and the app continues
            message = safe_text(f"{type(error).__name__}: {error}", 400)
            self.state = replace(self.state, error=message, phase="")
        else:
            self.state = CheckState(report, time.time())

    def _progress(self, phase: str, done: int, total: int) -> None:
        self.state = replace(self.state, phase=phase, step=min(done + 1, total), steps=total)
