"""A worker without a network for the runs of a sweep: it continues the sweep as a real one does.

python -m sweep_worker train FOLDER --lock-fd N [--resume]
"""

import os
import sys
from functools import partial
from pathlib import Path

from event_lines import LogWriter
from fake_worker import FakeDevices

from workbench.runs import sweep_queue
from workbench.runs.folder import RunFolder
from workbench.runs.launch import launch, stop_requested
from workbench.runs.lock import this_host
from workbench.runs.queue import wait_for_devices

FAIL = "fail"  # preset of a run that fails


launch_here = partial(launch, module="sweep_worker")  # for sweeps to start this worker


class StopRequested(Exception):  # noqa: N818 - a state, not an error
    pass


def train(folder: RunFolder) -> None:
    """Wait for the run's turn, continue its sweep, work a moment."""
    events = LogWriter(folder.events_path)
    events.write("worker_started", pid=os.getpid(), **this_host())

    def progress(phase: str, done: int, total: int) -> None:
        if stop_requested(folder):
            raise StopRequested

    try:
        wait_for_devices(
            folder, FakeDevices(), progress, lambda: stop_requested(folder), poll=0.005
        )
    except StopRequested:
        events.write("stopped", stage=0, epoch=1, step=0)
        return
    sweep_queue.continue_sweep(folder)
    if folder.spec_path.read_text(encoding="utf-8").startswith(f'preset = "{FAIL}"'):
        events.write("failed", message="no room")
        return
    events.write("finished", seconds=0.0)


if __name__ == "__main__":
    descriptor = int(sys.argv[sys.argv.index("--lock-fd") + 1])
    os.set_inheritable(descriptor, False)
    sweep_queue.launch = launch_here  # type: ignore[assignment]
    run = RunFolder(Path(sys.argv[2]))
    train(run)
    os.close(descriptor)
    sweep_queue.continue_sweep(run)
