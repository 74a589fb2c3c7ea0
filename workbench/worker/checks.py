"""Checks before a training: disk space for what it saves, and warnings about its data."""

import shutil
from collections.abc import Iterator, Mapping

from workbench.errors import DiskFull
from workbench.experiment.cost import saved_bytes, stage_costs
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.folder import RunFolder
from workbench.text import format_bytes, plural, safe_text
from workbench.training.data import TrainingData


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
            f"The run's checkpoints and its model need up to {format_bytes(needed)}, and "
            f"{safe_text(folder.path)} has {format_bytes(free)} free.",
            "Make room and resume, choose a smaller network, or another workspace with "
            "--workspace DIR.",
        )


def data_warnings(
    spec: ExperimentSpec, data: TrainingData, leaks: Mapping[str, int], memory: int
) -> Iterator[str]:
    """Yield warnings about the data, from `Prepared.leaks` and the available bytes of memory."""
    test_images = plural(len(data.rows["test"]), "test image")
    if leaked := leaks.get("leaked"):
        yield (
            f"{leaked:,} of {test_images} are training images "
            "too: the test accuracy will be too good. `workbench data scan` names them."
        )
    if near := leaks.get("near_leaked"):
        yield (
            f"{near:,} of {test_images} look nearly the same as "
            "training images: the test accuracy may be too good. `workbench data scan` names them."
        )
    if spec.data.split.validation and not len(data.rows["validation"]):
        yield (
            "There are no validation images: nothing can stop early, and the last epoch's "
            "weights are kept."
        )
    if data.images.nbytes > memory and spec.training.shuffle == "images":
        yield (
            f"The pack ({format_bytes(data.images.nbytes)}) is larger than the free memory "
            f"({format_bytes(memory)}), so every epoch reads it from the disk, ahead of training. "
            "If reading is slower than training, on a hard disk or over a network, "
            "start again with --set training.shuffle=blocks."
        )
