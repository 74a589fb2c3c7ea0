"""What jobs share that train for an answer and keep no run: images, weights, device, engines."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.datasets.prepare import Prepared, prepare
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.machine.preflight import look_before_training
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.environment import prepare_environment
from workbench.worker.device import claim_device
from workbench.worker.train import training_data
from workbench.worker.weights import base_weights

if TYPE_CHECKING:
    from workbench.training.backend import Device
    from workbench.training.trainer import Engine, Tell

Note = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """A spec whose images and base weights are there, in a process that may import keras.

    Attributes:
        scratch: a folder for what nobody keeps; the asker removes it.
        weights: the file of the base's weights; None without a base, or for random ones.
    """

    spec: ExperimentSpec
    scratch: Path
    prepared: Prepared
    data: TrainingData
    weights: Path | None
    device: "Device"
    progress: Progress
    note: Note

    def engine(self, spec: ExperimentSpec, checkpoints: Path, tell: "Tell") -> "Engine":
        """An engine with a fresh model; the frozen prefix's outputs are kept beside the data.

        Args:
            spec: the bench's, or one with other values for head and training.
        """
        import keras

        from workbench.training.backend import resolve_precision
        from workbench.training.models import build_model
        from workbench.training.trainer import Engine
        from workbench.training.weights import load_base_weights
        from workbench.worker.base import feature_store

        keras.config.set_dtype_policy(resolve_precision(spec.training.precision, self.device))
        model = build_model(spec, self.data.classes)
        if self.weights:
            load_base_weights(model, spec.base_table, self.weights)
        checkpoints.mkdir(parents=True, exist_ok=True)
        store = feature_store(spec, self.prepared, self.weights, self.progress, self.note)
        return Engine(
            spec,
            model,
            self.data,
            self.device,
            CheckpointFolder(checkpoints),
            tell,
            lambda: False,
            store,
        )


def make_bench(request: dict[str, Any], progress: Progress, note: Note) -> Bench:
    """Prepares what a request asks for: spec (its tables), workspace, scratch.

    Raises:
        UserError: images, weights or the GPU cannot be had.
    """
    spec = parse_spec(request["spec"], "the request")
    look_before_training(spec)
    weights = base_weights(spec, progress, note)
    prepared = prepare(spec.data, Workspace(Path(request["workspace"])), progress)
    data = training_data(prepared)
    claim_device(spec.training.gpu)
    progress("start Keras", 0, 0)
    prepare_environment(spec.training.deterministic)
    from workbench.training.backend import prepare_device

    device = prepare_device(spec.training.deterministic)
    scratch = Path(request["scratch"])
    return Bench(spec, scratch, prepared, data, weights, device, progress, note)
