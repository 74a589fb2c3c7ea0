"""A simulated workspace: drawn images, event logs as a worker writes them, a machine with one GPU.

Nothing depends on a real machine, or on when or where it is built.
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from fake_runs import FakeRun
from PIL import Image

from workbench.app.draft import Draft
from workbench.app.scan_job import ScanJob
from workbench.datasets import inspect_job
from workbench.datasets.prepare import survey
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import preset_tree
from workbench.experiment.throughput import ThroughputModel
from workbench.experiment.toml import apply_settings, dump_spec, parse_spec
from workbench.machine import facts as machine
from workbench.machine import host_facts as host
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.machine.check import MachineReport
from workbench.machine.diagnosis import diagnose
from workbench.machine.live import Gauges
from workbench.paths import Workspace
from workbench.runs.lock import take_lock, this_host

NOW = 1_772_445_600.0  # 2 March 2026, 10:00 UTC
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
GIB = 2**30
FOLDER = "photos"  # of the workspace, as the app shows it
IMAGES = 1000  # of each class
SIZE = (72, 96)  # of a drawn image, rows and columns

CATS_DOGS = DataFacts(
    image_size=SIZE, uniform=True, channels=3, classes=2, images=2 * IMAGES,
    smallest_class=IMAGES, user_split=False,
)  # fmt: skip
FLOWERS = DataFacts(
    image_size=(160, 160), uniform=True, channels=3, classes=5, images=3670,
    smallest_class=633, user_split=False,
)  # fmt: skip

FIGURES = BenchmarkResult(
    device="NVIDIA H200", kind="gpu", precision="float32", jit=True, images_per_second=4000.0,
    speed=ThroughputModel(forward_flops=2e13, training_flops=1.6e13, forward_bytes=8e11,
                training_bytes=6e11, forward_step=0.004, training_step=0.008, update=4e-11),
)  # fmt: skip


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: float = NOW

    def read(self) -> float:
        """Return the time in unix seconds."""
        return self.now

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Replace `time.time`."""
        with mock.patch("time.time", self.read):
            yield


# Images


def draw(root: Path) -> None:
    """Draw faces with pointed and with hanging ears; two files are faulty."""
    random = np.random.default_rng(7)
    for label in ("cat", "dog"):
        folder = root / label
        folder.mkdir(parents=True)
        for number in range(IMAGES):
            face = _face(random, pointed=label == "cat")
            Image.fromarray(face).save(folder / f"{label}.{number}.jpg", quality=85)
    (root / "cat" / "cat.999.jpg").write_bytes((root / "cat" / "cat.12.jpg").read_bytes())
    whole = (root / "dog" / "dog.666.jpg").read_bytes()
    (root / "dog" / "dog.666.jpg").write_bytes(whole[: len(whole) // 3])


def _face(random: np.random.Generator, pointed: bool) -> np.ndarray:
    """Draw one face on a plain background, in random colours."""
    rows, columns = SIZE
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    shades = random.uniform((40, 70, 90), (90, 130, 170)) * random.uniform(0.7, 1.3, (2, 3, 1))
    rough = shades.clip(0, 255).astype(np.uint8)
    back = Image.fromarray(rough).resize((columns, rows), Image.Resampling.BICUBIC)
    image = np.asarray(back, float).copy()
    middle, height = columns / 2 + random.uniform(-8, 8), rows * random.uniform(0.52, 0.62)
    size = random.uniform(22, 27)
    fur = random.uniform(0.75, 1.1) * random.uniform((190, 130, 70), (225, 190, 150))
    head = ((x - middle) / size) ** 2 + ((y - height) / (size * 0.9)) ** 2 < 1
    image[head] = fur
    for side in (-1, 1):
        across, down = (x - middle) * side / size, (y - height) / size
        if pointed:
            ear = (across > 0.15) & (down > -1.5) & (across < 0.95) & (down < -0.3)
            ear &= np.abs(across - 0.65) < (down + 1.5) * 0.45
        else:
            ear = ((across - 1.0) / 0.3) ** 2 + (down / 0.85) ** 2 < 1
        image[ear] = fur * 0.6
        eye = (across - 0.4) ** 2 + (down + 0.15) ** 2 < 0.035
        image[eye] = (20, 25, 20)
    nose = ((x - middle) / size) ** 2 + ((y - height) / size - 0.35) ** 2 < 0.03
    image[nose] = (60, 30, 40)
    image += random.normal(0, 6, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def scan(workspace: Workspace, source: Path) -> None:
    """Write the result of a scan where the data screen reads it."""
    job = ScanJob(workspace, source)
    job.folder.mkdir(parents=True)
    with job.events.open("w", encoding="ascii") as events, contextlib.redirect_stdout(events):
        code = inspect_job.main([str(source), str(workspace.root)])
    assert code == 0, "the drawn images cannot be scanned"


# Runs


class RecordedRun(FakeRun):
    """A run whose events are written at the time that the clock shows."""

    def __init__(
        self, workspace: Workspace, name: str, preset: str, *settings: str, top: float = 0.975
    ) -> None:
        facts = FLOWERS if name.startswith("flowers") else CATS_DOGS
        source = f"/photos/{name.rpartition('-')[0]}"
        tree = apply_settings(preset_tree(preset, source, facts), settings)
        super().__init__(workspace, name, dump_spec(parse_spec(tree, "spec.toml")))
        self.top = top
        self.emit("worker_started", pid=os.getpid(), **this_host())
        self.emit("gpu_chosen", asked="auto", gpu={"index": 0, "name": "NVIDIA H200"})

    def curve(self, stage: int, epoch: int) -> dict[str, float]:
        """Return the metrics of an epoch."""
        rate = 1e-5 if stage else 1e-3
        return {**curve(stage, epoch, self.top), "seconds": 9.4, "learning_rate": rate}

    def saved(self, stage: int, epoch: int, when: float) -> None:
        """Write a checkpoint."""
        self.checkpoint(stage, epoch)
        os.utime(self.folder.checkpoints / "last.npz", (when, when))


def curve(stage: int, epoch: int, top: float) -> dict[str, float]:
    """Return metrics that fall and rise like real ones, the same in every call."""
    t = epoch + 8 * stage
    wave = 0.009 * math.sin(2.3 * t) + 0.004 * math.sin(5.1 * t)
    late = max(epoch - 13, 0) if stage else 0
    return {
        "loss": 0.62 * math.exp(-t / 6) + 0.02 - 0.2 * wave,
        "accuracy": 0.995 - 0.42 * math.exp(-t / 5) + 0.1 * wave,
        "val_loss": 0.55 * math.exp(-t / 5) + 1.07 - top + wave + 0.012 * late,
        "val_accuracy": top - 0.38 * math.exp(-t / 5) - wave / 2 - 0.002 * late,
    }


def finished(workspace: Workspace) -> None:
    """Write a finished run with results."""
    run = RecordedRun(workspace, "flowers-3", "feature-extraction", "training.epochs=20", top=0.92)
    labels = ["daisy", "dandelion", "rose", "sunflower", "tulip"]
    run.data("flowers", labels, 2570, 550)
    run.stage(0, "head", 20, learning_rate=1e-3)
    run.epochs(0, 20)
    run.emit("stage_finished", stage=0, reason="all epochs", best_epoch=18, kept_epoch=18)
    confusion = [
        [91, 3, 0, 1, 0],
        [4, 126, 0, 4, 1],
        [1, 0, 82, 1, 12],
        [1, 3, 2, 96, 3],
        [0, 1, 9, 4, 105],
    ]
    results = measured(labels, confusion)
    run.folder.results_path.write_text(json.dumps(results), encoding="ascii")
    run.emit("evaluated", **{key: results[key] for key in ("split", "accuracy", "images", "loss")})
    run.emit("finished", seconds=310)


def measured(labels: list[str], confusion: list[list[int]]) -> dict[str, Any]:
    """Return the results of a confusion matrix."""
    images, right = sum(map(sum, confusion)), sum(row[i] for i, row in enumerate(confusion))
    accuracy = right / images
    margin = 1.96 * math.sqrt(accuracy * (1 - accuracy) / images)
    classes = [
        {
            "label": label,
            "images": sum(confusion[i]),
            "precision": confusion[i][i] / sum(row[i] for row in confusion),
            "recall": confusion[i][i] / sum(confusion[i]),
        }
        for i, label in enumerate(labels)
    ]
    return {
        "format": 1, "split": "test", "images": images, "loss": 0.271, "accuracy": accuracy,
        "interval": [accuracy - margin, accuracy + margin], "labels": labels,
        "confusion": confusion, "classes": classes, "worst": [],
    }  # fmt: skip


def stopped(workspace: Workspace) -> None:
    """Write a stopped run."""
    run = RecordedRun(workspace, "cats-dogs-11", "convnet", "training.epochs=60", top=0.86)
    run.data("cats-dogs", ["cat", "dog"], 1000, 500)
    run.stage(0, "train all", 60, learning_rate=1e-3)
    run.epochs(0, 24)
    run.saved(0, 25, NOW - 2 * DAY)
    run.emit("stopped", stage=0, epoch=25, step=0)


def failed(workspace: Workspace) -> None:
    """Write a failed run."""
    run = RecordedRun(workspace, "cats-dogs-10", "convnet", "training.batch_size=1024")
    run.data("cats-dogs", ["cat", "dog"], 1000, 500)
    run.stage(0, "train all", 60, learning_rate=1e-3)
    run.emit(
        "failed", kind="user", message="The GPU has no room for batches of 1,024 images.",
        hint="Set training.batch_size=512 or less.",
    )  # fmt: skip


def train(workspace: Workspace, epochs: int = 16) -> int:
    """Write a fine-tuning after so many epochs of its second stage; return its worker's lock."""
    run = RecordedRun(workspace, "cats-dogs-12", "fine-tuning", "training.epochs=30")
    lock = take_lock(run.folder.lock_path)
    run.data("cats-dogs", ["cat", "dog"], 1000, 500)
    run.stage(0, "head first", 10, learning_rate=1e-3)
    run.epochs(0, 10)
    run.emit("stage_finished", stage=0, reason="all epochs", best_epoch=10, kept_epoch=10)
    run.stage(1, "head and block5", 30, learning_rate=1e-5)
    run.epochs(1, epochs)
    run.saved(1, epochs + 1, NOW - 40)
    run.machine()
    run.progress(1, epochs + 1, 20, steps=32, pace=412.0)
    return lock


@contextlib.contextmanager
def training_in(folder: Path, clock: Clock, epochs: int) -> Iterator[Workspace]:
    """Write a workspace in which one run is training, after so many epochs."""
    clock.now = NOW - 4 * MINUTE
    workspace = Workspace(folder / FOLDER)
    lock = train(workspace, epochs)
    clock.now = NOW
    try:
        yield workspace
    finally:
        os.close(lock)


@contextlib.contextmanager
def workspace_in(folder: Path, clock: Clock) -> Iterator[Workspace]:
    """Draw the images and write the runs, each at its time; one of them is training."""
    workspace = Workspace(folder / FOLDER)
    source = folder / "cats-dogs"
    draw(source)
    scan(workspace, source)
    for make, ago in ((failed, 3 * DAY), (stopped, 2 * DAY), (finished, 5 * HOUR)):
        clock.now = NOW - ago
        make(workspace)
    clock.now = NOW - 4 * MINUTE
    lock = train(workspace)
    clock.now = NOW
    try:
        yield workspace
    finally:
        os.close(lock)


def draft_in(workspace: Workspace, folder: Path, preset: str = "") -> Draft:
    """Return a draft with the drawn images; with a preset, all steps before the layers are done."""
    draft = Draft(workspace, id="example")
    source = folder / "cats-dogs"
    draft.set_source(source, survey(source))
    if preset:
        draft.set_preset(preset)
    for step in ("machine", "data", "strategy") if preset else ("machine", "data"):
        draft.complete_step(step)
    return draft


# The machine

_WHEELS = {
    "nvidia-cublas-cu12": "12.5.3.2",
    "nvidia-cuda-cupti-cu12": "12.5.82",
    "nvidia-cuda-nvcc-cu12": "12.5.82",
    "nvidia-cuda-nvrtc-cu12": "12.5.82",
    "nvidia-cuda-runtime-cu12": "12.5.82",
    "nvidia-cudnn-cu12": "9.10.2.21",
    "nvidia-cufft-cu12": "11.2.3.61",
    "nvidia-curand-cu12": "10.3.6.82",
    "nvidia-cusolver-cu12": "11.6.3.83",
    "nvidia-cusparse-cu12": "12.5.1.3",
    "nvidia-nccl-cu12": "2.27.7",
    "nvidia-nvjitlink-cu12": "12.5.82",
}


def _gpu() -> machine.Gpu:
    """Return a GPU that another user's process occupies."""
    other = machine.GpuProcess(pid=4242, memory=int(97.5 * GIB), user="grace", name="python")
    return machine.Gpu(
        index=0, uuid="GPU-0a4f1c2d-88c0-4a5e-9f7a-3c1d5e7f9b00", name="NVIDIA H200",
        pci="0000:01:00.0", compute_capability=(9, 0), memory_total=140 * GIB,
        memory_used=int(98.1 * GIB), utilization=72, temperature=58, processes=(other,),
    )  # fmt: skip


def _framework() -> machine.Framework:
    """Return TensorFlow, with devices on which every step worked."""
    devices = (
        machine.FrameworkDevice(id="cpu:0", kind="cpu", name="CPU"),
        machine.FrameworkDevice(
            id="gpu:0", kind="gpu", name="NVIDIA H200", compute_capability=(9, 0)
        ),
    )
    ways = ((False, "float32", 0.0041), (False, "mixed_float16", 0.0027), (True, "float32", 0.0032))
    steps = [
        machine.TrialStep(device=one.id, jit=jit, precision=precision, loss=0.69, pace=pace)
        for one in devices
        for jit, precision, pace in ways
    ]
    return machine.Framework(
        backend="tensorflow", version="2.21.0", keras="3.15.1", cuda="12.5.1", cudnn="9",
        devices=devices, steps=tuple(steps),
    )  # fmt: skip


def facts() -> machine.Facts:
    """Return facts of a shared machine on which everything works."""
    places = [
        host.StorageFolder(what=what, path=Path(f"/home/ada/{what}"), free=500 * GIB, locks=True,
                   file_system="ext4")
        for what in ("runs", "packs", "cache")
    ]  # fmt: skip
    probes = ("nvml", "libraries", "framework", "system", "storage", "decoding")
    return machine.Facts(
        backends=machine.Backends(keras="3.15.1", installed={"tensorflow": "2.21.0"}),
        terminal=host.Terminal(interactive=True, columns=100, rows=30, colors=256, utf8=True),
        nvml=machine.Nvml(driver="570.133.20", cuda=(12, 8), gpus=(_gpu(),)),
        libraries=machine.Libraries(
            wheels=tuple(machine.Wheel(name=name, version=at) for name, at in _WHEELS.items()),
            libraries=(
                machine.Library(name="libcublas.so.12", wheel="nvidia-cublas-cu12"),
                machine.Library(name="libcudnn.so.9", wheel="nvidia-cudnn-cu12"),
            ),
            cuda_driver_code=0,
        ),
        framework=_framework(),
        system=host.System(
            cpu="AMD EPYC 9454", cores=48, cores_allowed=48.0, memory_total=256 * GIB,
            memory_available=200 * GIB, nvidia_cards=1, uvm_device=True,
            session=host.LoginSession(systemd=True, scope="session"),
        ),
        storage=host.Storage(places=tuple(places)),
        decoding=machine.Decoding(images_per_second=4000.0),
        outcomes={name: machine.ProbeOutcome(status="ok", seconds=1.0) for name in probes},
    )  # fmt: skip


def report() -> MachineReport:
    """Return the report of the machine check."""
    found = facts()
    return MachineReport(found, diagnose(found), {FIGURES.device: FIGURES}, 6.4)


def gauges(*, patience: float = 0.0) -> Iterator[Gauges]:
    """Yield gauges that never change."""
    system = {"cpu": 21.0, "memory_used": 56 * GIB, "memory_total": 256 * GIB}
    while True:
        yield Gauges(system, machine.Nvml(gpus=(_gpu(),)))
        time.sleep(0.05)
