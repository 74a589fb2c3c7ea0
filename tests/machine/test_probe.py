"""A probe's process may misbehave: the result is reported in time, and nothing is left behind."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import GUARD, wait_until

from workbench.machine import probe
from workbench.machine import probe as module
from workbench.machine.probe import (
    MIN_SHARE,
    LoadAdjustedClock,
    ProbeResult,
    processor_share,
    run_probe,
)

FAKE = Path(__file__).with_name("fake_probe.py")


def run_fake(
    mode: str, limit: float = GUARD, environment: dict[str, str] | None = None
) -> ProbeResult:
    return run_probe([sys.executable, str(FAKE), mode], limit, environment)


def outcome(result: ProbeResult) -> tuple[str, str]:
    return result.outcome.status, result.outcome.detail


def is_gone(pid: int) -> bool:
    """True where no process has the number, or only a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def report(result: ProbeResult) -> dict[str, Any]:
    """All keys of all lines."""
    return {key: value for line in result.lines for key, value in line.items()}


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


def test_a_report_is_separate_from_printed_output() -> None:
    result = run_fake("answer")
    assert outcome(result) == ("ok", "")
    assert result.outcome.ok
    assert result.outcome.stderr == "chatter"
    assert result.outcome.seconds > 0
    assert result.counted > 0
    pid = report(result)["pid"]
    assert result.lines[1:] == ({"cwd": "/", "session": pid, "stdin": ""},)
    assert is_gone(pid)


def test_the_environment_is_what_was_given() -> None:
    assert (
        report(run_fake("variables", environment={"ONLY": "this"}))["variables"]["ONLY"] == "this"
    )
    assert "PATH" not in report(run_fake("variables", environment={"ONLY": "this"}))["variables"]
    assert "PATH" in report(run_fake("variables"))["variables"]


def test_a_long_report_is_complete() -> None:
    result = run_fake("long")
    assert outcome(result) == ("ok", "")
    assert len(report(result)["text"]) == 900_000


@pytest.mark.parametrize("mode", ["sleep", "stubborn"])
def test_a_hanging_process_is_ended_at_its_limit(
    mode: str, limit_after: Callable[..., None]
) -> None:
    limit_after(b"pid")
    result = run_fake(mode, limit=1)
    assert outcome(result) == ("hung", "after 1 s")
    wait_until(lambda: is_gone(report(result)["pid"]))


def test_a_limit_is_counted_in_seconds_of_a_quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is the one of the limit, read again and again until it is over."""
    readings = iter([0.0, 0.5, 0.999, 1.0])
    monkeypatch.setattr(probe.LoadAdjustedClock, "read", lambda clock: next(readings, 7.0))
    result = run_fake("sleep", limit=1)
    assert outcome(result) == ("hung", "after 1 s")
    assert result.counted == 7.0
    assert next(readings, "read") == "read"


def test_reports_before_a_hang_are_kept(limit_after: Callable[..., None]) -> None:
    limit_after(b"half")
    result = run_fake("half", limit=1)
    assert outcome(result) == ("hung", "after 1 s")
    assert [list(line) for line in result.lines] == [["pid"]]


def test_a_crash_is_reported_with_its_signal() -> None:
    result = run_fake("segfault")
    assert outcome(result) == ("crashed", "by signal SIGSEGV")
    assert result.outcome.stderr == "about to read nothing"
    assert "pid" in report(result)
    assert outcome(run_fake("signal")) == ("crashed", "by signal SIGABRT")


def test_a_failure_is_reported_with_its_exit_code_and_output() -> None:
    result = run_fake("exit 3")
    assert outcome(result) == ("failed", "with exit code 3")
    assert result.outcome.stderr == "no such device"


def test_a_command_that_cannot_be_started() -> None:
    result = run_probe(["/no/such/program"], 1)
    assert outcome(result) == ("failed", "to start: No such file or directory")
    assert result.lines == ()


def test_endless_output_is_ended() -> None:
    result = run_fake("babble")
    assert outcome(result) == ("flooded", "with more than 16 MiB printed")
    lines = result.outcome.stderr.split("\n")
    assert len(lines) > 100
    assert len(result.outcome.stderr) <= probe.PRINTED_KEPT
    assert set(lines[:-1]) == {"y" * 79}
    wait_until(lambda: is_gone(report(result)["pid"]))


def test_an_endless_report_is_ended() -> None:
    result = run_fake("answer for ever")
    assert outcome(result) == ("flooded", "with more than 1 MiB of report")
    assert 1000 < len(result.lines) < 1200
    wait_until(lambda: is_gone(report(result)["pid"]))


def test_printed_output_is_made_safe() -> None:
    result = run_fake("no UTF-8")
    assert outcome(result) == ("ok", "")
    assert result.outcome.stderr == r"caf\xe9 \e[31mred"


def test_an_unreadable_report() -> None:
    assert outcome(run_fake("silent")) == ("garbled", "without a report")
    for mode in ("no JSON", "a list", "deep", "answer no UTF-8"):
        assert outcome(run_fake(mode)) == ("garbled", "by a line that is not a JSON object")


def test_good_lines_beside_bad_ones_are_kept() -> None:
    assert report(run_fake("no JSON"))["after"] == "it"


def test_a_stray_process_ends_with_the_probe() -> None:
    result = run_fake("grandchild")
    assert outcome(result) == ("ok", "")
    wait_until(lambda: is_gone(report(result)["grandchild"]))


def test_pipes_held_by_a_process_elsewhere_are_not_waited_for() -> None:
    result = run_fake("grandchild in a session")
    try:
        assert not is_gone(report(result)["grandchild"])  # it holds them still
        assert outcome(result) == ("ok", "")
    finally:
        os.kill(report(result)["grandchild"], signal.SIGKILL)


def test_a_report_is_read_even_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a crowded machine the probe may have ended, and its time be over, before it is heard."""
    monkeypatch.setattr(probe, "REST_SECONDS", 0.0)
    monkeypatch.setattr(probe, "_wait", lambda process, *rest: ended(process.pid))
    result = run_fake("answer")
    assert outcome(result) == ("ok", "")
    assert result.outcome.stderr == "chatter"
    assert len(result.lines) == 2


def test_a_process_that_cannot_be_ended_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, limit_after: Callable[..., None]
) -> None:
    # As of a process that waits in a driver: signals do nothing.
    monkeypatch.setattr(probe.os, "killpg", lambda group, number: None)
    monkeypatch.setattr(probe, "END_SECONDS", 0.1)
    limit_after(b"pid")
    result = run_fake("sleep", limit=1)
    pid = report(result)["pid"]
    try:
        assert outcome(result) == ("hung", "after 1 s")
        assert not is_gone(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())  # reaped in the background


def test_ctrl_c_ends_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    started = threading.Event()
    ended: list[int] = []
    listen_once, end = probe._read_once, probe._end

    def listen(pipes: Any, seconds: float) -> None:
        listen_once(pipes, seconds)
        started.set()

    def end_and_note(process: Any) -> None:
        end(process)
        ended.append(process.pid)

    def interrupt() -> None:
        started.wait(GUARD)
        _thread.interrupt_main()

    monkeypatch.setattr(probe, "_read_once", listen)
    monkeypatch.setattr(probe, "_end", end_and_note)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        run_fake("sleep")
    interrupter.join()
    assert is_gone(ended[0])


@pytest.mark.parametrize(
    ("runnable", "processors", "share"),
    [
        (0, 2, 1.0),
        (1, 2, 1.0),
        (2, 2, 1.0),
        (3, 2, 2 / 3),
        (8, 2, 0.25),
        (19, 2, 2 / 19),
        (20, 2, MIN_SHARE),
        (21, 2, MIN_SHARE),
        (100_000, 2, MIN_SHARE),
        (8, 64, 1.0),
        (8, None, 0.125),  # how many there are is not known: one
    ],
)
def test_a_crowd_shares_the_processors(
    runnable: int,
    processors: int | None,
    share: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.os, "cpu_count", lambda: processors)
    loadavg = tmp_path / "loadavg"
    loadavg.write_text(f"9.50 3.21 1.00 {runnable}/123456 4711\n")
    assert processor_share(loadavg) == share


@pytest.mark.parametrize("text", [None, "", "0.1 0.2 0.3", "0.1 0.2 0.3 many/9 1", "\u00e9"])
def test_where_the_load_is_not_known_it_counts_as_none(text: str | None, tmp_path: Path) -> None:
    loadavg = tmp_path / "loadavg"
    if text is not None:
        loadavg.write_text(text, encoding="utf-8")
    assert processor_share(loadavg) == 1.0


def test_a_crowded_second_counts_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    now, shares = [100.0], iter([1.0, 0.25, 0.5])
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "processor_share", lambda: next(shares))
    clock = LoadAdjustedClock()
    now[0] += 2
    assert clock.read() == 2.0
    now[0] += 4
    assert clock.read() == 3.0
    assert clock.read() == 3.0
