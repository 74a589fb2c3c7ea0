"""A probe's process may do what it likes: what comes back is told, in time, and nothing stays."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, wait_until

from workbench.machine import probe
from workbench.machine.probe import Answer, run_probe

FAKE = Path(__file__).with_name("fake_probe.py")


def ask(mode: str, limit: float = GUARD, environment: dict[str, str] | None = None) -> Answer:
    return run_probe([sys.executable, str(FAKE), mode], limit, environment)


def outcome(answer: Answer) -> tuple[str, str]:
    return answer.outcome.status, answer.outcome.detail


def is_gone(pid: int) -> bool:
    """True where no process has the number, or only a dead one that nobody waited for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def told(answer: Answer) -> dict[str, Any]:
    """All keys of all lines."""
    return {key: value for line in answer.lines for key, value in line.items()}


def ended(pid: int) -> None:
    """Waits for a process, which is left to be reaped."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    before = open_descriptors()
    yield
    assert open_descriptors() == before


def test_an_answer_comes_back_whatever_is_printed() -> None:
    answer = ask("answer")
    assert outcome(answer) == ("ok", "")
    assert answer.outcome.ok
    assert answer.outcome.stderr == "chatter"
    assert answer.outcome.seconds > 0
    assert answer.counted > 0
    pid = told(answer)["pid"]
    assert answer.lines[1:] == ({"cwd": "/", "session": pid, "stdin": ""},)
    assert is_gone(pid)


def test_the_environment_is_what_was_given() -> None:
    assert told(ask("variables", environment={"ONLY": "this"}))["variables"]["ONLY"] == "this"
    assert "PATH" not in told(ask("variables", environment={"ONLY": "this"}))["variables"]
    assert "PATH" in told(ask("variables"))["variables"]


def test_a_long_answer_comes_whole() -> None:
    answer = ask("long")
    assert outcome(answer) == ("ok", "")
    assert len(told(answer)["text"]) == 900_000


@pytest.mark.parametrize("mode", ["sleep", "stubborn"])
def test_what_hangs_is_ended_at_its_limit(mode: str, limit_after: Callable[..., None]) -> None:
    limit_after(b"pid")
    answer = ask(mode, limit=1)
    assert outcome(answer) == ("hung", "after 1 s")
    wait_until(lambda: is_gone(told(answer)["pid"]))


def test_a_limit_is_counted_in_seconds_of_a_quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the one of the limit, read again and again until it is over."""
    readings = iter([0.0, 0.5, 0.999, 1.0])
    monkeypatch.setattr(probe.QuietClock, "read", lambda clock: next(readings, 7.0))
    answer = ask("sleep", limit=1)
    assert outcome(answer) == ("hung", "after 1 s")
    assert answer.counted == 7.0
    assert next(readings, "read") == "read"


def test_what_was_answered_before_it_hung_is_kept(limit_after: Callable[..., None]) -> None:
    limit_after(b"half")
    answer = ask("half", limit=1)
    assert outcome(answer) == ("hung", "after 1 s")
    assert [list(line) for line in answer.lines] == [["pid"]]


def test_a_crash_is_told_by_its_signal() -> None:
    answer = ask("segfault")
    assert outcome(answer) == ("crashed", "by signal SIGSEGV")
    assert answer.outcome.stderr == "about to read nothing"
    assert "pid" in told(answer)
    assert outcome(ask("signal")) == ("crashed", "by signal SIGABRT")


def test_a_failure_is_told_with_its_exit_code_and_words() -> None:
    answer = ask("exit 3")
    assert outcome(answer) == ("failed", "with exit code 3")
    assert answer.outcome.stderr == "no such device"


def test_what_cannot_be_started_failed() -> None:
    answer = run_probe(["/no/such/program"], 1)
    assert outcome(answer) == ("failed", "to start: No such file or directory")
    assert answer.lines == ()


def test_what_prints_without_end_is_ended() -> None:
    answer = ask("babble")
    assert outcome(answer) == ("flooded", "with more than 16 MiB printed")
    lines = answer.outcome.stderr.split("\n")
    assert len(lines) > 100
    assert len(answer.outcome.stderr) <= probe.PRINTED_KEPT
    assert set(lines[:-1]) == {"y" * 79}
    wait_until(lambda: is_gone(told(answer)["pid"]))


def test_what_answers_without_end_is_ended() -> None:
    answer = ask("answer for ever")
    assert outcome(answer) == ("flooded", "with more than 1 MiB of answer")
    assert 1000 < len(answer.lines) < 1200
    wait_until(lambda: is_gone(told(answer)["pid"]))


def test_what_is_printed_is_made_harmless() -> None:
    answer = ask("no UTF-8")
    assert outcome(answer) == ("ok", "")
    assert answer.outcome.stderr == r"caf\xe9 \e[31mred"


def test_an_answer_that_is_none() -> None:
    assert outcome(ask("silent")) == ("garbled", "without an answer")
    for mode in ("no JSON", "a list", "deep", "answer no UTF-8"):
        assert outcome(ask(mode)) == ("garbled", "by a line that is no JSON object")


def test_good_lines_beside_bad_ones_are_kept() -> None:
    assert told(ask("no JSON"))["after"] == "it"


def test_a_stray_process_goes_with_the_probe() -> None:
    answer = ask("grandchild")
    assert outcome(answer) == ("ok", "")
    wait_until(lambda: is_gone(told(answer)["grandchild"]))


def test_pipes_held_by_a_process_elsewhere_are_not_waited_for() -> None:
    answer = ask("grandchild in a session")
    try:
        assert not is_gone(told(answer)["grandchild"])  # it holds them still
        assert outcome(answer) == ("ok", "")
    finally:
        os.kill(told(answer)["grandchild"], signal.SIGKILL)


def test_an_answer_is_taken_even_where_nobody_came_to_listen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a crowded machine the probe may have ended, and its time be over, before it is heard."""
    monkeypatch.setattr(probe, "REST_SECONDS", 0.0)
    monkeypatch.setattr(probe, "_wait", lambda process, *rest: ended(process.pid))
    answer = ask("answer")
    assert outcome(answer) == ("ok", "")
    assert answer.outcome.stderr == "chatter"
    assert len(answer.lines) == 2


def test_what_cannot_be_ended_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, limit_after: Callable[..., None]
) -> None:
    # As of a process that waits in a driver: signals do nothing.
    monkeypatch.setattr(probe.os, "killpg", lambda group, number: None)
    monkeypatch.setattr(probe, "END_SECONDS", 0.1)
    limit_after(b"pid")
    answer = ask("sleep", limit=1)
    pid = told(answer)["pid"]
    try:
        assert outcome(answer) == ("hung", "after 1 s")
        assert not is_gone(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())  # reaped in the background


def test_ctrl_c_ends_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Event()
    ended: list[int] = []
    listen_once, end = probe._listen_once, probe._end

    def listen(pipes: Any, seconds: float) -> None:
        listen_once(pipes, seconds)
        started.set()

    def end_and_note(process: Any) -> None:
        end(process)
        ended.append(process.pid)

    def interrupt() -> None:
        started.wait(GUARD)
        _thread.interrupt_main()

    monkeypatch.setattr(probe, "_listen_once", listen)
    monkeypatch.setattr(probe, "_end", end_and_note)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        ask("sleep")
    interrupter.join()
    assert is_gone(ended[0])
