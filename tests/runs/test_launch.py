"""Launch, follow, stop and kill workers: real processes, without keras."""

import errno
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter

from workbench.errors import UserError
from workbench.runs import launch as launch_module
from workbench.runs.event_log import StatusWriter, read_events
from workbench.runs.events import Event, Interrupted, StepProgress
from workbench.runs.folder import RunFolder
from workbench.runs.launch import (
    NotWritable,
    clear_requests,
    follow,
    launch,
    request_stop,
    stop_requested,
)
from workbench.runs.lock import RunLocked, is_locked, take_lock, this_host
from workbench.runs.summary import summarize

Start = Callable[..., int]


def kinds(events: list[Event]) -> list[Any]:
    return [event.event for event in events]


def test_follow_ends_with_the_run(run: RunFolder, start: Start) -> None:
    pid = start("finish")
    events = list(follow(run))
    assert kinds(events) == ["launched", "worker_started", "finished"]
    assert [event.n for event in events] == [1, 2, 3]
    assert events[1].pid == pid
    assert (events[0].job, events[0].resume) == ("train", False)
    assert run.log_path.read_text() == "printed in mode finish\n"
    assert kinds(list(follow(run))) == kinds(events)  # and again, afterwards


def test_worker_is_detached(run: RunFolder, start: Start) -> None:
    pid = start("environment")
    notice = next(event for event in follow(run) if event.event == "notice")
    assert json.loads(notice.message) == {"cwd": "/", "session": pid, "stdin": ""}


def test_requested_stop_is_honoured(run: RunFolder, start: Start) -> None:
    start("wait")
    assert is_locked(run.lock_path)  # from the first moment, before the worker has come up
    seen = []
    for event in follow(run, poll=0.01):
        seen.append(event)
        if event.event == "worker_started":
            request_stop(run)
    assert kinds(seen) == ["launched", "worker_started", "stopped"]


def test_second_worker_is_refused(run: RunFolder, start: Start) -> None:
    pid = start("wait")
    with pytest.raises(RunLocked, match=f"birds is already being trained by process {pid} on "):
        start("finish")
    assert "launched" not in kinds(read_events(run.events_path))[1:]
    request_stop(run)
    assert kinds(list(follow(run, poll=0.01)))[-1] == "stopped"


def test_killed_worker_is_interrupted(run: RunFolder, start: Start) -> None:
    start("wait")
    seen = []
    for event in follow(run, poll=0.01):
        seen.append(event)
        if event.event == "worker_started":
            os.kill(event.pid, signal.SIGKILL)
    assert kinds(seen) == ["launched", "worker_started", "interrupted"]
    assert summarize(run).state.phase == "interrupted"
    assert "interrupted" not in kinds(read_events(run.events_path))


def test_interruption_shows_output_of_newest_session(run: RunFolder, start: Start) -> None:
    start("fail")
    assert kinds(list(follow(run)))[-1] == "failed"
    wait_until_free(run)
    start("die")
    events = list(follow(run, poll=0.01))
    # Killed before it could print anything but this line.
    assert events[-1] == Interrupted(log=("printed in mode die",))


def test_earlier_end_does_not_end_a_new_session(run: RunFolder, start: Start) -> None:
    start("fail")
    assert kinds(list(follow(run)))[-1] == "failed"
    wait_until_free(run)
    request_stop(run)  # too late for the first, and not meant for the second
    start("wait", resume=True)
    assert not stop_requested(run)
    seen = []
    for event in follow(run, poll=0.01):
        seen.append(event)
        if event.event == "resumed":
            request_stop(run)
    assert kinds(seen) == [
        "launched",
        "worker_started",
        "failed",
        "launched",
        "worker_started",
        "resumed",
        "stopped",
    ]
    assert [event.n for event in seen] == list(range(1, 8))


def test_run_never_started_is_interrupted(run: RunFolder) -> None:
    assert list(follow(run)) == [Interrupted()]


def test_failed_start_is_logged(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch_module, "train_command", lambda *arguments: ["/no/such/python"])
    with pytest.raises(UserError, match=r"The worker could not be started: .*No such file"):
        launch(run)
    assert not is_locked(run.lock_path)
    assert kinds(list(follow(run))) == ["launched", "failed"]


def test_changed_spec_is_written_under_the_lock(run: RunFolder, fake_path: str) -> None:
    before = run.spec_path.read_text()
    with pytest.raises(RunLocked):
        launch_while_locked(run, "changed = true\n")
    assert run.spec_path.read_text() == before
    options = {"environment": {"FAKE_WORKER": "finish"}, "module": "fake_worker"}
    launch(run, spec="changed = true\n", **options)
    assert run.spec_path.read_text() == "changed = true\n"
    assert kinds(list(follow(run)))[-1] == "finished"


def launch_while_locked(run: RunFolder, spec: str) -> None:
    lock = take_lock(run.lock_path)
    try:
        launch(run, resume=True, spec=spec)
    finally:
        os.close(lock)


@pytest.mark.parametrize("name", ["take_lock", "EventWriter", "write_atomic"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_disk_error_is_reported_and_releases_the_lock(
    run: RunFolder, fail: Callable[..., None], name: str, code: int
) -> None:
    fail(launch_module, name, OSError(code, os.strerror(code)))
    with pytest.raises(NotWritable, match=os.strerror(code)) as error:
        launch(run, resume=True, spec="")
    assert error.value.message.startswith("birds cannot be started, for ")
    assert not is_locked(run.lock_path)
    assert summarize(run).state.resumable


def test_requests_are_cleared(run: RunFolder) -> None:
    clear_requests(run)  # nothing there yet
    assert not stop_requested(run)
    request_stop(run)
    request_stop(run)
    assert stop_requested(run)
    clear_requests(run)
    assert not stop_requested(run)


def test_run_on_another_machine_is_followed(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events are visible here, its lock is not."""
    writer = LogWriter(run.events_path)
    writer.write("worker_started", host="far", boot_id="other")
    monkeypatch.setattr(
        launch_module.time, "sleep", lambda seconds: writer.write("finished", seconds=1)
    )
    assert kinds(list(follow(run))) == ["worker_started", "finished"]


def test_status_is_followed_while_the_worker_lives(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(run.events_path)
    writer.write("worker_started", **this_host())
    status = StatusWriter(run.status_path, writer.events, seconds=0.0)
    lock, steps = take_lock(run.lock_path), []

    def work(seconds: float) -> None:
        steps.append(len(steps) + 1)
        if len(steps) < 3:
            status.update(StepProgress(stage=0, epoch=1, step=len(steps)))
        elif len(steps) == 5:  # in between nothing is new
            writer.write("finished", seconds=1)

    monkeypatch.setattr(launch_module.time, "sleep", work)
    seen = [(event.event, getattr(event, "step", None)) for event in follow(run)]
    os.close(lock)
    assert seen == [
        ("worker_started", None),
        ("progress", 1),
        ("progress", 2),
        ("finished", None),
    ]


LAUNCHER = """
import fcntl, signal, sys, termios
from pathlib import Path
from workbench.runs.folder import RunFolder
from workbench.runs.launch import launch
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # the terminal is this session's own
launch(RunFolder(Path(sys.argv[1])), environment={"FAKE_WORKER": "wait"}, module="fake_worker")
signal.pause()
"""


@pytest.mark.usefixtures("fake_path")
def test_worker_outlives_its_terminal(run: RunFolder) -> None:
    terminal, other_end = pty.openpty()
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(run.path)],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
    )
    os.close(other_end)
    seen = []
    for event in follow_from_start(run):
        seen.append(event.event)
        if event.event == "worker_started":
            os.close(terminal)
            assert launcher.wait() == -signal.SIGHUP  # the hang-up arrived
            assert is_locked(run.lock_path)
            request_stop(run)
    assert seen == ["launched", "worker_started", "stopped"]


def follow_from_start(run: RunFolder) -> Iterator[Event]:
    """Call `follow` once the launcher has taken the lock."""
    while not is_locked(run.lock_path):
        time.sleep(0.01)
    return follow(run, poll=0.01)


def wait_until_free(run: RunFolder) -> None:
    """Wait until the worker has released its lock, after its last event."""
    while is_locked(run.lock_path):
        time.sleep(0.01)


def test_package_imports_no_large_libraries() -> None:
    code = (
        "import sys, workbench.runs.launch, workbench.runs.watch, workbench.runs.sweep_queue; "
        "print([m for m in ('numpy', 'keras', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_relative_folder_is_found_by_the_worker(
    run: RunFolder, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.path.parent)
    relative = RunFolder(Path(run.name))
    launch(relative, environment={"FAKE_WORKER": "finish"}, module="fake_worker")
    assert kinds(list(follow(relative)))[-1] == "finished"
