"""Jobs in the foreground: a request, events, then a result or an error."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from workbench.app.jobs import run_job
from workbench.errors import UserError
from workbench.runs import process as process_module
from workbench.runs.process import describe_exit

pytestmark = pytest.mark.usefixtures("fake_path")


def run_fake(job: str, **request: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    return run_job(job, request, events.append, module="fake_worker"), events


def test_result_ignores_printed_output() -> None:
    paths = [os.fsdecode(b"/photos/caf\xe9\n.jpg"), "x" * 200_000]
    result, events = run_fake("echo", paths=paths)
    assert result == {"request": {"paths": paths}, "score": None}
    assert [(event["event"], event["done"]) for event in events] == [("progress", 1)]


def test_failure_is_raised_unchanged() -> None:
    with pytest.raises(UserError) as refused:
        run_fake("refuse")
    assert refused.value.message == "The model is of another version."
    assert refused.value.hint == "Train it again."


def test_killed_worker_is_reported_with_signal() -> None:
    with pytest.raises(UserError) as killed:
        run_fake("kill")
    assert killed.value.message == (
        "The worker for kill ended by signal SIGKILL. The last it printed:\n  a library's output"
    )
    assert "Memory may have run out" in killed.value.hint


def test_crash_is_reported_with_last_output() -> None:
    with pytest.raises(UserError) as crashed:
        run_fake("raise")
    lines = crashed.value.message.split("\n")
    assert lines[0] == "The worker for raise ended with exit code 1. The last it printed:"
    assert lines[-1] == "  RuntimeError: colour \\e[31m red"


def test_exit_without_result_is_a_crash() -> None:
    with pytest.raises(UserError, match="The worker for nothing ended with exit code 0"):
        run_fake("nothing")


def test_worker_can_be_terminated_by_another_thread() -> None:
    with pytest.raises(UserError, match="The worker for wait ended by signal SIGTERM"):
        run_job("wait", {}, lambda event: None, "fake_worker", subprocess.Popen.terminate)


@pytest.mark.parametrize("job", ["wait", "stubborn"])
def test_ctrl_c_ends_the_worker(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        process_module, "TERMINATE_SECONDS", 0.1
    )  # for the one that ignores SIGTERM
    pids: list[int] = []

    def interrupt(event: dict[str, Any]) -> None:
        pids.append(event["pid"])
        if job == "wait" or event["phase"] == "stuck":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(job, {}, interrupt, module="fake_worker")
    with pytest.raises(ProcessLookupError):
        os.kill(pids[-1], 0)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptors_are_left_open() -> None:
    before = open_descriptors()
    run_fake("echo")
    with pytest.raises(UserError):
        run_fake("kill")
    assert open_descriptors() == before


def test_exit_codes_are_described() -> None:
    assert describe_exit(-signal.SIGSEGV) == "by signal SIGSEGV"
    assert describe_exit(-99) == "by signal 99"
    assert describe_exit(0) == "with exit code 0"
