"""Foreground jobs: a request, events, a result - or a reason."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import UserError
from workbench.runs import jobs
from workbench.runs.jobs import run_job

pytestmark = pytest.mark.usefixtures("fake_path")


def ask(job: str, **request: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    return run_job(job, request, events.append, module="fake_worker"), events


def test_a_result_comes_back_whatever_is_printed() -> None:
    paths = [os.fsdecode(b"/photos/caf\xe9\n.jpg"), "x" * 200_000]
    result, events = ask("echo", paths=paths)
    assert result == {"request": {"paths": paths}, "score": None}
    assert [(event["event"], event["done"]) for event in events] == [("progress", 1)]


def test_a_refusal_is_told_as_it_is() -> None:
    with pytest.raises(UserError) as refused:
        ask("refuse")
    assert refused.value.message == "The model is of another version."
    assert refused.value.hint == "Train it again."


def test_a_killed_worker_is_told_with_its_signal() -> None:
    with pytest.raises(UserError) as killed:
        ask("kill")
    assert killed.value.message == (
        "The worker for kill ended by signal SIGKILL. The last it printed:\n  a library's chatter"
    )
    assert "Memory may have run out" in killed.value.hint


def test_a_crash_is_told_with_what_was_printed_last() -> None:
    with pytest.raises(UserError) as crashed:
        ask("raise")
    lines = crashed.value.message.split("\n")
    assert lines[0] == "The worker for raise ended with exit code 1. The last it printed:"
    assert lines[-1] == "  RuntimeError: colour \\e[31m red"


def test_an_end_without_an_answer_is_a_crash_too() -> None:
    with pytest.raises(UserError, match="The worker for nothing ended with exit code 0"):
        ask("nothing")


def test_a_worker_can_be_ended_by_another_thread() -> None:
    with pytest.raises(UserError, match="The worker for wait ended by signal SIGTERM"):
        run_job("wait", {}, lambda event: None, "fake_worker", subprocess.Popen.terminate)


@pytest.mark.parametrize("job", ["wait", "stubborn"])
def test_ctrl_c_ends_the_worker(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "END_SECONDS", 0.1)  # for the one that ignores SIGTERM
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
    ask("echo")
    with pytest.raises(UserError):
        ask("kill")
    assert open_descriptors() == before


def test_signals_without_a_name() -> None:
    assert jobs.exit_in_words(-signal.SIGSEGV) == "by signal SIGSEGV"
    assert jobs.exit_in_words(-99) == "by signal 99"
    assert jobs.exit_in_words(0) == "with exit code 0"
