"""A worker that is there before its run: real processes, without keras."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from patience import GUARD

from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow, launch, request_stop
from workbench.runs.lock import is_locked
from workbench.runs.reader import read_events
from workbench.runs.standby import WarmWorker


@pytest.fixture
def warm(fake_path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], WarmWorker]]:
    """Starts workers that will do what a mode says; none outlives its test."""
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
    return next(e["pid"] for e in follow(run, poll=0.01) if e["event"] == "worker_started")


def test_it_takes_a_run_over(run: RunFolder, warm: Callable[[str], WarmWorker]) -> None:
    worker = warm("wait")
    assert worker.waits
    assert take(run, worker) == worker.process.pid == pid_of(run)
    assert not worker.waits
    assert is_locked(run.lock_path)
    request_stop(run)
    kinds = [event["event"] for event in follow(run, poll=0.01)]
    assert kinds == ["launched", "worker_started", "stopped"]
    worker.process.wait()
    assert not is_locked(run.lock_path)
    assert run.log_path.read_text() == "printed in mode wait\n"


def test_it_can_go_on_with_a_run(run: RunFolder, warm: Callable[[str], WarmWorker]) -> None:
    take(run, warm("finish"), resume=True)
    assert "resumed" in [event["event"] for event in follow(run, poll=0.01)]


def test_it_takes_one_run_only(run: RunFolder, warm: Callable[[str], WarmWorker]) -> None:
    worker = warm("finish")
    take(run, worker)
    list(follow(run, poll=0.01))
    worker.process.wait()
    assert take(run, worker) != worker.process.pid
    started = [e["pid"] for e in read_all_ended(run) if e["event"] == "worker_started"]
    assert len(set(started)) == 2


def read_all_ended(run: RunFolder) -> list[dict[str, object]]:
    """Every event, once the newest worker has ended."""
    list(follow(run, poll=0.01))
    return read_events(run.events_path)


def test_one_that_is_gone_is_replaced(run: RunFolder, warm: Callable[[str], WarmWorker]) -> None:
    worker = warm("finish")
    worker.process.kill()
    worker.process.wait()
    assert not worker.waits
    assert take(run, worker) != worker.process.pid
    assert read_all_ended(run)[-1]["event"] == "finished"


def test_one_that_dies_before_it_is_told_is_replaced(
    run: RunFolder, warm: Callable[[str], WarmWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has noticed yet when the order is sent."""
    worker = warm("finish")
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    monkeypatch.setattr(WarmWorker, "waits", True)
    assert take(run, worker) != worker.process.pid
    assert read_all_ended(run)[-1]["event"] == "finished"


@pytest.mark.parametrize(("variable", "value"), [("FAKE_WORKER", "fail"), ("KERAS_BACKEND", "jax")])
def test_other_variables_need_another_process(
    variable: str,
    value: str,
    run: RunFolder,
    warm: Callable[[str], WarmWorker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = warm("finish")
    monkeypatch.setenv(variable, value)
    assert take(run, worker) != worker.process.pid
    assert worker.waits  # it may suit the next


def test_it_ends_when_nobody_needs_it(warm: Callable[[str], WarmWorker]) -> None:
    worker = warm("wait")
    worker.close()
    assert not worker.waits
    assert worker.process.wait() == 0


HOLDER = """
from workbench.runs.standby import WarmWorker
import signal
warm = WarmWorker("fake_worker")
print(warm.process.pid, flush=True)
signal.pause()
"""


def test_it_ends_with_who_started_it(fake_path: str) -> None:
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
