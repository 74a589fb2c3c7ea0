"""Workers on standby: real processes, without keras."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from waiting import GUARD

from workbench.runs.event_log import read_events
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow, launch, request_stop
from workbench.runs.lock import is_locked
from workbench.runs.process import WarmWorker

Standby = Callable[[str], WarmWorker]


@pytest.fixture
def warm(fake_path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standby]:
    """Return a function that starts a fake standby worker in a mode; all end with the test."""
    made = []

    def start(mode: str) -> WarmWorker:
        monkeypatch.setenv("FAKE_WORKER", mode)
        made.append(WarmWorker("fake_worker"))
        return made[-1]

    yield start
    for worker in made:
        worker.close()
        worker.process.wait()


def take(run: RunFolder, worker: WarmWorker, resume: bool = False) -> int:
    return launch(run, resume=resume, module="fake_worker", warm=worker)


def pid_of(run: RunFolder) -> int:
    return next(e.pid for e in follow(run, poll=0.01) if e.event == "worker_started")


def test_standby_worker_trains_a_run(run: RunFolder, warm: Standby) -> None:
    worker = warm("wait")
    assert worker.is_waiting
    assert take(run, worker) == worker.process.pid == pid_of(run)
    assert not worker.is_waiting
    assert is_locked(run.lock_path)
    request_stop(run)
    kinds = [event.event for event in follow(run, poll=0.01)]
    assert kinds == ["launched", "worker_started", "stopped"]
    worker.process.wait()
    assert not is_locked(run.lock_path)
    assert run.log_path.read_text() == "printed in mode wait\n"


def test_standby_worker_can_resume_a_run(run: RunFolder, warm: Standby) -> None:
    take(run, warm("finish"), resume=True)
    assert "resumed" in [event.event for event in follow(run, poll=0.01)]


def test_standby_worker_trains_only_one_run(run: RunFolder, warm: Standby) -> None:
    worker = warm("finish")
    take(run, worker)
    list(follow(run, poll=0.01))
    worker.process.wait()
    assert take(run, worker) != worker.process.pid
    started = [e.pid for e in read_all_ended(run) if e.event == "worker_started"]
    assert len(set(started)) == 2


def read_all_ended(run: RunFolder) -> list[Event]:
    """Return all events once the newest worker has ended."""
    list(follow(run, poll=0.01))
    return read_events(run.events_path)


def test_ended_standby_worker_is_replaced(run: RunFolder, warm: Standby) -> None:
    worker = warm("finish")
    worker.process.kill()
    worker.process.wait()
    assert not worker.is_waiting
    assert take(run, worker) != worker.process.pid
    assert read_all_ended(run)[-1].event == "finished"


def test_standby_worker_that_dies_unnoticed_is_replaced(
    run: RunFolder, warm: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is not noticed yet when the run is assigned."""
    worker = warm("finish")
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    monkeypatch.setattr(WarmWorker, "is_waiting", True)
    assert take(run, worker) != worker.process.pid
    assert read_all_ended(run)[-1].event == "finished"


@pytest.mark.parametrize(("variable", "value"), [("FAKE_WORKER", "fail"), ("KERAS_BACKEND", "jax")])
def test_other_variables_need_another_process(
    variable: str,
    value: str,
    run: RunFolder,
    warm: Standby,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = warm("finish")
    monkeypatch.setenv(variable, value)
    assert take(run, worker) != worker.process.pid
    assert worker.is_waiting  # for the next run


def test_standby_worker_ends_when_closed(warm: Standby) -> None:
    worker = warm("wait")
    worker.close()
    assert not worker.is_waiting
    assert worker.process.wait() == 0


HOLDER = """
from workbench.runs.process import WarmWorker
import signal
warm = WarmWorker("fake_worker")
print(warm.process.pid, flush=True)
signal.pause()
"""


def test_standby_worker_ends_with_its_parent(fake_path: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        ended = os.pidfd_open(pid)
        holder.kill()
        holder.wait()
    assert select.select([ended], [], [], GUARD)[0]
    os.close(ended)
