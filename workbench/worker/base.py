"""What a run on a base keeps beside its data."""

from collections.abc import Callable
from pathlib import Path

import keras

from workbench.bases.weights import fingerprint
from workbench.datasets.prepare import Prepared
from workbench.experiment.spec import ExperimentSpec
from workbench.progress import Progress
from workbench.training.features import FeatureStore


def feature_store(
    spec: ExperimentSpec,
    prepared: Prepared,
    weights: Path | None,
    progress: Progress,
    note: Callable[[str], None],
) -> FeatureStore | None:
    """Where the frozen prefix's outputs are kept, and all that they depend on.

    The pack's name stands for the images, their size and their decoding. None without a base.
    """
    if spec.base is None:
        return None
    identity = {
        "pack": prepared.pack.name,
        "base": spec.base.name,
        "weights": fingerprint(weights) if weights else f"random {spec.training.seed}",
        "preprocessing": spec.base.preprocessing,
        "precision": keras.config.dtype_policy().name,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
    }
    return FeatureStore(prepared.folder, identity, spec.base.prefix_dtype, progress, note)
