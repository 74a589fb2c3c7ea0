"""`workbench train --resume-on-start`: one line for every start of a job that comes and goes."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import click

from workbench.cli.follow import watch
from workbench.cli.options import Given
from workbench.cli.show import say
from workbench.cli.start_run import data_stem, launch_run
from workbench.errors import UserError
from workbench.experiment.toml import flat, read_spec, spec_tree
from workbench.machine.preflight import look_before_resume
from workbench.machine.quiet_clock import QuietClock
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.host import this_host
from workbench.runs.launch import POLL_SECONDS, launch, request_stop
from workbench.runs.lock import RunLocked, is_locked
from workbench.runs.state import summarise
from workbench.text import safe_text

EXIT_TERMINATED = 143  # as shells count SIGTERM
LAST_WORDS_SECONDS = 60.0  # patience with a worker that has told its end and is still there


class StopOnTerm:
    """From now on SIGTERM asks the worker to save a checkpoint and end.

    Attributes:
        asked: True once the signal came.
    """

    def __init__(self) -> None:
        self.asked = False
        self._folder: RunFolder | None = None
        signal.signal(signal.SIGTERM, self._on_signal)

    def worker_of(self, folder: RunFolder) -> None:
        """Names the run, once there is a worker to ask."""
        self._folder = folder
        if self.asked:
            self._ask()

    def _on_signal(self, number: int, frame: object) -> None:
        self.asked = True
        self._ask()

    def _ask(self) -> None:
        with suppress(OSError):  # the run has other worries then, and tells them itself
            if self._folder:
                request_stop(self._folder)


def go_on_or_begin(
    workspace: Workspace,
    given: Given,
    name: str,
    as_json: bool,
    queue: bool,
    environment: dict[str, str],
) -> None:
    """Begins the run, goes on with it, or joins its worker; then watches it to its end.

    A run that is finished is left alone. One that was at work on another machine is gone on with:
    whoever schedules jobs does not start one twice.

    Raises:
        UserError: the run cannot be begun, or failed.
        Exit: with 143, where SIGTERM stopped it.
    """
    term = StopOnTerm()
    folder = _find(workspace, name)
    if folder is None:
        folder = _begin(workspace, given, name, queue, environment)
    elif _gone_on_with(workspace, folder, given, queue, environment) == "finished":
        return
    term.worker_of(folder)
    kind = ""
    try:
        kind = watch(workspace, folder, as_json)
    except UserError as error:
        # A worker that was cut off while it was to stop goes on at the next start all the same.
        if not term.asked or summarise(folder).state.word != "interrupted":
            raise
        say(error.message, err=True)
    finally:
        if kind != "detached":
            _wait_until_gone(folder)
    if term.asked and summarise(folder).state.word != "finished":
        click.get_current_context().exit(EXIT_TERMINATED)


def _find(workspace: Workspace, name: str) -> RunFolder | None:
    return next((run for run in list_runs(workspace) if run.name == name), None)


def _begin(
    workspace: Workspace, given: Given, name: str, queue: bool, environment: dict[str, str]
) -> RunFolder:
    spec = given.spec(workspace)
    with suppress(OSError):
        (workspace.runs / name).rmdir()  # left empty by a start that was cut off
    try:
        folder = launch_run(workspace, spec, data_stem(workspace, spec), queue, environment)
    except UserError:
        other = _find(workspace, name)
        if other is None:
            raise
        # Another start was quicker: it has made the folder, and may not have its worker yet.
        _gone_on_with(workspace, other, given, queue, environment)
        return other
    say(f"run    {folder.name} begins", err=True)
    return folder


def _gone_on_with(
    workspace: Workspace, folder: RunFolder, given: Given, queue: bool, environment: dict[str, str]
) -> str:
    """Sees to it that the run has a worker; returns how the run stood before."""
    _wait_for_last_words(folder)
    state = summarise(folder).state
    if state.word == "finished":
        say(f"{folder.name} is finished; there is nothing left to do.", err=True)
        return state.word
    _note_differences(workspace, folder, given)
    if state.resumable or state.elsewhere:
        look_before_resume(read_spec(folder.spec_path))
        state = summarise(folder).state  # another start may have been quicker than all that
    if not (state.resumable or state.elsewhere):
        say(f"run    {folder.name} is at work: {state.word}", err=True)
        return state.word
    try:
        launch(folder, resume=True, queue=queue, environment=environment)
    except RunLocked:
        say(f"run    {folder.name} is at work: another start was quicker", err=True)
        return state.word
    was = f"was {state.told}" if state.elsewhere else f"was {state.word}: {state.told}"
    say(f"run    {folder.name} goes on; it {was}", err=True)
    return state.word


def _wait_for_last_words(folder: RunFolder) -> None:
    """A worker that has told its end is there for a moment more."""
    clock = QuietClock()
    while is_locked(folder.lock_path) and clock.read() < LAST_WORDS_SECONDS:
        if summarise(folder).state.word not in ("stopped", "failed"):
            return
        time.sleep(0.1)


def _wait_until_gone(folder: RunFolder) -> None:
    """Waits for what the worker does after its last word, such as the command of --on-finish.

    A scheduler takes the end of this process for that of the job, and ends what is left of it.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        worker = json.loads(folder.worker_path.read_text(encoding="utf-8"))
        if any(worker[key] != value for key, value in this_host().items()):
            return
        command = Path("/proc", str(int(worker["pid"])), "cmdline")
        while os.fsencode(folder.path.absolute()) in command.read_bytes():  # no other's number
            time.sleep(POLL_SECONDS)


def _note_differences(workspace: Workspace, folder: RunFolder, given: Given) -> None:
    """Says where the experiment that was given is another than the run's own, which counts."""
    own = read_spec(folder.spec_path)
    try:
        other = given.spec(workspace)
    except UserError as error:
        say(f"note   what was given is passed over: {error.message}", err=True)
        return
    before, after = flat(spec_tree(own)), flat(spec_tree(other))
    keys = [k for k in dict.fromkeys((*before, *after)) if before.get(k) != after.get(k)]
    if keys:
        names = safe_text(", ".join(keys), 400)
        say(f"note   {folder.name} keeps its own spec; given was another {names}", err=True)
