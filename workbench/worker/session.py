"""A worker's life with a run: from its first event to its last, and what follows."""

import json
import os
import platform
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from workbench.errors import UserError
from workbench.experiment.batch_size import halved
from workbench.experiment.toml import dump_spec, read_spec
from workbench.files import write_atomic
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder
from workbench.runs.host import this_host
from workbench.runs.process import ON_FINISH, WORKER_MODULE, train_command
from workbench.training.environment import versions
from workbench.training.position import Stopped
from workbench.worker.control import Reserve, StopRequest
from workbench.worker.failures import OutOfMemory, failure_of
from workbench.worker.train import TrainJob

AGAIN = "again"


def train_run(path: Path, lock_fd: int, resume: bool) -> int:
    """Trains the run in a folder; returns the process's exit code.

    Args:
        lock_fd: the run's lock, taken by the launcher and held until the last event is told.
        resume: True to go on at the last checkpoint.
    """
    os.set_inheritable(lock_fd, False)
    folder = RunFolder(path)
    stop_asked = StopRequest(folder)
    _remove_leftovers(folder)
    try:
        state, code = _told(folder, stop_asked, resume)
        if state == AGAIN:
            begin_anew(path, lock_fd, resume=True)
    except OSError:  # not even the last words: the folder is gone, or the disk is beyond help
        traceback.print_exc()
        state, code = "failed", 1
    finally:
        os.close(lock_fd)  # before the libraries' own clean-up, which takes a second
    run_on_finish(folder, state)
    return code


def _remove_leftovers(folder: RunFolder) -> None:
    """Takes away what a killed worker was writing; nobody else writes here."""
    for place in (folder.path, folder.checkpoints):
        for path in place.glob(".*.tmp*"):
            with suppress(OSError):
                path.unlink()


def _told(folder: RunFolder, stop_asked: StopRequest, resume: bool) -> tuple[str, int]:
    """Runs the job; whatever becomes of it is told as the last event.

    Returns:
        "finished", "stopped", "failed", or AGAIN where a fresh process has to go on; and the
        exit code.
    """
    events = EventWriter(folder.events_path)
    reserve = None
    try:
        reserve = Reserve(folder.reserve_path)
        job = TrainJob(folder, events, stop_asked)
        _introduce(folder, events)
        job.run(resume)
        events.write("finished", seconds=time.monotonic() - job.started)
        return "finished", 0
    except Stopped as stop:
        events.write("stopped", **asdict(stop.place))
        return "stopped", 0
    except OutOfMemory as error:
        if halve_batch(folder, events):
            return AGAIN, 0
        events.write("failed", **failure_of(error))
        return "failed", 2
    except Exception as error:
        if reserve:
            reserve.free()
        if not isinstance(error, UserError):
            with suppress(OSError):
                traceback.print_exc()
        events.write("failed", **failure_of(error))
        return "failed", 2 if isinstance(error, UserError) else 1
    finally:
        if reserve:
            reserve.free()


def halve_batch(folder: RunFolder, events: EventWriter) -> bool:
    """Writes half the batch into the spec where the run is to go on so; False where it is not."""
    spec = read_spec(folder.spec_path)
    smaller = halved(spec)
    if spec.training.out_of_memory != "retry" or smaller is None:
        return False
    write_atomic(folder.spec_path, dump_spec(smaller))
    sizes = spec.training.batch_size, smaller.training.batch_size
    events.write("batch_halved", from_size=sizes[0], to_size=sizes[1])
    return True


def _introduce(folder: RunFolder, events: EventWriter) -> None:
    """Says who works here: in worker.json and as the first event of this life."""
    told = {
        "pid": os.getpid(),
        **this_host(),
        "python": platform.python_version(),
        **versions(),
        "warm": "keras" in sys.modules,  # imported before there was a run
    }
    write_atomic(folder.worker_path, json.dumps({**told, "started": time.time()}, indent=1))
    events.write("worker_started", **told)


def begin_anew(folder: Path, lock_fd: int, resume: bool) -> None:
    """Becomes a fresh process for the run, with the same lock: no more memory of what was."""
    os.set_inheritable(lock_fd, True)
    command = train_command(WORKER_MODULE, folder, lock_fd, resume)
    os.execv(command[0], command)


def run_on_finish(folder: RunFolder, state: str) -> None:
    """Runs the command that a person wants to be run at the end, if there is one.

    It finds WORKBENCH_RUN, WORKBENCH_RUN_FOLDER and WORKBENCH_STATE (finished, stopped or failed)
    among its variables. What it prints goes to worker.log.
    """
    command = os.environ.get(ON_FINISH)
    if not command:
        return
    told = {
        "WORKBENCH_RUN": folder.name,
        "WORKBENCH_RUN_FOLDER": str(folder.path),
        "WORKBENCH_STATE": state,
    }
    variables = {key: value for key, value in os.environ.items() if key != ON_FINISH}
    with suppress(OSError):
        subprocess.run(
            command, shell=True, stdin=subprocess.DEVNULL, env={**variables, **told}, check=False
        )
