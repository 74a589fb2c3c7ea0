"""The last lines of a worker's output, and how it exited."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import GUARD

from workbench.runs.event_log import read_events
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow, launch, request_stop
from workbench.runs.lock import is_locked
from workbench.runs.process import LOG_LINES, WarmWorker, last_lines

LIBRARY_OUTPUT = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1769860800.123456    4711 port.cc:153] oneDNN custom operations are on.
W0000 00:00:1769860800.123456    4711 gpu_device.cc:2342] Cannot dlopen some GPU libraries.
2026-01-31 12:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] Optimized.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
2026-01-31 12:00:00.123456: W tensorflow/core/framework/cpu_allocator_impl.cc:83] Exceeds 10%.
I tensorflow/core/common_runtime/gpu/gpu_device.cc:1] Created device.
E0000 00:00:1769860800.123456    4711 cuda_dnn.cc:8310] Unable to register cuDNN factory.
2026-01-31 12:00:00.5: E external/local_xla/xla/cuda_fft.cc:485] Unable to register cuFFT factory.
2026-01-31 12:00:00.5: E external/local_xla/xla/cuda_driver.cc:152] failed call to cuInit: 303
"""
CAUSES = """\
E0000 00:00:1769860800.123456    4711 cuda_driver.cc:1158] failed to allocate 10.00GiB
2026-01-31 12:00:00.5: E external/local_xla/xla/cuda_driver.cc:1] CUDA_ERROR_OUT_OF_MEMORY
F0000 00:00:1769860800.123456    4711 threadpool.cc:1] Check failed: ret == 0
Fatal Python error: Segmentation fault
  File "engine.py", line 3 in fit
In all, 3 images were read
"""
Standby = Callable[[str], WarmWorker]


@pytest.mark.parametrize("line", LIBRARY_OUTPUT.splitlines())
def test_library_output_is_omitted(tmp_path: Path, line: str) -> None:
    log = tmp_path / "worker.log"
    log.write_text(f"{line}\n \nKilled\n{line}\n")
    assert last_lines(log) == ["Killed"]


@pytest.mark.parametrize("line", CAUSES.splitlines())
def test_possible_causes_are_kept(tmp_path: Path, line: str) -> None:
    log = tmp_path / "worker.log"
    log.write_text(LIBRARY_OUTPUT + line)
    assert last_lines(log) == [line]


def test_last_lines_are_limited_to_this_session(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("before\n" + "".join(f"{n}\n" for n in range(LOG_LINES + 1)))
    assert last_lines(log)[0] == "1"
    assert last_lines(log, start=len("before\n0\n1\n"))[0] == "2"
    assert last_lines(tmp_path / "none") == []


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
