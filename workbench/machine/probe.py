"""One question to the box, asked in a process of its own that may crash, hang or babble."""

import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from workbench.machine.facts import Outcome, Status
from workbench.machine.quiet_clock import QuietClock
from workbench.runs.process import WORKING_FOLDER, exit_in_words
from workbench.text import safe_lines, safe_text

PRINTED_KEPT = 16 << 10  # bytes at the end
PRINTED_LIMIT = 16 << 20  # bytes
ANSWER_LIMIT = 1 << 20  # bytes
END_SECONDS = 1.0  # patience for a process that was killed: in a driver it may not end
REST_SECONDS = 0.5  # patience for pipes that others hold open after the process ended
_TICK_SECONDS = 0.02  # how often it is asked whether the process still lives
_CHUNK = 64 << 10  # bytes; what a pipe holds


@dataclass(frozen=True)
class Answer:
    """How a probe went and the JSON objects that it answered; whatever ended it, those are kept.

    Attributes:
        counted: seconds of its limit that it used up; fewer than it took on a crowded machine.
    """

    outcome: Outcome
    lines: tuple[dict[str, Any], ...] = ()
    counted: float = 0.0


def run_probe(
    command: list[str],
    limit: float,
    environment: Mapping[str, str] | None = None,
    cancelled: threading.Event | None = None,
) -> Answer:
    """Runs a command that answers in JSON lines; comes back in time whatever it does.

    The process and all that it starts and leaves in its process group is ended, also by Ctrl-C.

    Args:
        command: gets `--answer-fd N` appended, the descriptor of the pipe for its answer. What it
            prints is kept for the case that something goes wrong. Paths in it absolute.
        limit: seconds, as a machine counts them that does nothing else (see `QuietClock`).
        environment: all its variables; None for those of this process.
        cancelled: once set, the process is ended as at its limit: nobody waits for it any more.
    """
    began, clock = time.monotonic(), QuietClock()
    heard = _Heard()
    with ExitStack() as stack:
        try:
            process, pipes = _start(command, environment, heard, stack)
        except OSError as error:
            words = f"to start: {safe_text(error.strerror or error)}"
            return Answer(Outcome(status="failed", detail=words, seconds=_since(began)))
        try:
            cut = _wait(process, pipes, heard, clock, limit, cancelled or threading.Event())
        finally:
            _end(process)
        _listen(pipes, heard, time.monotonic() + REST_SECONDS)
    lines, garbled = _objects(heard.answer)
    status, detail = _outcome(process.returncode, cut, limit, heard, garbled)
    told = Outcome(status=status, detail=detail, stderr=heard.words, seconds=_since(began))
    return Answer(told, lines, clock.read())


class _Heard:
    """What came from a process so far: the end of what it printed, and its answer."""

    def __init__(self) -> None:
        self.answer = bytearray()
        self._printed = bytearray()
        self._printed_bytes = 0

    def take_printed(self, chunk: bytes) -> None:
        self._printed_bytes += len(chunk)
        self._printed += chunk
        del self._printed[:-PRINTED_KEPT]

    def take_answer(self, chunk: bytes) -> None:
        self.answer += chunk

    @property
    def flood(self) -> str:
        """Words for more than a probe has to say, "" else."""
        if self._printed_bytes > PRINTED_LIMIT:
            return f"with more than {PRINTED_LIMIT >> 20} MiB printed"
        if len(self.answer) > ANSWER_LIMIT:
            return f"with more than {ANSWER_LIMIT >> 20} MiB of answer"
        return ""

    @property
    def words(self) -> str:
        """The end of what was printed, harmless for a terminal."""
        printed = bytes(self._printed)
        if self._printed_bytes > PRINTED_KEPT and b"\n" in printed:
            printed = printed.partition(b"\n")[2]  # the rest of a line may begin inside a letter
        text = printed.decode("utf-8", "backslashreplace")
        return safe_lines(text.replace("\r\n", "\n").strip("\n"))


def _start(
    command: list[str],
    environment: Mapping[str, str] | None,
    heard: _Heard,
    stack: ExitStack,
) -> tuple[subprocess.Popen[bytes], selectors.BaseSelector]:
    """Starts the process; returns it and its pipes, which are closed with the stack."""
    pipes = stack.enter_context(selectors.DefaultSelector())
    answer, answer_write = _pipe(stack)
    printed, printed_write = _pipe(stack)
    pipes.register(answer, selectors.EVENT_READ, heard.take_answer)
    pipes.register(printed, selectors.EVENT_READ, heard.take_printed)
    try:
        process = subprocess.Popen(
            [*command, "--answer-fd", str(answer_write)],
            stdin=subprocess.DEVNULL,
            stdout=printed_write,
            stderr=printed_write,
            cwd=WORKING_FOLDER,
            env=environment,
            pass_fds=(answer_write,),
            start_new_session=True,  # a process group of its own, which is ended as a whole
        )
    finally:
        os.close(answer_write)
        os.close(printed_write)
    return process, pipes


def _pipe(stack: ExitStack) -> tuple[int, int]:
    """A pipe whose read end never blocks, and is closed with the stack."""
    read_end, write_end = os.pipe()
    stack.callback(os.close, read_end)
    os.set_blocking(read_end, False)
    return read_end, write_end


def _wait(
    process: subprocess.Popen[bytes],
    pipes: selectors.BaseSelector,
    heard: _Heard,
    clock: QuietClock,
    limit: float,
    cancelled: threading.Event,
) -> Status | None:
    """Listens until the process ends: None; or has to be ended: "hung" or "flooded"."""
    while not _has_ended(process):
        if heard.flood:
            return "flooded"
        left = limit - clock.read()
        if left <= 0 or cancelled.is_set():
            return "hung"
        _listen_once(pipes, min(_TICK_SECONDS, left))
    return None


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """True once it ended. It is left to be reaped: until then no other process gets its number."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    try:
        return os.waitid(os.P_PID, process.pid, options) is not None
    except ChildProcessError:  # whoever started this program had SIGCHLD ignored
        return True


def _listen(pipes: selectors.BaseSelector, heard: _Heard, deadline: float) -> None:
    """Takes what is left in the pipes; a process in a group of its own may hold them open.

    What lies in them is taken also where this process was kept from running until the deadline.
    """
    while pipes.get_map() and not heard.flood:
        left = deadline - time.monotonic()
        if not _listen_once(pipes, max(left, 0.0)) and left <= 0:
            return


def _listen_once(pipes: selectors.BaseSelector, seconds: float) -> bool:
    """True where a pipe had something to say, if only that it was closed."""
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
    """Ends the process and its group. One that cannot end is left to a thread."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, daemon=True).start()


def _objects(answer: bytearray) -> tuple[tuple[dict[str, Any], ...], str]:
    """The JSON objects, and words for what is no answer."""
    lines = [line for line in bytes(answer).split(b"\n") if line.strip()]
    objects = [_parsed(line) for line in lines]
    good = tuple(one for one in objects if isinstance(one, dict))
    if not lines:
        return good, "without an answer"
    return good, "" if len(good) == len(lines) else "by a line that is no JSON object"


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _outcome(
    code: int | None, cut: Status | None, limit: float, heard: _Heard, garbled: str
) -> tuple[Status, str]:
    if heard.flood:
        return "flooded", heard.flood
    if cut is not None or code is None:
        return "hung", f"after {float(f'{limit:.2g}'):g} s"
    if code:
        return "crashed" if code < 0 else "failed", exit_in_words(code)
    return ("garbled", garbled) if garbled else ("ok", "")


def _since(began: float) -> float:
    return time.monotonic() - began
