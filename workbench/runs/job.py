"""A job of a worker process: its request, its events, its result or why it failed."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from workbench.errors import UserError
from workbench.messages import tr
from workbench.runs.process import (
    WORKER_MODULE,
    describe_exit,
    end_worker,
    last_lines,
    start_worker,
    worker_command,
)
from workbench.text import safe_text

JobEvent = dict[str, Any]  # "event" is its kind: progress, notice, or one of the job's own
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)  # NaN: a number that is unknown
_HINTS = {
    -signal.SIGKILL: tr("Memory may have run out: close other programs."),
    -signal.SIGSEGV: tr("A file it read may be damaged or forged: try another."),
}


def run_job(
    job: str,
    request: dict[str, Any],
    on_event: Callable[[JobEvent], None],
    module: str = WORKER_MODULE,
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run a job in a worker process and return its result.

    The worker reads the request as JSON from stdin. Its events come over a pipe of their own, so
    that nothing a library prints can mix in; the printed output is kept in case of a crash.

    Args:
        job: name of the job.
        request: arguments of the job; paths are absolute.
        on_event: called for every event but the last.
        module: Python module to run; tests have workers of their own.
        on_start: receives the process, for callers that may end it from another thread.
        environment: all variables of the worker; None for those of this process.

    Raises:
        UserError: The job failed, with the worker's reason; or the worker crashed.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        log = Path(scratch, "worker.log")
        request_path = Path(scratch, "request.json")
        request_path.write_text(json.dumps(request), encoding="ascii")
        process, lines = _start(worker_command(module, job), request_path, log, environment)
        try:
            on_start(process)
            for line in lines:
                event = _parse(line)
                if event is None:
                    continue
                if event["event"] == "result":
                    return {key: value for key, value in event.items() if key != "event"}
                if event["event"] == "failed":
                    message = event.get("message") or tr("The worker gave no reason.")
                    raise UserError(str(message), str(event.get("hint") or ""))
                on_event(event)
            raise _crash_error(job, process.wait(), last_lines(log))
        finally:
            lines.close()
            end_worker(process)


def _start(
    command: list[str], request: Path, log: Path, environment: Mapping[str, str] | None
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start the worker; return it and the lines of its events."""
    read_end, write_end = os.pipe()
    try:
        with request.open("rb") as stdin, log.open("wb") as output:
            command = [*command, "--events-fd", str(write_end)]
            process = start_worker(
                command, output, stdin, descriptors=(write_end,), environment=environment
            )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)  # leaves the worker's copy, whose end ends the lines
    return process, os.fdopen(read_end, "rb")


def _parse(line: bytes) -> JobEvent | None:
    """Return the event in a line; None for another line."""
    try:
        event = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _crash_error(job: str, code: int, lines: list[str]) -> UserError:
    printed = "".join(f"\n  {safe_text(line)}" for line in lines)
    output = (
        tr("The last it printed:{printed}", printed=printed)
        if printed
        else tr("It printed nothing.")
    )
    return UserError(
        tr(
            "The worker for {job} ended {exit}. {output}",
            job=job,
            exit=describe_exit(code),
            output=output,
        ),
        _HINTS.get(code, ""),
    )
