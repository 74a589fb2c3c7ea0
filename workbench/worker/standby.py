"""A worker on standby: it prepares itself, then waits for a run to train."""

import json
import os
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from workbench.errors import UserError
from workbench.experiment.toml import read_spec
from workbench.runs.folder import RunFolder
from workbench.runs.process import MAX_ORDER_BYTES
from workbench.worker.preload import WarmState, warm_up
from workbench.worker.session import restart_process, train_run


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
    if not _suits(state, folder):
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


def _suits(state: WarmState | None, folder: Path) -> bool:
    try:
        return state is not None and state.suits(read_spec(RunFolder(folder).spec_path))
    except (OSError, UserError):
        return False
