"""Images without labels, ranked by a worker: which to label next, and what the head thinks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.app.jobs import JobEvent, JobHandle
from workbench.app.label_suspects import run_on_images
from workbench.app.review import OPINIONS, Question
from workbench.datasets.manifest import ImageRecord
from workbench.datasets.review_log import Answer
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import RunFolder


@dataclass(frozen=True)
class RankedImages:
    """What a worker said of the images that have no label yet.

    Attributes:
        questions: what to ask next, the most informative first.
        left: images without an answer, those put off included.
        copies: images with the same pixels as one of the run, which are not asked about.
        accuracy: of the run's images, each predicted by a head that was fitted without it.
        fitted: images that the head was fitted to.
        labels: of the head.
        random_weights: whether the features are of random weights, and say little.
        unreadable: path and reason of some images that cannot be used.
        unreadable_count: how many there are.
        notes: sentences about skipped files.
        settled: images that had an answer other than "later" before, by the hash of their pixels.
    """

    questions: tuple[Question, ...]
    left: int
    copies: int
    accuracy: float
    fitted: int
    labels: tuple[str, ...]
    random_weights: bool
    unreadable: tuple[tuple[str, str], ...]
    unreadable_count: int
    notes: tuple[str, ...]
    settled: frozenset[str]


def rank_unlabelled(
    workspace: Workspace,
    run: RunFolder,
    folder: Path,
    answers: Mapping[str, Answer],
    count: int,
    progress: Progress = silent,
    on_event: Callable[[JobEvent], None] = lambda event: None,
    handle: JobHandle | None = None,
) -> RankedImages:
    """Let a worker solve the head of a run with the answers so far, and rank the other images.

    Features that were computed before are not computed again.

    Args:
        workspace: of the run.
        run: one whose images were prepared.
        folder: of the images, absolute.
        answers: the newest about each image, by the hash of its pixels, in their order.
        count: images to return.
        progress: called while the worker runs.
        on_event: called for every event but progress, such as a notice.
        handle: cancels the worker.

    Raises:
        UserError: the images cannot be used, or the worker failed.
    """
    given = {key: one.label for key, one in answers.items() if one.verdict == "relabel"}
    request = {
        "folder": str(folder),
        "batch": count,
        "answers": given,
        "excluded": [key for key, one in answers.items() if one.verdict == "exclude"],
        "later": [key for key, one in answers.items() if one.verdict == "later"],
    }
    result = run_on_images("rank-unlabelled", workspace, run, request, progress, on_event, handle)
    return _ranking(result, settled(answers))


def settled(answers: Mapping[str, Answer]) -> frozenset[str]:
    """Return the images that were not merely put off."""
    return frozenset(key for key, one in answers.items() if one.verdict != "later")


def _ranking(result: dict[str, Any], before: frozenset[str]) -> RankedImages:
    labels = [str(label) for label in result["labels"]]
    root = Path(result["root"])
    questions = []
    for one in result["next"]:
        width, height = one["size"]
        row = ImageRecord(str(root / one["path"]), "", None, width, height, 0, one["hash"])
        likely = sorted(zip(labels, one["probabilities"], strict=True), key=lambda pair: -pair[1])
        near = tuple(ImageRecord(path, label, None) for path, label, _ in one["neighbours"])
        questions.append(Question((row,), tuple(likely[:OPINIONS]), near))
    return RankedImages(
        tuple(questions),
        int(result["left"]),
        int(result["copies"]),
        float(result["accuracy"]),
        int(result["fitted"]),
        tuple(labels),
        bool(result["random_weights"]),
        tuple((path, reason) for path, reason in result["unreadable"]),
        int(result["unreadable_count"]),
        tuple(result["notes"]),
        before,
    )
