"""One worker's session on a run, from its first event to its last, and what follows."""

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
from workbench.experiment.batch_size import halve_batch_size
from workbench.experiment.toml import dump_spec, read_spec
from workbench.files import write_atomic
from workbench.runs.event_log import EventWriter
from workbench.runs.events import BatchHalved, Failed, Finished, WorkerStarted
from workbench.runs.events import Stopped as StoppedEvent
from workbench.runs.folder import RunFolder
from workbench.runs.lock import this_host
from workbench.runs.process import ON_FINISH, WORKER_MODULE, train_command
from workbench.training.environment import versions
from workbench.training.trainer_state import Stopped
from workbench.worker.control import Reserve, StopRequest
from workbench.worker.failures import OutOfMemory, failure_fields
from workbench.worker.train import TrainJob

RESTART = "restart"


def train_run(path: Path, lock_fd: int, resume: bool) -> int:
    """Train the run in a folder; return the process's exit code.

    Args:
        path: the run's folder.
        lock_fd: the run's lock, taken by the launcher and held until the last event is written.
        resume: True to continue at the last checkpoint.
    """
    os.set_inheritable(lock_fd, False)
    folder = RunFolder(path)
    should_stop = StopRequest(folder)
    _remove_temporary_files(folder)
    try:
        state, code = _run_job(folder, should_stop, resume)
        if state == RESTART:
            restart_process(path, lock_fd, resume=True)
    except OSError:  # not even the last event could be written: the folder is gone, or the disk
        traceback.print_exc()
        state, code = "failed", 1
    finally:
        os.close(lock_fd)  # before the libraries' own clean-up, which takes a second
    run_on_finish(folder, state)
    return code


def _remove_temporary_files(folder: RunFolder) -> None:
    """Remove what a killed worker was writing; no other process writes here."""
    for parent in (folder.path, folder.checkpoints):
        for path in parent.glob(".*.tmp*"):
            with suppress(OSError):
                path.unlink()


def _run_job(folder: RunFolder, should_stop: StopRequest, resume: bool) -> tuple[str, int]:
    """Run the job and write its result as the last event.

    Returns:
        "finished", "stopped", "failed", or RESTART if a new process has to continue; and the exit
        code.
    """
    events = EventWriter(folder.events_path)
    job = TrainJob(folder, events, should_stop)
    reserve = None
    try:
        reserve = Reserve(folder.reserve_path)
        _write_worker(folder, events)
        job.run(resume)
        events.write(Finished(seconds=time.monotonic() - job.started))
        return "finished", 0
    except Stopped as stop:
        events.write(StoppedEvent(**asdict(stop.position)))
        return "stopped", 0
    except OutOfMemory as error:
        if halve_batch(folder, events):
            return RESTART, 0
        events.write(Failed(**failure_fields(error), **job.reached))
        return "failed", 2
    except Exception as error:
        if reserve:
            reserve.free()
        if not isinstance(error, UserError):
            with suppress(OSError):
                traceback.print_exc()
        events.write(Failed(**failure_fields(error), **job.reached))
        return "failed", 2 if isinstance(error, UserError) else 1
    finally:
        if reserve:
            reserve.free()


def halve_batch(folder: RunFolder, events: EventWriter) -> bool:
    """Halve the batch size in the spec; return False if the run should not continue with less."""
    spec = read_spec(folder.spec_path)
    smaller = halve_batch_size(spec)
    if spec.training.out_of_memory != "retry" or smaller is None:
        return False
    write_atomic(folder.spec_path, dump_spec(smaller))
    sizes = spec.training.batch_size, smaller.training.batch_size
    events.write(BatchHalved(from_size=sizes[0], to_size=sizes[1]))
    return True


def _write_worker(folder: RunFolder, events: EventWriter) -> None:
    """Describe this process in worker.json and in the first event of its session."""
    event = WorkerStarted(
        pid=os.getpid(),
        **this_host(),
        python=platform.python_version(),
        **versions(),
        warm="keras" in sys.modules,
    )
    fields = event.model_dump(exclude={"v", "n", "t", "event"})
    write_atomic(folder.worker_path, json.dumps({**fields, "started": time.time()}, indent=1))
    events.write(event)


def restart_process(folder: Path, lock_fd: int, resume: bool) -> None:
    """Replace this process by a new one for the run, with the same id and lock and no state."""
    os.set_inheritable(lock_fd, True)
    command = train_command(WORKER_MODULE, folder, lock_fd, resume)
    os.execv(command[0], command)


def run_on_finish(folder: RunFolder, state: str) -> None:
    """Run the user's command for the end of a run, if there is one.

    Its variables contain WORKBENCH_RUN, WORKBENCH_RUN_FOLDER and WORKBENCH_STATE (finished,
    stopped or failed). Its output goes to worker.log.
    """
    command = os.environ.get(ON_FINISH)
    if not command:
        return
    variables = {key: value for key, value in os.environ.items() if key != ON_FINISH}
    variables |= {
        "WORKBENCH_RUN": folder.name,
        "WORKBENCH_RUN_FOLDER": str(folder.path),
        "WORKBENCH_STATE": state,
    }
    with suppress(OSError):
        subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, env=variables, check=False)
