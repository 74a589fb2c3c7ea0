"""A run folder as a worker leaves it, written by hand, and images for it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from event_lines import LogWriter
from PIL import Image

from workbench.datasets.manifest import ImageRecord, write_manifest
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run

LABELS = ("cat", "dog")
STARTED = 1_772_445_600.0  # 2026-03-02 10:00 UTC
LAYERS = [
    {"name": "conv1", "kind": "convolution", "output_shape": [6, 6, 4], "parameters": 112,
     "block": "", "requested": "trains"},
    {"name": "output", "kind": "dense", "output_shape": [1], "parameters": 145, "block": "head",
     "requested": "trains"},
]  # fmt: skip


def spec_tree(source: str, **tables: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "preset": "convnet",
        "data": {"source": source, "image_size": [8, 8]},
        "model": {"strategy": "convnet", "filters": [4], "dense_units": [8], "dropout": 0.5},
        "training": {"epochs": 3, "batch_size": 4},
    }
    return {**tree, **tables}


def recorded_run(
    workspace: Workspace,
    name: str = "pets-1",
    labels: tuple[str, ...] = LABELS,
    paths: tuple[str, ...] = ("cat/1.png", "dog/2.png"),
    notice: str = "Mind the gap.",
    tree: dict[str, Any] | None = None,
    measured: bool = True,
) -> RunFolder:
    """A finished run of three epochs with results; its images come from `picture`."""
    source = workspace.root / "pets"
    spec = parse_spec(tree or spec_tree(str(source)), "test")
    folder = create_run(workspace, dump_spec(spec), name=name, stem=name)
    emit = LogWriter(folder.events_path).write
    emit("worker_started", host="box", boot_id="1", keras="3.15.1", python="3.11.7", numpy="2.4.6")
    images = {"train": 4, "validation": 2, "test": 2}
    emit("data_ready", name="pets", images=images, labels=list(labels))
    emit("notice", message=notice)
    emit("stage_started", stage=0, name="train all", epochs=3, steps=1, optimizer="adam",
         learning_rate=0.001, layers=LAYERS, precision="float32", jit=False,
         device="CPU")  # fmt: skip
    for epoch, loss in enumerate((0.7, 0.5, 0.6), start=1):
        emit("layers", stage=0, epoch=epoch, layers=[
            {"name": row["name"], "requested": "trains", "compiled": "trains", "moved": 0.25}
            for row in LAYERS
        ])  # fmt: skip
        emit("epoch_finished", stage=0, epoch=epoch, loss=loss, accuracy=1 - loss,
             val_loss=loss + 0.1, val_accuracy=0.9 - loss, learning_rate=0.001, seconds=2.0,
             best=epoch < 3)  # fmt: skip
    emit("stage_finished", stage=0, reason="all epochs", best_epoch=2, kept_epoch=2)
    if measured:
        folder.results_path.write_text(json.dumps(results(labels, paths)))
        emit("evaluated", split="test", loss=0.6, accuracy=0.5, interval=[0.1, 0.9], images=2)
    emit("finished", seconds=9.0)
    write_manifest(folder.manifest_path, rows(labels, paths))
    return folder


def results(labels: tuple[str, ...], paths: tuple[str, ...]) -> dict[str, Any]:
    others = [[0] * len(labels) for _ in labels]
    others[0][1] = others[1][1] = 1
    return {
        "format": 1, "split": "test", "images": 2, "loss": 0.6, "accuracy": 0.5,
        "interval": [0.1, 0.9], "labels": list(labels), "confusion": others, "leaked": 1,
        "classes": [
            {"label": label, "images": 1, "precision": None, "recall": 0.5} for label in labels
        ],
        "worst": [
            {"path": path, "label": labels[0], "predicted": labels[1], "probability": 0.75,
             "loss": 1.4}
            for path in paths
        ],
    }  # fmt: skip


def rows(labels: tuple[str, ...], paths: tuple[str, ...]) -> list[ImageRecord]:
    splits = ("train", "train", "validation", "test")
    found = [
        ImageRecord(f"{n}-{split}.png", label, split, 8, 8, 99, f"{n:032x}")
        for n, (label, split) in enumerate((one, split) for one in labels for split in splits)
    ]
    return [
        *found,
        *(ImageRecord(path, labels[0], "test", 8, 8, 99, f"{9:032x}") for path in paths),
    ]


def picture(path: Path, level: int = 200, side: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((side, side, 3), level, np.uint8)).save(path)
