"""Short jobs of a worker that a person waits for: evaluate, predict, find a rate."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.events import Event, parse_event
from workbench.runs.process import (
    WORKER_MODULE,
    WORKING_FOLDER,
    exit_in_words,
    last_lines,
    worker_command,
)
from workbench.text import safe_text

END_SECONDS = 5.0  # patience for a worker that was told to end


def run_job(
    job: str,
    request: dict[str, Any],
    on_event: Callable[[Event], None],
    module: str = WORKER_MODULE,
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
) -> dict[str, Any]:
    """Has a worker do a job and returns its result.

    The request goes to the worker's stdin as JSON. Its events come over a pipe of their own, so
    that nothing a library prints can mix in; what is printed is kept for the case of a crash.

    Args:
        request: what the job is about; paths in it absolute.
        on_event: called for every event but the last.
        module: what is run; tests have workers of their own.
        on_start: given the worker's process, for who may want to end it from another thread.

    Raises:
        UserError: the job failed, with the worker's reason; or the worker crashed.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        log = Path(scratch, "worker.log")
        asked = Path(scratch, "request.json")
        asked.write_text(json.dumps(request), encoding="ascii")
        process, events = _start(worker_command(module, job), asked, log)
        try:
            on_start(process)
            for line in events:
                event = parse_event(line)
                if event is None:
                    continue
                if event["event"] == "result":
                    return {key: value for key, value in event.items() if key != "event"}
                if event["event"] == "failed":
                    message = event.get("message") or "The worker gave no reason."
                    raise UserError(str(message), str(event.get("hint") or ""))
                on_event(event)
            raise _crashed(job, process.wait(), last_lines(log))
        finally:
            events.close()
            _end(process)


def run_in_scratch(
    workspace: Workspace,
    job: str,
    request: dict[str, Any],
    on_event: Callable[[Event], None],
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
) -> dict[str, Any]:
    """Has a worker train for an answer alone: what it writes meanwhile is removed.

    Args:
        request: beside workspace and scratch (see `worker.bench`).

    Raises:
        UserError: as `run_job`.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        shared = {"workspace": str(workspace.root), "scratch": scratch}
        return run_job(job, {**shared, **request}, on_event, on_start=on_start)


def _start(command: list[str], request: Path, log: Path) -> tuple[subprocess.Popen[bytes], Any]:
    """Starts the worker; returns it and the lines of its events."""
    read_end, write_end = os.pipe()
    try:
        with request.open("rb") as stdin, log.open("wb") as printed:
            process = subprocess.Popen(
                [*command, "--events-fd", str(write_end)],
                stdin=stdin,
                stdout=printed,
                stderr=printed,
                cwd=WORKING_FOLDER,
                pass_fds=(write_end,),
            )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)  # the worker's copy is the only one, so its end ends the lines
    return process, os.fdopen(read_end, "rb")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the worker if it still works: after Ctrl-C, or when it is slow to go."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


_HINTS = {
    -signal.SIGKILL: "Memory may have run out: close other programs.",
    -signal.SIGSEGV: "A file it read may be damaged or forged: try another.",
}


def _crashed(job: str, code: int, lines: list[str]) -> UserError:
    printed = "".join(f"\n  {safe_text(line)}" for line in lines)
    said = f"The last it printed:{printed}" if printed else "It printed nothing."
    return UserError(
        f"The worker for {job} ended {exit_in_words(code)}. {said}", _HINTS.get(code, "")
    )
