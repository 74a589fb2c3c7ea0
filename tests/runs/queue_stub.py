"""Stub jobs in real processes that share four devices; some are killed at random.

python -m queue_stub FOLDER JOBS SEED    writes FOLDER/log, a JSON line for each event
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.lock import take_lock
from workbench.runs.queue import wait_for_devices
from workbench.runs.tickets import draw_ticket

DEVICES = ("gpu-0", "gpu-1", "gpu-2", "gpu-3")
SECONDS = 0.04  # of a job at most


class FourDevices:
    """All of them, with enough memory."""

    count, share, obstacle = 1, 1, ""

    def permitted(self) -> tuple[str, ...]:
        """Return all names."""
        return DEVICES

    usable = roomy = permitted


def job(run: RunFolder, log: int, seconds: float) -> None:
    """Wait for a device, use it, end."""
    (slot,) = wait_for_devices(run, FourDevices(), lambda *_: None, lambda: False, poll=0.002)
    taken = os.fstat(slot.descriptor).st_mtime_ns  # when it was taken, with the mutex held
    write(log, event="start", run=run.name, device=slot.device, taken=taken)
    time.sleep(seconds)
    write(log, event="end", run=run.name, device=slot.device)


def write(log: int, **event: object) -> None:
    """Append a line, in one call."""
    os.write(log, json.dumps({"t": time.monotonic_ns(), **event}).encode() + b"\n")


def main(root: Path, jobs: int, seed: int) -> None:
    """Start the jobs one after the other; kill some at random moments; wait for all."""
    chance = random.Random(seed)
    log = os.open(root / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    children: dict[int, str] = {}

    def kill_one(share: float) -> None:
        if children and chance.random() < share:
            pid = chance.choice(list(children))
            write(log, event="kill", run=children[pid])
            os.kill(pid, signal.SIGKILL)  # it may have ended, and not been waited for

    for number in range(jobs):
        run = create_run(Workspace(root), "", f"job-{number}", "job")
        lock = take_lock(run.lock_path)
        draw_ticket(run, queued=True)
        seconds = chance.random() * SECONDS
        if (pid := os.fork()) == 0:
            job(run, log, seconds)
            os._exit(0)
        os.close(lock)
        children[pid] = run.name
        kill_one(0.3)
    while children:
        pid, _ = os.waitpid(-1, 0)
        write(log, event="gone", run=children.pop(pid))
        kill_one(0.3)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
