"""The jobs on a trained network: `evaluate`, `predict`, `export`, `check-export`.

A run evaluates its own network at its end, and writes the files of the results, likewise.
"""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.datasets.manifest import read_manifest
from workbench.datasets.prepare import PreparedData, prepare_from_manifest
from workbench.datasets.sources.listing import SkippedFiles, format_kinds
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.folder import RunFolder
from workbench.training.data import TrainingData
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.startup import claim_device, prepare_environment, start_keras, versions
from workbench.worker.training_setup import training_data

if TYPE_CHECKING:
    from workbench.evaluation.evaluate import EvaluationResult
    from workbench.evaluation.model_file import LoadedModel


def evaluate_run(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job `evaluate`.

    Request: model, manifest, workspace, split, shift, mirror (None: as in the spec). Result:
    metrics.
    """
    claim_device()
    start_keras()
    from workbench.evaluation.model_file import load_model

    loaded, split = load_model(Path(request["model"])), request["split"]
    rows = read_manifest(Path(request["manifest"]))
    workspace = Workspace(Path(request["workspace"]))
    prepared = prepare_from_manifest(loaded.spec.data, rows, workspace, events)
    data = training_data(prepared.rows, prepared.labels, prepared.pack)
    if not len(data.rows[split]):
        others = [name for name, indices in data.rows.items() if len(indices)]
        raise UserError(
            tr("The run has no {split} images.", split=split),
            tr(
                "Choose others: {others}",
                others=tr(" or ").join(f"--split {name}" for name in others),
            ),
        )
    shift, mirror = request["shift"], wants_mirror(request, loaded)
    evaluation = evaluate_split(loaded, data, prepared, split, shift, mirror, events)
    with suppress(OSError):  # the metrics do not need a writable folder
        folder = RunFolder(Path(request["manifest"]).parent)
        write_confusion(folder, split, evaluation, data.labels[data.rows[split]])
    return {"split": split, **evaluation.metrics}


def wants_mirror(request: Request, loaded: "LoadedModel") -> bool:
    """Return whether mirror images are predicted too: as requested, else as the spec says."""
    asked = request.get("mirror")
    return loaded.spec.evaluation.mirror if asked is None else bool(asked)


def predict_images(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job `predict`.

    Request: model, paths, mirror (None: as in the spec). Result: labels, mirrored, predictions,
    not_read {words, paths}.
    """
    claim_device()
    start_keras()
    from workbench.evaluation.evaluate import find_images, predict
    from workbench.evaluation.model_file import load_model

    passed = SkippedFiles()
    paths = find_images(request["paths"], passed)
    loaded = load_model(Path(request["model"]))
    mirror = wants_mirror(request, loaded)
    predictions = predict(loaded, paths, events, mirror)
    return {
        "labels": loaded.labels,
        "mirrored": mirror,
        "predictions": [asdict(prediction) for prediction in predictions],
        "not_read": {
            "words": format_kinds(passed.others) if passed.others else "",
            "paths": sorted(passed.others),
        },
    }


def export(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job `export`.

    Request: model, folder, formats, mirror, images (.npy), answers (.npy, receives the original's
    probabilities of the images, or the mean of those of their mirror images). Result: labels.
    """
    claim_device("none")  # the float32 of the CPU is the reference of every format
    start_keras()
    from workbench.evaluation.export import export_model, metadata_files, predict_in_batches
    from workbench.evaluation.mirror import predict_batch
    from workbench.evaluation.model_file import load_model

    loaded = load_model(Path(request["model"]))
    mirror = wants_mirror(request, loaded)
    loaded = replace(loaded, spec=loaded.spec.with_mirror(mirror))
    predict = partial(predict_batch, loaded.model, mirror=mirror)
    expected = predict_in_batches(predict, np.load(request["images"]))
    np.save(request["answers"], expected)
    folder = Path(request["folder"])
    for name in request["formats"]:
        events.send("progress", phase=tr("write {name}", name=name), done=0, total=0)
        export_model(name, loaded, folder)
    for name, content in metadata_files(loaded).items():
        write_atomic(folder / name, content)
    return {"labels": list(loaded.labels)}


def check_export(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job `check-export`.

    Request: model, format, path, images, answers. Result: difference, the largest between the
    probabilities of the file and those of the original; None if they cannot be compared.
    """
    claim_device("none")
    prepare_environment()  # a format that needs no keras is read without it
    from workbench.evaluation.export import load_exported, predict_in_batches

    expected = np.load(request["answers"])
    predict = load_exported(request["format"], Path(request["path"]))
    found = predict_in_batches(predict, np.load(request["images"]))
    if found.shape != expected.shape:
        return {"difference": None}
    difference = float(np.abs(found - expected).max())
    return {"difference": difference if np.isfinite(difference) else None}


def evaluate_split(
    loaded: "LoadedModel",
    data: TrainingData,
    prepared: PreparedData,
    split: str,
    shift: int,
    mirror: bool,
    progress: Progress,
) -> "EvaluationResult":
    """Evaluate a model on a split; of test images also count those that leaked into training."""
    from workbench.evaluation.evaluate import evaluate

    rows = data.rows[split]
    evaluation = evaluate(
        loaded.model,
        data.images,
        rows,
        data.labels[rows],
        [prepared.rows[i].path for i in rows],
        loaded.labels,
        shift,
        mirror,
        progress,
    )
    if split == "test":
        evaluation.metrics.update(prepared.leaks())
    return evaluation


def write_results(
    folder: RunFolder,
    split: str,
    evaluation: "EvaluationResult",
    paths: list[str],
    labels: np.ndarray,
) -> None:
    """Write results.json, and predictions.csv with the probabilities of every image."""
    from workbench.evaluation.evaluate import predictions_csv

    names = evaluation.metrics["labels"]
    table = predictions_csv(paths, [names[i] for i in labels], evaluation.probabilities, names)
    write_atomic(folder.predictions_path, table)
    write_confusion(folder, split, evaluation, labels)
    results = {"format": 1, "split": split, **evaluation.metrics, "versions": versions()}
    write_atomic(folder.results_path, json.dumps(results, indent=1))


def write_confusion(
    folder: RunFolder, split: str, evaluation: "EvaluationResult", labels: np.ndarray
) -> None:
    """Write a matrix that is too large for the metrics to a file, and add its name to them.

    Raises:
        OSError: The file cannot be written.
    """
    from workbench.evaluation.evaluate import confusion_csv

    if "confusion" not in evaluation.metrics:
        predicted, names = evaluation.probabilities.argmax(axis=1), evaluation.metrics["labels"]
        path = folder.confusion_path(split)
        write_atomic(path, confusion_csv(labels, predicted, names))
        evaluation.metrics["matrix"] = path.name
