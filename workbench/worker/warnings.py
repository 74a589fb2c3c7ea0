"""What people should know of their data before it is trained on."""

from collections.abc import Iterator, Mapping

from workbench.experiment.spec import ExperimentSpec
from workbench.text import human_bytes, plural
from workbench.training.data import TrainingData


def warnings_of(
    spec: ExperimentSpec, data: TrainingData, leaks: Mapping[str, int], memory: int
) -> Iterator[str]:
    """Sentences, each about one thing that is odd.

    Args:
        leaks: see `Prepared.leaks`.
        memory: bytes that the worker may still take.
    """
    if leaked := leaks.get("leaked"):
        yield (
            f"{leaked:,} of {plural(len(data.rows['test']), 'test image')} are training images "
            "too: the test accuracy will be too good. `workbench data scan` names them."
        )
    if near := leaks.get("near_leaked"):
        yield (
            f"{near:,} of {plural(len(data.rows['test']), 'test image')} look nearly the same as "
            "training images: the test accuracy may be too good. `workbench data scan` names them."
        )
    if spec.data.split.validation and not len(data.rows["validation"]):
        yield (
            "There are no validation images: nothing can stop early, and the last epoch's "
            "weights are kept."
        )
    if data.images.nbytes > memory and spec.training.shuffle == "images":
        yield (
            f"The pack ({human_bytes(data.images.nbytes)}) is larger than the memory that is free "
            f"({human_bytes(memory)}), so every epoch reads it from the disk, ahead of training. "
            "Should that be slower than training, on a disk that turns or behind a network, "
            "start anew with --set training.shuffle=blocks."
        )
