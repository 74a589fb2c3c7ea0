"""`workbench train --resume-on-start`: one command for every start of a scheduled job."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import click

from workbench.cli.follow import launch_run, watch
from workbench.cli.group import note_running
from workbench.cli.options import ExperimentOptions
from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.experiment.toml import flat, read_spec, spec_tree
from workbench.machine.preflight import check_before_resume
from workbench.machine.probe import LoadAdjustedClock
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.launch import POLL_SECONDS, launch, request_stop
from workbench.runs.lock import RunLocked, is_locked, this_host
from workbench.runs.slurm import EXIT_TERMINATED, this_job
from workbench.runs.slurm_starts import check_progress
from workbench.runs.summary import summarize
from workbench.text import safe_text
from workbench.words import shown

EXIT_STOPPED = 130  # of a job whose run was stopped on request: neither finished nor to be requeued
SPEC_SECONDS = 5.0  # for another start to write the spec into the folder that it made
EXIT_SECONDS = 60.0  # for a worker to exit after its last event


class StopOnTerm:
    """Lets SIGTERM ask the worker to save a checkpoint and end.

    Attributes:
        received: True once the signal came.
    """

    def __init__(self) -> None:
        self.received = False
        self._folder: RunFolder | None = None
        signal.signal(signal.SIGTERM, self._on_signal)

    def set_run(self, folder: RunFolder) -> None:
        """Set the run, once it has a worker."""
        self._folder = folder
        if self.received:
            self._request_stop()

    def _on_signal(self, number: int, frame: object) -> None:
        self.received = True
        self._request_stop()

    def _request_stop(self) -> None:
        with suppress(OSError):  # the run itself reports a full disk
            if self._folder:
                request_stop(self._folder)


def start_or_resume(
    workspace: Workspace,
    given: ExperimentOptions,
    name: str,
    as_json: bool,
    queue: bool,
    environment: dict[str, str],
    notify: str | None = None,
) -> None:
    """Start the run, resume it, or attach to its worker; then watch it to its end.

    A finished run is not changed. One that last ran on another machine is resumed: a scheduler
    does not start a job twice.

    Raises:
        UserError: the run cannot be started, failed, or makes no progress in start after start.
        Exit: with 143, if SIGTERM stopped it; in a job of SLURM with 130, if it was stopped on
            request, since 0 says that the run is finished.
    """
    term, job = StopOnTerm(), this_job()
    folder = _find(workspace, name)
    if folder is not None and job:
        check_progress(folder, job, starts=True)
    if folder is None:
        folder = _start(workspace, given, name, queue, environment)
    elif _resume(workspace, folder, given, queue, environment) == "finished":
        return
    term.set_run(folder)
    kind = ""
    try:
        kind = watch(workspace, folder, as_json, notify=notify)
    except UserError as error:
        # A worker that was killed while it was stopping is resumed at the next start as well.
        if not term.received or summarize(folder).state.phase != "interrupted":
            raise
        echo(error.message, err=True)
    finally:
        if kind != "detached":
            _wait_for_exit(folder)
    phase = summarize(folder).state.phase
    if (term.received or job) and phase != "finished":
        terminated = term.received and phase != "pruned"  # which is its end
        if terminated and job:
            check_progress(folder, job)
        click.get_current_context().exit(EXIT_TERMINATED if terminated else EXIT_STOPPED)


def _find(workspace: Workspace, name: str) -> RunFolder | None:
    return next((run for run in list_runs(workspace) if run.name == name), None)


def _wait_for_spec(workspace: Workspace, name: str) -> RunFolder | None:
    """Return the run that another start is making: its folder is there a moment before its spec."""
    clock = LoadAdjustedClock()
    while (found := _find(workspace, name)) is None and (workspace.runs / name).is_dir():
        if clock.read() > SPEC_SECONDS:  # that start was killed
            return None
        time.sleep(POLL_SECONDS)
    return found


def _start(
    workspace: Workspace,
    given: ExperimentOptions,
    name: str,
    queue: bool,
    environment: dict[str, str],
) -> RunFolder:
    spec = given.spec(workspace)
    with suppress(OSError):
        (workspace.runs / name).rmdir()  # left empty by a start that was killed
    try:
        folder = launch_run(workspace, spec, queue=queue, environment=environment)
    except UserError:
        other = _wait_for_spec(workspace, name)
        if other is None:
            raise
        # Another start was faster: it has made the folder, and may not have its worker yet.
        _resume(workspace, other, given, queue, environment)
        return other
    echo(tr("run    {folder} started", folder=folder.name), err=True)
    return folder


def _resume(
    workspace: Workspace,
    folder: RunFolder,
    given: ExperimentOptions,
    queue: bool,
    environment: dict[str, str],
) -> str:
    """Ensure that the run has a worker; return the state of the run before."""
    _wait_for_ending_worker(folder)
    state = summarize(folder).state
    if state.phase == "finished":
        echo(
            tr("{folder_name} is finished; there is nothing to do.", folder_name=folder.name),
            err=True,
        )
        return state.phase
    _note_differences(workspace, folder, given)
    if state.resumable or state.other_host:
        check_before_resume(read_spec(folder.spec_path))
        state = summarize(folder).state  # another start may have been faster
    if not (state.resumable or state.other_host):
        echo(
            tr("run    {folder} is running: {phase}", folder=folder.name, phase=shown(state.phase)),
            err=True,
        )
        return state.phase
    begun = folder.events_path.exists()  # else only its folder was made, by `train --slurm`
    try:
        launch(folder, resume=begun, queue=queue, environment=environment)
    except RunLocked:
        echo(
            tr(
                "run    {folder_name} is running: another start was faster", folder_name=folder.name
            ),
            err=True,
        )
        return state.phase
    note_running(workspace, folder)
    if not begun:
        echo(tr("run    {folder} started", folder=folder.name), err=True)
        return state.phase
    was = (
        tr("was {description}", description=state.description)
        if state.other_host
        else tr(
            "was {phase}: {description}", phase=shown(state.phase), description=state.description
        )
    )
    echo(tr("run    {folder} resumed; it {was}", folder=folder.name, was=was), err=True)
    return state.phase


def _wait_for_ending_worker(folder: RunFolder) -> None:
    """Wait for a worker that has written its last event and has not exited yet."""
    clock = LoadAdjustedClock()
    while is_locked(folder.lock_path) and clock.read() < EXIT_SECONDS:
        if summarize(folder).state.phase not in ("stopped", "pruned", "failed"):
            return
        time.sleep(0.1)


def _wait_for_exit(folder: RunFolder) -> None:
    """Wait for what the worker does after its last event, such as the command of --on-finish.

    At the end of this process a scheduler kills the rest of the job.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        worker = json.loads(folder.worker_path.read_text(encoding="utf-8"))
        if any(worker[key] != value for key, value in this_host().items()):
            return
        command = Path("/proc", str(int(worker["pid"])), "cmdline")
        while os.fsencode(folder.path.absolute()) in command.read_bytes():  # the pid is not reused
            time.sleep(POLL_SECONDS)


def _note_differences(workspace: Workspace, folder: RunFolder, given: ExperimentOptions) -> None:
    """Print which given keys differ from the run's own spec, which is used."""
    if given.file is None and given.preset is None:  # as job.sh has it
        return
    own = read_spec(folder.spec_path)
    try:
        other = given.spec(workspace)
    except UserError as error:
        echo(
            tr(
                "note   the given experiment is ignored: {error_message}",
                error_message=error.message,
            ),
            err=True,
        )
        return
    before, after = flat(spec_tree(own)), flat(spec_tree(other))
    keys = [k for k in dict.fromkeys((*before, *after)) if before.get(k) != after.get(k)]
    if keys:
        names = safe_text(", ".join(keys), 400)
        echo(
            tr(
                "note   {folder_name} keeps its own spec; ignored: {names}",
                folder_name=folder.name,
                names=names,
            ),
            err=True,
        )
