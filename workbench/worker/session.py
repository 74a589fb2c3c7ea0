"""One worker's session on a run, from its first event to its last, and what follows.

A worker on standby prepares itself, then waits for its run.
"""

import json
import os
import platform
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from workbench.errors import UserError
from workbench.experiment.batch_size import halve_batch_size
from workbench.experiment.toml import dump_spec, read_spec
from workbench.files import write_atomic
from workbench.machine.backends import chosen_backend
from workbench.messages import tr
from workbench.runs.event_log import EventWriter
from workbench.runs.events import (
    BatchHalved,
    Notice,
    RunFailed,
    RunFinished,
    RunStopped,
    WorkerStarted,
)
from workbench.runs.folder import RunFolder
from workbench.runs.launch import stop_requested
from workbench.runs.lock import this_host
from workbench.runs.process import MAX_ORDER_BYTES, ON_FINISH, WORKER_MODULE, train_command
from workbench.runs.slots import CPU, Slot, adopt_slot
from workbench.training.trainer_state import Stopped
from workbench.worker.jobs import OutOfMemory, failure_fields
from workbench.worker.startup import (
    FIRST_ENVIRONMENT,
    WarmState,
    backend_of_session,
    use_backend,
    versions,
    warm_up,
)
from workbench.worker.sweep import continue_sweep
from workbench.worker.train import TrainJob

POLL_SECONDS = 0.3  # between two polls of the control folder
RESERVE_BYTES = 256 << 10  # for some events and a traceback
RESTART = "restart"


class StopRequest:
    """True once a stop was requested: by a signal, or by a file in the control folder."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.requested = False
        self.signalled = False
        self.polled = 0.0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def __call__(self) -> bool:
        """Return True once a stop was requested."""
        now = time.monotonic()
        if not self.requested and now - self.polled > POLL_SECONDS:
            self.polled = now
            self.requested = stop_requested(self.folder)
        return self.requested

    def _on_signal(self, number: int, _frame: object) -> None:
        # The second signal ends the process at once; the last checkpoint is kept. A request in the
        # control folder does not count: a job scheduler may use both ways for one request.
        if self.signalled:
            os._exit(128 + number)
        self.signalled = self.requested = True


class Reserve:
    """Disk space that is taken at the start and freed for the last events of a session.

    Raises:
        OSError: The disk is full or not writable from the beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(RESERVE_BYTES))

    def free(self) -> None:
        """Free the space; repeated calls are allowed."""
        with suppress(OSError):
            self.path.unlink()


def train_run(path: Path, lock_fd: int, resume: bool, slots: Sequence[int] = ()) -> int:
    """Train the run in a folder; return the process's exit code.

    Args:
        path: the run's folder.
        lock_fd: the run's lock, taken by the launcher and held until the last event is written.
        resume: True to continue at the last checkpoint.
        slots: descriptors of the devices' slots that an earlier process of the run took.
    """
    os.set_inheritable(lock_fd, False)
    folder = RunFolder(path)
    should_stop = StopRequest(folder)
    _remove_temporary_files(folder)
    job = TrainJob(folder, EventWriter(folder.events_path), should_stop)
    job.slots = tuple(adopt_slot(descriptor) for descriptor in slots)
    try:
        state, code = _run_job(job, resume)
        if state == RESTART:
            restart_process(path, lock_fd, resume=True, slots=job.slots)
    except OSError:  # not even the last event could be written: the folder is gone, or the disk
        traceback.print_exc()
        state, code = "failed", 1
    finally:
        # Before the libraries' own clean-up, which takes a second. A GPU's memory is free, and so
        # its slot, only when the process has ended.
        os.close(lock_fd)
        for slot in job.slots:
            if slot.device == CPU:
                os.close(slot.descriptor)
    if not should_stop.signalled:  # else the machine may be going down
        continue_sweep(folder)
    become_on_finish(folder, state)
    return code


def _remove_temporary_files(folder: RunFolder) -> None:
    """Remove what a killed worker was writing; no other process writes here."""
    for parent in (folder.path, folder.checkpoints):
        for path in parent.glob(".*.tmp*"):
            with suppress(OSError):
                path.unlink()


def _run_job(job: TrainJob, resume: bool) -> tuple[str, int]:
    """Run the job and write its result as the last event.

    Returns:
        "finished", "stopped", "failed", or RESTART if a new process has to continue; and the exit
        code.
    """
    folder, events = job.folder, job.events
    reserve = None
    try:
        reserve = Reserve(folder.reserve_path)
        before = chosen_backend(os.environ)
        use_backend(backend_of_session(folder, resume))
        _write_worker(folder, events)
        if resume and (kept := chosen_backend(os.environ)) != before:
            events.write(Notice(message=tr("The run continues on {kept}, its backend.", kept=kept)))
        job.run(resume)
        events.write(RunFinished(seconds=time.monotonic() - job.started))
        return "finished", 0
    except Stopped as stop:
        pruned = "" if job.should_stop() else job.given_up
        events.write(RunStopped(**asdict(stop.position), pruned=pruned))
        return "stopped", 0
    except OutOfMemory as error:
        if halve_batch(folder, events):
            return RESTART, 0
        events.write(RunFailed.read({**failure_fields(error), **job.reached}))
        return "failed", 2
    except Exception as error:
        if reserve:
            reserve.free()
        if not isinstance(error, UserError):
            with suppress(OSError):
                traceback.print_exc()
        events.write(RunFailed.read({**failure_fields(error), **job.reached}))
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
    process = {"pid": os.getpid(), "python": platform.python_version()}
    warm = "keras" in sys.modules
    fields = {**process, **this_host(), **versions(), "warm": warm}
    write_atomic(folder.worker_path, json.dumps({**fields, "started": time.time()}, indent=1))
    events.write(WorkerStarted.read(fields))


def restart_process(
    folder: Path,
    lock_fd: int,
    resume: bool,
    slots: Sequence[Slot] = (),
) -> None:
    """Replace this process by a new one for the run, with the same id and locks and no state.

    With the variables that this process got it sees all GPUs again, of which it holds slots.
    """
    descriptors = [slot.descriptor for slot in slots]
    for descriptor in (lock_fd, *descriptors):
        os.set_inheritable(descriptor, True)
    command = train_command(WORKER_MODULE, folder, lock_fd, resume, descriptors)
    os.execve(command[0], command, FIRST_ENVIRONMENT)


def become_on_finish(folder: RunFolder, state: str) -> None:
    """Become the user's command for the end of a run, if there is one.

    As its own process ends, the run's GPU is free while the command runs, which may take long. Its
    variables contain WORKBENCH_RUN, WORKBENCH_RUN_FOLDER and WORKBENCH_STATE (finished, stopped or
    failed). Its output goes to worker.log.
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
    sys.stdout.flush()
    sys.stderr.flush()
    with suppress(OSError):  # its folder names the process to those who wait for its end
        os.execve("/bin/sh", ["sh", "-c", command, "sh", str(folder.path.absolute())], variables)


def wait_for_run(channel_fd: int) -> int:
    """Warm up, then train the run that comes over the channel; return the exit code.

    If the preparation does not suit the run, the process restarts as if it were started for it.
    It ends when the other side of the channel is closed.
    """
    with socket.socket(fileno=channel_fd) as channel:
        state = _try_to_warm_up()
        order, descriptors, _, _ = socket.recv_fds(channel, MAX_ORDER_BYTES, 2)
    if not order:
        os._exit(0)  # the libraries' own clean-up takes a second
    lock, log = descriptors
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.close(log)
    fields = json.loads(order)
    folder, resume = Path(fields["folder"]), bool(fields["resume"])
    name_process(folder.name)
    if not _suits(state, folder, resume):
        restart_process(folder, lock, resume)
    return train_run(folder, lock, resume)


def name_process(run: str) -> None:
    """Show the run's name in `ps -e` and `top`, since the command line does not contain it."""
    with suppress(OSError):  # not on Linux
        Path("/proc/self/comm").write_text(f"wb:{run}")  # the kernel keeps 15 bytes


def _try_to_warm_up() -> WarmState | None:
    """Return None if it failed: the run's own process reports why."""
    try:
        return warm_up()
    except Exception:
        traceback.print_exc()
        return None


def _suits(state: WarmState | None, folder: Path, resume: bool) -> bool:
    run = RunFolder(folder)
    try:
        return state is not None and state.suits(
            read_spec(run.spec_path), backend_of_session(run, resume)
        )
    except (OSError, UserError):
        return False
