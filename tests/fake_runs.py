"""Made-up runs for tests: folders with the event log and the results of a worker."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from event_lines import LogWriter

from workbench.paths import Workspace
from workbench.runs.event_log import StatusWriter
from workbench.runs.events import GpuUse, MachineSample, StepProgress
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.lock import take_lock, this_host

FINE_TUNING = (
    '[data]\nsource = "/photos/cats-dogs"\n[base]\nname = "vgg16"\n'
    '[model]\nstrategy = "fine-tuning"\n'
    "[training]\nhead_epochs = {head}\nepochs = {epochs}\nearly_stopping = 5\n"
    'monitor = "val_loss"\n'
)
CONVNET = (
    '[data]\nsource = "/photos/cats-dogs"\n[model]\nstrategy = "convnet"\n'
    '[training]\nepochs = {epochs}\nearly_stopping = 0\nmonitor = "val_loss"\n'
)
STEPS = 63


class FakeRun:
    """A run whose worker is the test: it writes the events and holds the lock while it runs."""

    def __init__(self, workspace: Workspace, name: str, spec: str) -> None:
        self.folder: RunFolder = create_run(workspace, spec, name=name, stem=name)
        log = LogWriter(self.folder.events_path)
        self.emit = log.write
        self.status = StatusWriter(self.folder.status_path, log.events, seconds=0.0)
        self._lock: int | None = None

    def live(self) -> None:
        """Take the lock, like a worker."""
        self._lock = take_lock(self.folder.lock_path)
        self.emit("worker_started", pid=os.getpid(), **this_host())

    def die(self) -> None:
        """Release the lock, like the end of a process."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def data(
        self,
        name: str = "cats-dogs",
        labels: Sequence[str] = ("cat", "dog"),
        train: int = 2000,
        rest: int = 1000,
    ) -> None:
        images = {"train": train, "validation": rest, "test": rest}
        self.emit("data_ready", name=name, images=images, labels=labels)

    def stage(self, index: int, name: str, epochs: int, **fields: Any) -> None:
        started = {"name": name, "epochs": epochs, "steps": STEPS, "batch_size": 32, **fields}
        self.emit("stage_started", stage=index, **started)

    def epochs(self, stage: int, count: int, **payload: Any) -> None:
        """Finish epochs; the best so far by validation loss are marked."""
        lowest = math.inf
        for epoch in range(1, count + 1):
            metrics = self.curve(stage, epoch)
            best = metrics["val_loss"] < lowest
            lowest = min(lowest, metrics["val_loss"])
            self.emit(
                "epoch_finished",
                **{
                    "stage": stage,
                    "epoch": epoch,
                    "learning_rate": 1e-5,
                    "seconds": 54.0,
                    "best": best,
                    **metrics,
                    **payload,
                },
            )

    def curve(self, stage: int, epoch: int) -> dict[str, float]:
        return curve(stage, epoch)

    def progress(
        self, stage: int, epoch: int, step: int, phase: str = "train", steps: int = STEPS,
        pace: float = 44.0,
    ) -> None:  # fmt: skip
        self.status.update(StepProgress(
            stage=stage, phase=phase, epoch=epoch, step=step, steps=steps, loss=0.031,
            accuracy=0.991, images_per_second=pace if phase == "train" else None,
        ))  # fmt: skip

    def machine(self, gpu: bool = True) -> None:
        one = GpuUse(utilization=87, temperature=64, memory_used=12 << 30, memory_total=80 << 30)
        self.status.update(MachineSample(
            cpu=96.0, process_cpu=380.0, memory_used=3_300_000_000, memory_total=25_800_000_000,
            process_memory=1_100_000_000, disk_free=120_000_000_000, gpu=one if gpu else None,
        ))  # fmt: skip

    def checkpoint(self, stage: int, epoch: int) -> None:
        self.folder.checkpoints.mkdir(exist_ok=True)
        (self.folder.checkpoints / "last.npz").touch()
        self.emit("checkpoint_saved", stage=stage, epoch=epoch, step=0)


def curve(stage: int, epoch: int) -> dict[str, float]:
    """Metrics that fall and rise as real ones do, the same in every call."""
    t = epoch + 6 * stage
    wave = 0.012 * math.sin(2.3 * t)
    late = max(epoch - 13, 0) if stage else 0
    return {
        "loss": 0.62 * math.exp(-t / 6) + 0.02,
        "accuracy": 0.995 - 0.42 * math.exp(-t / 5),
        "val_loss": 0.55 * math.exp(-t / 5) + 0.1 + wave + 0.012 * late,
        "val_accuracy": 0.955 - 0.38 * math.exp(-t / 5) - wave / 2 - 0.002 * late,
    }


FLOWERS = ("daisy", "dandelion", "rose", "sunflower", "tulip")
FLOWER_IMAGES = 40  # of each label, in validation


class FlowerRun(FakeRun):
    """A run that records how its classes fare, and how the losses of its steps spread."""

    def curve(self, stage: int, epoch: int) -> dict[str, Any]:
        found = curve(stage, epoch)
        right = sum(row[at] for at, row in enumerate(flower_confusion(epoch)))
        return {
            **found,
            "val_accuracy": right / (FLOWER_IMAGES * len(FLOWERS)),
            "val_confusion": {"counts": flower_confusion(epoch)},
            "step_losses": {
                "low": 0.6 * found["loss"], "median": 0.95 * found["loss"],
                "high": 1.5 * found["loss"] + 0.05,
            },
        }  # fmt: skip


def flower_confusion(epoch: int) -> list[list[int]]:
    """Counts after an epoch: each label is taken for the next one, tulips more and more so."""
    rows = []
    for at in range(len(FLOWERS)):
        wrong = min(epoch // 2, 12) if at == 4 else 24 // (epoch + at) + (at == 1)
        row = [0] * len(FLOWERS)
        row[at], row[(at + 1) % len(FLOWERS)] = FLOWER_IMAGES - wrong, wrong
        rows.append(row)
    return rows


def flowers(workspace: Workspace, name: str = "flowers-1", epochs: int = 20) -> FlowerRun:
    """Return a run that has trained some of 30 epochs and was stopped."""
    run = FlowerRun(workspace, name, CONVNET.format(epochs=30))
    run.emit("worker_started", **this_host())
    run.data("flowers", FLOWERS, 1000, FLOWER_IMAGES * len(FLOWERS))
    run.stage(0, "train all", 30)
    run.epochs(0, epochs)
    run.checkpoint(0, epochs + 1)
    run.emit("stopped", stage=0, epoch=epochs + 1, step=0)
    return run


@contextmanager
def training(
    workspace: Workspace, name: str = "cats-dogs-12", gpu: bool = True
) -> Iterator[FakeRun]:
    """Yield a fine-tuning run in its second stage: 16 of 30 epochs done, the worker running."""
    run = FakeRun(workspace, name, FINE_TUNING.format(head=10, epochs=30))
    run.live()
    try:
        chosen = {"index": 0, "name": "NVIDIA H100 80GB HBM3"} if gpu else None
        run.emit("gpu_chosen", asked="auto", gpu=chosen)
        run.data()
        run.stage(0, "head first", 10)
        run.epochs(0, 10)
        run.emit("stage_finished", stage=0, reason="all epochs", best_epoch=10, kept_epoch=10)
        run.stage(1, "head and block5", 30)
        run.epochs(1, 16)
        run.checkpoint(1, 17)
        run.machine(gpu)
        run.progress(1, 17, 20)
        yield run
    finally:
        run.die()


def finished(workspace: Workspace, name: str = "cats-dogs-11", epochs: int = 20) -> FakeRun:
    """Return a finished convnet run."""
    run = FakeRun(workspace, name, CONVNET.format(epochs=epochs))
    run.emit("worker_started", **this_host())
    run.data()
    run.stage(0, "train all", epochs)
    run.epochs(0, epochs)
    run.emit("stage_finished", stage=0, reason="all epochs", best_epoch=13, kept_epoch=13)
    run.emit(
        "evaluated", split="test", loss=0.124, accuracy=0.951, interval=[0.936, 0.963],
        images=1000, shifted={"pixels": 4, "accuracy": 0.921},
    )  # fmt: skip
    run.emit("finished", seconds=1200)
    return run


def fake_results(count: int) -> dict[str, Any]:
    """Return results.json of a run with `count` labels, three images each, and the whole matrix.

    All images of a label are correct except for every fifth label: 0, 5, 10, ... are predicted
    twice as the next label, and label 5 three times.
    """
    labels = [f"l{number}" for number in range(count)]
    matrix = [[0] * count for _ in labels]
    for row in range(count):
        wrong = 0 if row % 5 or row + 1 == count else 3 if row == 5 else 2
        matrix[row][row] = 3 - wrong
        if wrong:
            matrix[row][row + 1] = wrong
    right = sum(matrix[at][at] for at in range(count))
    classes = [
        {"label": label, "images": 3, "precision": 1.0, "recall": matrix[at][at] / 3}
        for at, label in enumerate(labels)
    ]
    accuracy = right / (3 * count)
    return {
        "format": 1, "split": "test", "images": 3 * count, "loss": 0.3, "accuracy": accuracy,
        "interval": [accuracy - 0.01, accuracy + 0.01], "labels": labels, "confusion": matrix,
        "classes": classes, "worst": [],
    }  # fmt: skip
