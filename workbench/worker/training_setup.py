"""The one assembly of a trainer: images, base weights, features, model and device.

A run and the jobs that train without keeping a run share it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.bases.weights import find_weights, fingerprint
from workbench.datasets.pack import open_pack
from workbench.datasets.prepare import PreparedData, prepare
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.machine.preflight import check_before_training
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.environment import prepare_environment
from workbench.worker.device import claim_device
from workbench.worker.jobs import JobEvents, Request

if TYPE_CHECKING:
    from workbench.training.backend import Device
    from workbench.training.context import Emit
    from workbench.training.features import FeatureStore
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
        import keras

        from workbench.training.backend import resolve_precision
        from workbench.training.models import build_model, load_base_weights
        from workbench.training.trainer import Trainer

        keras.config.set_dtype_policy(resolve_precision(spec.training.precision, self.device))
        model = build_model(spec, self.data.classes)
        if self.weights:
            load_base_weights(model, spec.base_table, self.weights)
        return Trainer(
            spec,
            model,
            self.data,
            self.device,
            CheckpointFolder(checkpoints),
            emit,
            should_stop,
            feature_store(spec, self.prepared, self.weights, self.progress, self.notice),
            expected or {},
        )


def make_training_setup(request: Request, events: JobEvents) -> tuple[TrainingSetup, Path]:
    """Prepare a request's spec (its tables) in its workspace; return its scratch folder, too.

    Raises:
        UserError: Images, weights or the GPU are not available.
    """
    spec = parse_spec(request["spec"], "the request")
    check_before_training(spec)
    weights = base_weights(spec, events, events.notice)
    prepared = prepare(spec.data, Workspace(Path(request["workspace"])), events)
    data = training_data(prepared)
    claim_device(spec.training.gpu)
    events("start Keras", 0, 0)
    prepare_environment(spec.training.deterministic)
    from workbench.training.backend import prepare_device

    device = prepare_device(spec.training.deterministic)
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
    for message in found.notes if found else ("The base has random weights, as asked for.",):
        notice(message)
    return found.path if found else None


def training_data(prepared: PreparedData) -> TrainingData:
    """Return the pack's images with labels as numbers, in the order of `prepared.labels`."""
    number = {label: i for i, label in enumerate(prepared.labels)}
    return TrainingData(
        images=open_pack(prepared.pack),
        labels=np.array([number[row.label] for row in prepared.rows], dtype=np.int64),
        contents=np.array([int(row.pixel_hash[:16], 16) for row in prepared.rows], np.uint64),
        rows={split: prepared.indices(split) for split in ("train", "validation", "test")},
        classes=len(prepared.labels),
    )


def feature_store(
    spec: ExperimentSpec,
    prepared: PreparedData,
    weights: Path | None,
    progress: Progress,
    notice: Notice,
) -> "FeatureStore | None":
    """Return the cache of the frozen prefix's features, with all that they depend on as its key.

    The pack's name stands for the images, their size and decoding. None without a base.
    """
    if spec.base is None:
        return None
    import keras

    from workbench.training.features import FeatureStore

    identity = {
        "pack": prepared.pack.name,
        "base": spec.base.name,
        "weights": fingerprint(weights) if weights else f"random {spec.training.seed}",
        "preprocessing": spec.base.preprocessing,
        "precision": keras.config.dtype_policy().name,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
    }
    return FeatureStore(prepared.folder, identity, spec.base.prefix_dtype, progress, notice)
