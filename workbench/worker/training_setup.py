"""The one assembly of a trainer: images, base weights, features, model, device; checks before it.

A run and the jobs that train without keeping a run share it.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.bases.weights import find_weights
from workbench.datasets.duplicates import number_groups
from workbench.datasets.manifest import ImageRecord, read_manifest
from workbench.datasets.pack import open_pack
from workbench.datasets.prepare import PreparedData, prepare, prepare_from_manifest
from workbench.errors import DiskFull, UserError
from workbench.experiment.cost import saved_bytes, stage_costs
from workbench.experiment.estimate import stage_seconds
from workbench.experiment.metrics import TOP
from workbench.experiment.sections import SPLITS
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.throughput import ThroughputModel
from workbench.experiment.toml import parse_spec
from workbench.machine.benchmark_store import BenchmarkResult, BenchmarkStore
from workbench.machine.gpus import CPU, GpuChoice
from workbench.machine.preflight import check_before_training
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.folder import RunFolder
from workbench.text import format_bytes, plural, safe_text
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.startup import claim_device, start_keras

if TYPE_CHECKING:
    from workbench.training.backends import Device
    from workbench.training.context import Emit
    from workbench.training.trainer import Trainer

Notice = Callable[[str], None]


@dataclass(frozen=True)
class TrainingSetup:
    """A spec with its images and base weights, in a process that may import keras.

    Attributes:
        weights: file of the base's weights; None without a base, or for random ones.
        notice: receives messages for the user.
    """

    spec: ExperimentSpec
    prepared: PreparedData
    data: TrainingData
    weights: Path | None
    device: "Device"
    progress: Progress
    notice: Notice

    def make_trainer(
        self,
        spec: ExperimentSpec,
        checkpoints: Path,
        emit: "Emit",
        should_stop: Callable[[], bool] = lambda: False,
        expected: Mapping[int, float] | None = None,
    ) -> "Trainer":
        """Make a trainer with a new model; features are cached beside the data.

        The spec is the setup's, or one with other values of head and training. `expected` are
        the estimated seconds of an epoch by stage.
        """
        from workbench.training.features import make_feature_store
        from workbench.training.models import build_network
        from workbench.training.trainer import Trainer

        model = build_network(spec, self.data.classes, self.device, self.weights)
        store = make_feature_store(
            spec,
            self.prepared.folder,
            self.weights,
            self.progress,
            self.notice,
            pack=self.prepared.pack.name,
        )
        return Trainer(
            spec,
            model,
            self.data,
            self.device,
            CheckpointFolder(checkpoints),
            emit,
            should_stop,
            store,
            expected or {},
        )

    def measured_speed(self, choice: GpuChoice) -> ThroughputModel | None:
        """Return the speed of the device; None if it cannot be measured.

        A device without benchmark is measured now, once; where several share a batch it is not.
        """
        store = BenchmarkStore(choice.device_name)
        benchmark = store.load()
        if benchmark is None or benchmark.kind != self.device.kind:
            if self.device.count > 1:
                return None
            self.progress(tr("measure this machine, once"), 0, 0)
            try:
                benchmark = _measure(self.device)
            except Exception as error:  # an estimate is no reason to end a training
                self.notice(
                    tr("The machine could not be measured: {error}.", error=safe_text(error))
                )
                return None
            if not self.spec.training.deterministic:  # which slows down some operations
                with suppress(OSError):
                    store.save(benchmark)
        return benchmark.speed

    def expected_seconds(self, speed: ThroughputModel) -> dict[int, float]:
        """Estimate the seconds of an epoch of each stage; {} if it shares batches: not measured."""
        if self.device.count > 1:
            return {}
        images = {split: len(rows) for split, rows in self.data.rows.items()}
        costs = stage_costs(self.spec, self.data.classes)
        return {c.stage.index: stage_seconds(c, images, speed).epoch for c in costs}


def _measure(device: "Device") -> BenchmarkResult:
    from workbench.training.device_benchmark import measure_device

    benchmark = measure_device(device)
    name = device.name if device.kind == "gpu" else CPU
    return BenchmarkResult(device=name, kind=device.kind, **vars(benchmark))


def make_training_setup(request: Request, events: JobEvents) -> tuple[TrainingSetup, Path]:
    """Prepare a request's spec (its tables) in its workspace; return its scratch folder, too.

    With a `manifest`, the split is that of a run.

    Raises:
        UserError: Images, weights or the GPU are not available.
    """
    spec = parse_spec(request["spec"], tr("the request"))
    check_before_training(spec)
    weights = base_weights(spec, events, events.notice)
    workspace = Workspace(Path(request["workspace"]))
    if manifest := request.get("manifest"):
        rows = read_manifest(Path(manifest))
        prepared = prepare_from_manifest(spec.data, rows, workspace, events)
    else:
        prepared = prepare(spec.data, workspace, events)
    data = training_data(prepared.rows, prepared.labels, prepared.pack)
    check_monitor(spec, data)
    claim_device(spec.training.gpu)
    events(tr("start Keras"), 0, 0)
    device = start_keras(spec.training.deterministic)
    setup = TrainingSetup(spec, prepared, data, weights, device, events, events.notice)
    return setup, Path(request["scratch"])


def base_weights(spec: ExperimentSpec, progress: Progress, notice: Notice) -> Path | None:
    """Return the file of a base's weights, after downloading it if necessary.

    None without a base, or for random weights.

    Raises:
        UserError: The weights are not available; random ones never replace them silently.
    """
    if spec.base is None:
        return None
    found = find_weights(spec.base.name, spec.data.image_size, spec.base.weights, progress)
    if found is None:
        notice(tr("The base has random weights, as asked for."))
        return None
    for message in (found.sentence, *found.notes):
        notice(message)
    return found.path


def training_data(rows: Sequence[ImageRecord], labels: Sequence[str], pack: Path) -> TrainingData:
    """Return the images of a pack with their labels as numbers, in the order of `labels`."""
    number = {label: i for i, label in enumerate(labels)}
    return TrainingData(
        images=open_pack(pack),
        labels=np.array([number[row.label] for row in rows], np.int64),
        contents=np.array([int(row.pixel_hash[:16], 16) for row in rows], np.uint64),
        rows={
            split: np.array([i for i, row in enumerate(rows) if row.split == split], np.int64)
            for split in SPLITS
        },
        classes=len(labels),
        groups=np.array(number_groups(rows), np.int64),
    )


def check_monitor(spec: ExperimentSpec, data: TrainingData) -> None:
    """Check that what the run monitors can be computed on its validation images.

    Raises:
        UserError: It cannot; without validation images nothing is monitored.
    """
    labels, monitor = data.labels[data.rows["validation"]], spec.training.monitor
    hint = tr("Monitor something else, such as: --set training.monitor=val_macro_f1")
    if monitor == "val_top5_accuracy" and data.classes <= TOP and len(labels):
        raise UserError(
            tr(
                "training.monitor is {monitor}, but there are {classes} labels: with {top} or "
                "fewer it is always 1.",
                monitor=monitor,
                classes=data.classes,
                top=TOP,
            ),
            hint,
        )
    if monitor == "val_auc" and len(set(labels.tolist())) == 1:
        raise UserError(
            tr(
                "training.monitor is {monitor}, but all validation images have one label: it "
                "needs images of two.",
                monitor=monitor,
            ),
            hint,
        )


def check_space(folder: RunFolder, spec: ExperimentSpec, classes: int) -> None:
    """Check the disk space; files that an earlier session saved count as available.

    Raises:
        DiskFull: Checkpoints and model will not fit.
    """
    saved = [*folder.checkpoints.glob("*.npz"), folder.model_path]
    existing = sum(path.stat().st_size for path in saved if path.exists())
    needed = saved_bytes(stage_costs(spec, classes)) - existing
    free = shutil.disk_usage(folder.path).free
    if needed > free:
        raise DiskFull(
            tr(
                "The run's checkpoints and its model need up to {needed}, and "
                "{folder_path} has {free} free.",
                needed=format_bytes(needed),
                folder_path=safe_text(folder.path),
                free=format_bytes(free),
            ),
            tr(
                "Make room and resume, choose a smaller network, or another "
                "workspace with --workspace DIR."
            ),
        )


def data_warnings(
    spec: ExperimentSpec, data: TrainingData, leaks: Mapping[str, int], memory: int
) -> Iterator[str]:
    """Yield warnings about the data, from `PreparedData.leaks` and the free bytes of memory."""
    test_images = plural(len(data.rows["test"]), "test image")
    if leaked := leaks.get("leaked"):
        yield (
            tr(
                "{leaked:,} of {test_images} are training images too: the test accuracy "
                "will be too good. `workbench data scan` names them.",
                leaked=leaked,
                test_images=test_images,
            )
        )
    if near := leaks.get("near_leaked"):
        yield (
            tr(
                "{near:,} of {test_images} look nearly the same as training images: the "
                "test accuracy may be too good. `workbench data scan` names them.",
                near=near,
                test_images=test_images,
            )
        )
    if spec.data.split.validation and not len(data.rows["validation"]):
        yield (
            tr(
                "There are no validation images: nothing can stop early, and the last "
                "epoch's weights are kept."
            )
        )
    if data.images.nbytes > memory and spec.training.shuffle == "images":
        yield (
            tr(
                "The pack ({nbytes}) is larger than the free memory ({memory}), so every "
                "epoch reads it from the disk, ahead of training. If reading is slower "
                "than training, on a hard disk or over a network, start again with --set "
                "training.shuffle=blocks.",
                nbytes=format_bytes(data.images.nbytes),
                memory=format_bytes(memory),
            )
        )
