"""Probes of the machine: child processes that report in JSON lines and may crash or hang."""

import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.machine.facts import ProbeOutcome, Status
from workbench.messages import tr
from workbench.runs.process import WORKING_FOLDER, describe_exit
from workbench.text import safe_lines, safe_text
from workbench.words import reason_of

SMALL_PROBES = "workbench.machine.probe_process"  # the child process of one probe
PRINTED_KEPT = 16 << 10  # bytes at the end
PRINTED_LIMIT = 16 << 20  # bytes
REPORT_LIMIT = 1 << 20  # bytes
END_SECONDS = 1.0  # wait for a killed process: inside a driver it may not end
REST_SECONDS = 0.5  # wait for pipes that other processes hold open after its end
_TICK_SECONDS = 0.02  # between two checks whether the process still runs
_CHUNK = 64 << 10  # bytes; what a pipe holds
MIN_SHARE = 0.1  # of a second: a limit takes ten times its seconds at most
_LOADAVG = Path("/proc/loadavg")


@dataclass(frozen=True)
class ProbeResult:
    """How a probe ended and the JSON objects that it reported, also where it ended badly.

    Attributes:
        counted: seconds of its limit that it used; fewer than it took on a busy machine.
    """

    outcome: ProbeOutcome
    lines: tuple[dict[str, Any], ...] = ()
    counted: float = 0.0


def run_probe(
    command: list[str],
    limit: float,
    environment: Mapping[str, str] | None = None,
    cancelled: threading.Event | None = None,
) -> ProbeResult:
    """Run a command that reports in JSON lines; return in time, whatever it does.

    The process and all that it leaves in its process group is killed, also by Ctrl-C.

    Args:
        command: gets `--report-fd N` appended, the descriptor of the pipe for its report. Its other
            output is kept for errors. Paths in it are absolute.
        limit: seconds on an otherwise idle machine (see `LoadAdjustedClock`).
        environment: all its variables; None for those of this process.
        cancelled: once set, the process is killed as at its limit.
    """
    began, clock = time.monotonic(), LoadAdjustedClock()
    received = _Received()
    with ExitStack() as stack:
        try:
            process, pipes = _start(command, environment, received, stack)
        except OSError as error:
            detail = tr("to start: {safe_text}", safe_text=safe_text(reason_of(error)))
            return ProbeResult(ProbeOutcome(status="failed", detail=detail, seconds=_since(began)))
        try:
            cut = _wait(process, pipes, received, clock, limit, cancelled or threading.Event())
        finally:
            _end(process)
        _read_rest(pipes, received, time.monotonic() + REST_SECONDS)
    lines, garbled = _objects(received.report)
    status, detail = _outcome(process.returncode, cut, limit, received, garbled)
    outcome = ProbeOutcome(
        status=status, detail=detail, stderr=received.text, seconds=_since(began)
    )
    return ProbeResult(outcome, lines, clock.read())


def stream_probe(
    command: list[str], patience: float
) -> Generator[dict[str, Any] | None, None, None]:
    """Yield each JSON object that a command reports, until it ends; None after each long silence.

    The process and its process group is killed when the iterator is closed.

    Args:
        command: as for `run_probe`.
        patience: seconds of silence.

    Raises:
        OSError: it cannot be started.
    """
    received = _Received()
    with ExitStack() as stack:
        process, pipes = _start(command, None, received, stack)
        stack.callback(_end, process)
        deadline = time.monotonic() + patience
        while pipes.get_map():
            _read_once(pipes, max(deadline - time.monotonic(), 0.0))
            objects, _ = _objects(received.take_lines())
            yield from objects
            if objects or time.monotonic() >= deadline:
                if not objects:
                    yield None
                deadline = time.monotonic() + patience


class LoadAdjustedClock:
    """Counts the seconds that a thread would have had on an otherwise idle machine.

    Where more threads are runnable than there are processors, each gets only a share of one, and
    work of one second takes several. With this clock such work does not count as hung, while
    a process that hangs still reaches its limit. Read it often: the load at a reading counts for
    the whole time since the last one.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._last = time.monotonic()

    def read(self) -> float:
        """Return the seconds since its creation, those under load in part."""
        now = time.monotonic()
        self._seconds += (now - self._last) * processor_share()
        self._last = now
        return self._seconds


def processor_share(loadavg: Path = _LOADAVG) -> float:
    """Return the share of a processor that a thread gets now: MIN_SHARE to 1.

    Args:
        loadavg: its fourth field counts runnable threads, and all; if it cannot be read, no other
            thread counts.
    """
    runnable = 1
    with suppress(OSError, ValueError, IndexError):
        runnable = int(loadavg.read_text("ascii").split()[3].partition("/")[0])
    return min(1.0, max(MIN_SHARE, (os.cpu_count() or 1) / max(runnable, 1)))


class _Received:
    """What a process wrote so far: its report, and the end of what it printed."""

    def __init__(self) -> None:
        self.report = bytearray()
        self._printed = bytearray()
        self._printed_bytes = 0

    def take_printed(self, chunk: bytes) -> None:
        self._printed_bytes += len(chunk)
        self._printed += chunk
        del self._printed[:-PRINTED_KEPT]

    def take_report(self, chunk: bytes) -> None:
        self.report += chunk

    def take_lines(self) -> bytes:
        """Return the complete lines of the report, and forget them."""
        lines = bytes(self.report[: self.report.rfind(b"\n") + 1])
        del self.report[: len(lines)]
        return lines

    @property
    def flood(self) -> str:
        """Describe more output than a probe should have, "" else."""
        if self._printed_bytes > PRINTED_LIMIT:
            return tr(
                "with more than {printed_limit} MiB printed", printed_limit=PRINTED_LIMIT >> 20
            )
        if len(self.report) > REPORT_LIMIT:
            return tr(
                "with more than {report_limit} MiB of report", report_limit=REPORT_LIMIT >> 20
            )
        return ""

    @property
    def text(self) -> str:
        """The end of what was printed, safe for a terminal."""
        printed = bytes(self._printed)
        if self._printed_bytes > PRINTED_KEPT and b"\n" in printed:
            printed = printed.partition(b"\n")[2]  # the first line may begin inside a character
        text = printed.decode("utf-8", "backslashreplace")
        return safe_lines(text.replace("\r\n", "\n").strip("\n"))


def _start(
    command: list[str],
    environment: Mapping[str, str] | None,
    received: _Received,
    stack: ExitStack,
) -> tuple[subprocess.Popen[bytes], selectors.BaseSelector]:
    """Start the process; return it and its pipes, which are closed with the stack."""
    pipes = stack.enter_context(selectors.DefaultSelector())
    report, report_write = _pipe(stack)
    printed, printed_write = _pipe(stack)
    pipes.register(report, selectors.EVENT_READ, received.take_report)
    pipes.register(printed, selectors.EVENT_READ, received.take_printed)
    try:
        process = subprocess.Popen(
            [*command, "--report-fd", str(report_write)],
            stdin=subprocess.DEVNULL,
            stdout=printed_write,
            stderr=printed_write,
            cwd=WORKING_FOLDER,
            env=environment,
            pass_fds=(report_write,),
            start_new_session=True,  # a process group of its own, which is killed as a whole
        )
    finally:
        os.close(report_write)
        os.close(printed_write)
    return process, pipes


def _pipe(stack: ExitStack) -> tuple[int, int]:
    """Return both ends of a pipe; the read end never blocks, and is closed with the stack."""
    read_end, write_end = os.pipe()
    stack.callback(os.close, read_end)
    os.set_blocking(read_end, False)
    return read_end, write_end


def _wait(
    process: subprocess.Popen[bytes],
    pipes: selectors.BaseSelector,
    received: _Received,
    clock: LoadAdjustedClock,
    limit: float,
    cancelled: threading.Event,
) -> Status | None:
    """Read until the process ends: None; or must be killed: "hung" or "flooded"."""
    while not _has_ended(process):
        if received.flood:
            return "flooded"
        left = limit - clock.read()
        if left <= 0 or cancelled.is_set():
            return "hung"
        _read_once(pipes, min(_TICK_SECONDS, left))
    return None


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether it ended, without reaping it: no other process gets its number meanwhile."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    try:
        return os.waitid(os.P_PID, process.pid, options) is not None
    except ChildProcessError:  # SIGCHLD was ignored when this program started
        return True


def _read_rest(pipes: selectors.BaseSelector, received: _Received, deadline: float) -> None:
    """Read what is left in the pipes, which a process in another group may hold open.

    It is read even if this process could not run until the deadline.
    """
    while pipes.get_map() and not received.flood:
        left = deadline - time.monotonic()
        if not _read_once(pipes, max(left, 0.0)) and left <= 0:
            return


def _read_once(pipes: selectors.BaseSelector, seconds: float) -> bool:
    """Return whether a pipe had data, or was closed."""
    ready = pipes.select(seconds)
    for key, _ in ready:
        take: Callable[[bytes], None] = key.data
        with suppress(BlockingIOError):
            chunk = os.read(key.fd, _CHUNK)
            if chunk:
                take(chunk)
            else:
                pipes.unregister(key.fd)
    return bool(ready)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and its group. A thread waits for one that does not end."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, daemon=True).start()


def _objects(report: bytes | bytearray) -> tuple[tuple[dict[str, Any], ...], str]:
    """Return the JSON objects, and a description of what is not readable."""
    lines = [line for line in bytes(report).split(b"\n") if line.strip()]
    objects = [_parsed(line) for line in lines]
    good = tuple(one for one in objects if isinstance(one, dict))
    if not lines:
        return good, tr("without a report")
    return good, "" if len(good) == len(lines) else tr("by a line that is not a JSON object")


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _outcome(
    code: int | None, cut: Status | None, limit: float, received: _Received, garbled: str
) -> tuple[Status, str]:
    if received.flood:
        return "flooded", received.flood
    if cut is not None or code is None:
        return "hung", tr("after {float:g} s", float=float(f"{limit:.2g}"))
    if code:
        return "crashed" if code < 0 else "failed", describe_exit(code)
    return ("garbled", garbled) if garbled else ("ok", "")


def _since(began: float) -> float:
    return time.monotonic() - began
