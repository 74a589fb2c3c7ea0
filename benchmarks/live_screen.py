"""What an open live screen costs: the app's CPU time beside a run that writes events.

    python benchmarks/live_screen.py [--seconds 60]

A made-up run writes events as a real one does, two a second and an epoch every five; the app shows
its curves in a pseudo-terminal of 120 x 40. Prints the app's share of the machine, and the bytes
that it drew, which is what an SSH line carries. For comparison: the same app on its home screen,
and in a workspace of 100 finished runs, which it polls as well.
"""

import argparse
import os
import tempfile
import threading
from pathlib import Path

import psutil
from pseudo_terminal import PseudoTerminal, workbench

from workbench.paths import Workspace
from workbench.runs.event_log import EventWriter, StatusWriter
from workbench.runs.events import (
    DataReady,
    EpochFinished,
    Launched,
    RunFinished,
    StageStarted,
    StepProgress,
)
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.lock import take_lock

IDLE_RUNS = 100
SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photographs"\n'
START_SECONDS = 5.0  # until the screen stands
STEPS = 100


def begun(workspace: Workspace, name: str = "measured") -> RunFolder:
    """Return a run with forty finished epochs."""
    folder = create_run(workspace, SPEC, name, "")
    events = EventWriter(folder.events_path)
    events.write(Launched())
    events.write(DataReady(name="photographs", images={"train": 2000}, labels=("a", "b")))
    events.write(StageStarted(stage=0, name="train all", epochs=10_000, steps=STEPS))
    for epoch in range(1, 41):
        write_epoch(events, epoch)
    return folder


def write_epoch(events: EventWriter, epoch: int) -> None:
    """Write a finished epoch of a network that learns slowly."""
    loss = 1 / (1 + epoch / 10)
    events.write(EpochFinished(
        stage=0, epoch=epoch, loss=loss, accuracy=1 - loss / 2, seconds=5.0,
        val_loss=loss + 0.1, val_accuracy=0.9 - loss / 2, learning_rate=1e-3, best=True,
    ))  # fmt: skip


def keep_writing(folder: RunFolder, ended: threading.Event) -> None:
    """Write two events a second, and an epoch every five."""
    events, written = EventWriter(folder.events_path), 0
    status = StatusWriter(folder.status_path, events)
    while not ended.wait(0.5):
        written += 1
        epoch, step = 41 + written // 10, written % 10 * STEPS // 10
        if step == 0:
            write_epoch(events, epoch - 1)
        status.update(StepProgress(
            stage=0, phase="train", epoch=epoch, step=step, steps=STEPS,
            loss=0.2, accuracy=0.9, images_per_second=80.0,
        ))  # fmt: skip


def fill(workspace: Workspace, runs: int) -> None:
    """Make finished runs."""
    for number in range(runs):
        folder = begun(workspace, f"idle-{number}")
        EventWriter(folder.events_path).write(RunFinished(seconds=200.0))


def measure(workspace: Workspace, keys: str, seconds: float) -> tuple[float, float]:
    """Return CPU seconds and bytes drawn, each a second."""
    with PseudoTerminal(workbench(workspace.root), rows=40, columns=120) as terminal:
        terminal.read_for(START_SECONDS)
        terminal.type(keys)
        terminal.read_for(START_SECONDS)
        watched = psutil.Process(terminal.process.pid)
        before = watched.cpu_times()
        drawn = terminal.read_for(seconds)
        after = watched.cpu_times()
        used = after.user + after.system - before.user - before.system
        return used / seconds, drawn / seconds


def main() -> None:
    """Measure home and the live screen, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        folder = begun(workspace)
        lock, ended = take_lock(folder.lock_path), threading.Event()
        writer = threading.Thread(target=keep_writing, args=(folder, ended))
        writer.start()
        try:
            for name, keys in (("home", ""), ("live screen", "\r")):
                cpu, drawn = measure(workspace, keys, given.seconds)
                print(
                    f"{name}: {cpu / cores:.2%} of the machine ({cores} cores), "
                    f"{drawn / 1000:.1f} kB drawn a second"
                )
        finally:
            ended.set()
            writer.join()
            os.close(lock)
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))
        fill(workspace, IDLE_RUNS)
        cpu, _ = measure(workspace, "", given.seconds)
        print(f"home, {IDLE_RUNS} finished runs: {cpu:.2%} of one core")


if __name__ == "__main__":
    main()
