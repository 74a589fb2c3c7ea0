"""What an open live screen costs: the app's CPU time beside a run that tells of itself.

    python benchmarks/live_screen.py [--seconds 60]

A made-up run writes events as a real one does, two a second and an epoch every five; the app shows
its curves in a pseudo-terminal of 120 x 40. Prints the app's share of the whole box, and the bytes
that it drew, which is what an SSH line carries. For comparison: the same app on its home screen.
"""

import argparse
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import psutil

from workbench.paths import Workspace
from workbench.runs.event_log import EventWriter
from workbench.runs.events import DataReady, EpochFinished, Launched, StageStarted, StepProgress
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.lock import take_lock
from workbench.runs.status import StatusWriter

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photographs"\n'
START_SECONDS = 5.0  # until the screen stands
STEPS = 100


def begun(workspace: Workspace) -> RunFolder:
    """A run with forty epochs behind it."""
    folder = create_run(workspace, SPEC, "measured", "")
    events = EventWriter(folder.events_path)
    events.write(Launched())
    events.write(DataReady(name="photographs", images={"train": 2000}, labels=("a", "b")))
    events.write(StageStarted(stage=0, name="train all", epochs=10_000, steps=STEPS))
    for epoch in range(1, 41):
        tell_epoch(events, epoch)
    return folder


def tell_epoch(events: EventWriter, epoch: int) -> None:
    """A finished epoch of a network that learns slowly."""
    loss = 1 / (1 + epoch / 10)
    events.write(EpochFinished(
        stage=0, epoch=epoch, loss=loss, accuracy=1 - loss / 2, seconds=5.0,
        val_loss=loss + 0.1, val_accuracy=0.9 - loss / 2, learning_rate=1e-3, best=True,
    ))  # fmt: skip


def keep_telling(folder: RunFolder, ended: threading.Event) -> None:
    """Two events a second, an epoch every five."""
    events, told = EventWriter(folder.events_path), 0
    status = StatusWriter(folder.status_path, events)
    while not ended.wait(0.5):
        told += 1
        epoch, step = 41 + told // 10, told % 10 * STEPS // 10
        if step == 0:
            tell_epoch(events, epoch - 1)
        status.update(StepProgress(
            stage=0, phase="train", epoch=epoch, step=step, steps=STEPS,
            loss=0.2, accuracy=0.9, images_per_second=80.0,
        ))  # fmt: skip


def measure(workspace: Workspace, keys: bytes, seconds: float) -> tuple[float, float]:
    """CPU seconds and bytes drawn, each a second."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "--workspace", str(workspace.root)],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(slave)
    try:
        read_for(master, START_SECONDS)
        os.write(master, keys)
        read_for(master, START_SECONDS)
        watched = psutil.Process(process.pid)
        before = watched.cpu_times()
        drawn = read_for(master, seconds)
        after = watched.cpu_times()
        used = after.user + after.system - before.user - before.system
        return used / seconds, drawn / seconds
    finally:
        process.kill()
        process.wait()
        os.close(master)


def read_for(descriptor: int, seconds: float) -> int:
    """Reads what is drawn for so long; returns how many bytes that were."""
    count, deadline = 0, time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            count += len(os.read(descriptor, 65536))
    return count


def main() -> None:
    """Measures home and the live screen, and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        folder = begun(workspace)
        lock, ended = take_lock(folder.lock_path), threading.Event()
        teller = threading.Thread(target=keep_telling, args=(folder, ended))
        teller.start()
        try:
            for name, keys in (("home", b""), ("live screen", b"\r")):
                cpu, drawn = measure(workspace, keys, given.seconds)
                print(
                    f"{name}: {cpu / cores:.2%} of the box ({cores} cores), "
                    f"{drawn / 1000:.1f} kB drawn a second"
                )
        finally:
            ended.set()
            teller.join()
            os.close(lock)


if __name__ == "__main__":
    main()
