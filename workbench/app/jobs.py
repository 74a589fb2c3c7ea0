"""Work that a person waits for: short jobs of a worker, trial training, the machine check."""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import spec_tree
from workbench.machine import check as machine_check
from workbench.machine.check import MachineReport
from workbench.machine.preflight import check_before_training
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.process import (
    WORKER_MODULE,
    describe_exit,
    end_worker,
    last_lines,
    start_worker,
    worker_command,
)
from workbench.text import safe_text

JobEvent = dict[str, Any]  # "event" is its kind: progress, notice, or one of the job's own
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)  # NaN: a number that is unknown
_HINTS = {
    -signal.SIGKILL: tr("Memory may have run out: close other programs."),
    -signal.SIGSEGV: tr("A file it read may be damaged or forged: try another."),
}


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


def run_job(
    job: str,
    request: dict[str, Any],
    on_event: Callable[[JobEvent], None],
    module: str = WORKER_MODULE,
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
) -> dict[str, Any]:
    """Run a job in a worker process and return its result.

    The worker reads the request as JSON from stdin. Its events come over a pipe of their own, so
    that nothing a library prints can mix in; the printed output is kept in case of a crash.

    Args:
        job: name of the job.
        request: arguments of the job; paths are absolute.
        on_event: called for every event but the last.
        module: Python module to run; tests have workers of their own.
        on_start: receives the process, for callers that may end it from another thread.

    Raises:
        UserError: The job failed, with the worker's reason; or the worker crashed.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        log = Path(scratch, "worker.log")
        request_path = Path(scratch, "request.json")
        request_path.write_text(json.dumps(request), encoding="ascii")
        process, lines = _start(worker_command(module, job), request_path, log)
        try:
            on_start(process)
            for line in lines:
                event = _parse(line)
                if event is None:
                    continue
                if event["event"] == "result":
                    return {key: value for key, value in event.items() if key != "event"}
                if event["event"] == "failed":
                    message = event.get("message") or "The worker gave no reason."
                    raise UserError(str(message), str(event.get("hint") or ""))
                on_event(event)
            raise _crash_error(job, process.wait(), last_lines(log))
        finally:
            lines.close()
            end_worker(process)


def run_in_scratch(
    workspace: Workspace,
    job: str,
    request: dict[str, Any],
    on_event: Callable[[JobEvent], None],
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
) -> dict[str, Any]:
    """Run a job that trains but keeps no run; the files it writes are removed.

    The request needs neither workspace nor scratch folder (see `worker.training_setup`). Otherwise
    as `run_job`.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        shared = {"workspace": str(workspace.root), "scratch": scratch}
        return run_job(job, {**shared, **request}, on_event, on_start=on_start)


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
    return run_in_scratch(workspace, job, request, on_event, on_start)


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


def _start(
    command: list[str], request: Path, log: Path
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start the worker; return it and the lines of its events."""
    read_end, write_end = os.pipe()
    try:
        with request.open("rb") as stdin, log.open("wb") as output:
            command = [*command, "--events-fd", str(write_end)]
            process = start_worker(command, output, stdin=stdin, descriptors=(write_end,))
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)  # leaves the worker's copy, whose end ends the lines
    return process, os.fdopen(read_end, "rb")


def _parse(line: bytes) -> JobEvent | None:
    """Return the event in a line; None for another line."""
    try:
        event = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _crash_error(job: str, code: int, lines: list[str]) -> UserError:
    printed = "".join(f"\n  {safe_text(line)}" for line in lines)
    output = f"The last it printed:{printed}" if printed else "It printed nothing."
    return UserError(
        tr(
            "The worker for {job} ended {exit}. {output}",
            job=job,
            exit=describe_exit(code),
            output=output,
        ),
        _HINTS.get(code, ""),
    )


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
